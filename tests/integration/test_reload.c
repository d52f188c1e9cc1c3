/* SIGHUP: the log file is opened anew, settings that can change in a running worker do, those that
 * are wrong leave the old ones in force. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/redis_server.h"
#include "tests/support/sent_batch.h"
#include "tests/support/temp_dir.h"

enum { WAIT_MS = 30000, POLL_MS = 20, FILE_BYTES_MAX = 1 << 20 };

static struct temp_dir directory;
static struct kafka_broker *broker;
static struct redis_server *redis;
static pid_t worker;

static const char *path_of(const char *name)
{
    return text_of_format("%s/%s", directory.path, name);
}

static void write_file(const char *name, const char *text)
{
    FILE *const file = fopen(path_of(name), "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

/* What stands in it; "" where it is not there. */
static const char *read_file(const char *name)
{
    static char text[FILE_BYTES_MAX];
    FILE *const file = fopen(path_of(name), "r");
    text[0] = '\0';
    if (file != NULL) {
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        (void)fclose(file);
    }
    return text;
}

static void await(const char *name, const char *words)
{
    for (int waited_ms = 0; strstr(read_file(name), words) == NULL; waited_ms += POLL_MS) {
        cr_assert_lt(waited_ms, WAIT_MS, "\"%s\" does not come; %s has: %s", words, name,
                     read_file(name));
        sleep_ms(POLL_MS);
    }
}

/* The worker's file of settings, and more lines behind them. */
static void write_settings(const char *more)
{
    write_file("scenesync.ini",
               text_of_format("[kafka]\nbootstrap.servers = %s\ngroup.id = %s\n"
                              "[topics]\nops = %s\nresults = %s\nretry_prefix = %s\n"
                              "dead_letter = %s\n"
                              "[http]\nlisten = off\n"
                              "[redis]\nurl = %s\npassword_file = %s\n"
                              "[log]\nfile = %s\n%s",
                              kafka_broker_bootstrap(broker), GROUP, TOPIC_OPS, TOPIC_RESULTS,
                              TOPIC_RETRY_PREFIX, TOPIC_DEAD, redis_server_url(redis),
                              path_of("password"), path_of("worker.log"), more));
}

static void begin(void)
{
    temp_dir_create(&directory);
    broker = kafka_broker_start();
    kafka_broker_create_topic(broker, TOPIC_OPS, 1);
    redis = redis_server_start();
    REDIS_RUN(redis, "CONFIG", "SET", "requirepass", "first");
    redis_server_set_password(redis, "first");
    write_file("password", "first\n");
    write_settings("");
    const char *const arguments[] = {SCENESYNC_BINARY, "worker", "--config",
                                     path_of("scenesync.ini"), NULL};
    worker = child_start(&(struct child_options){
        .arguments = arguments, .output_path = path_of("out"), .error_path = path_of("err")});
    await("worker.log", "store connected");
}

static void end(void)
{
    int exit_code = 0;
    cr_assert_eq(kill(worker, SIGTERM), 0);
    cr_assert(child_wait(worker, WAIT_MS, &exit_code));
    cr_assert_eq(exit_code, 0, "%s%s", read_file("worker.log"), read_file("err"));
    redis_server_stop(redis);
    kafka_broker_stop(broker);
    temp_dir_release(&directory);
}

TestSuite(reload, .init = begin, .fini = end, .timeout = 120);

static void hang_up(void)
{
    cr_assert_eq(kill(worker, SIGHUP), 0);
}

Test(reload, a_rotated_log_goes_on_in_a_new_file)
{
    cr_assert_eq(rename(path_of("worker.log"), path_of("worker.log.1")), 0);
    hang_up();
    await("worker.log", "settings reloaded");
    cr_assert_not_null(strstr(read_file("worker.log"), "log_reopened=yes"));
    cr_assert_null(strstr(read_file("worker.log.1"), "settings reloaded"));
    cr_assert_str_empty(read_file("err"));

    /* A path that cannot be: the log goes on where it was. */
    write_settings(text_of_format("[log]\nfile = %s\n", path_of("none/worker.log")));
    hang_up();
    await("worker.log", "log_reopened=no");
    cr_assert_not_null(strstr(read_file("worker.log"), "log file not opened"));
}

Test(reload, the_level_changes_and_what_cannot_is_named)
{
    write_settings("level = warn\n[retry]\nmax_retries = 5\n[kafka]\nlinger.ms = 7\n");
    hang_up();
    await("worker.log", "settings=\"kafka.linger.ms retry.max_retries\"");
    cr_assert_null(strstr(read_file("worker.log"), "settings reloaded"), "info is off");
    write_settings("level = info\n");
    hang_up();
    await("worker.log", "log_level=info");
}

Test(reload, wrong_settings_leave_the_old_ones_in_force)
{
    write_settings("level = debug\n[retry]\nmax_retries = many\n");
    cr_assert_eq(rename(path_of("worker.log"), path_of("worker.log.1")), 0);
    hang_up();
    await("worker.log", "settings not reloaded, the old ones stay in force");
    cr_assert_not_null(strstr(read_file("worker.log"), "retry.max_retries"));
    cr_assert_null(strstr(read_file("worker.log"), "debug"));

    cr_assert_eq(unlink(path_of("scenesync.ini")), 0);
    hang_up();
    await("worker.log", "cannot open");
}

Test(reload, a_new_password_is_used_without_a_restart)
{
    REDIS_RUN(redis, "CONFIG", "SET", "requirepass", "second");
    redis_server_set_password(redis, "second");
    REDIS_RUN(redis, "CLIENT", "KILL", "TYPE", "normal");
    await("worker.log", "WRONGPASS");

    write_file("password", "second\n");
    hang_up();
    await("worker.log", "redis credentials changed");
    const char *const at = strstr(read_file("worker.log"), "redis credentials changed");
    const size_t seen = (size_t)(at - read_file("worker.log"));
    for (int waited_ms = 0; strstr(read_file("worker.log") + seen, "store connected") == NULL;
         waited_ms += POLL_MS) {
        cr_assert_lt(waited_ms, WAIT_MS, "%s", read_file("worker.log"));
        sleep_ms(POLL_MS);
    }
    cr_assert_null(strstr(read_file("worker.log"), "second"), "the password is in the log");
}
