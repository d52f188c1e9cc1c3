#include "tests/support/watched_worker.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/source_fixture.h"
#include "worker/source_watch.h"
#include "worker/watchdog.h"

enum {
    PARTITIONS = 2, /* of each topic */
    ALL_PARTITIONS = 4,
    ADDRESS_BYTES_MAX = 128,
    EXIT_BROKEN = 99, /* the process could not be set up: no test expects this */
    POLLS_MAX = 600,
    POLL_MS = 50,
    LOG_BYTES_MAX = 1 << 16
};

/* ---- In the process ---- */

static void need(bool is_fine, const char *what)
{
    if (!is_fine) {
        (void)fprintf(stderr, "watched worker: %s\n", what);
        _exit(EXIT_BROKEN);
    }
}

static void change(struct settings *settings, const char *name, const char *value)
{
    struct settings_error error;
    need(settings_set(settings, name, value, "test", &error), name);
}

static void make_settings(struct settings *settings, const char *address)
{
    need(settings_init(settings), "no settings");
    change(settings, "kafka.bootstrap.servers", address);
    change(settings, "kafka.group.id", GROUP);
    change(settings, "topics.ops", TOPIC_OPS);
    change(settings, "topics.retry_prefix", TOPIC_RETRY_PREFIX);
    /* Long: who takes over before that was let in. */
    change(settings, "kafka.session.timeout.ms", "45000");
    change(settings, "kafka.heartbeat.interval.ms", "500");
    change(settings, "kafka.reconnect.backoff.max.ms", "300");
    change(settings, "redis.command_timeout_ms", "100");
    change(settings, "retry.initial_delay_ms", "60000");
    change(settings, "retry.max_delay_ms", "60000");
    settings->stall_timeout_ms = WATCHED_LIMIT_MS;
}

size_t watched_poll(const struct watched_parts *parts)
{
    struct record records[16];
    size_t count = source_poll(parts->source, records, 16, SIZE_MAX, POLL_MS);
    source_settle(parts->source, records, count);
    source_release(parts->source, records, count);
    progress_note(parts->progress, count == 0 ? PROGRESS_IDLE : PROGRESS_WORKING);
    if (progress_wants_partitions(parts->progress)) {
        source_tell_partitions(parts->source, parts->progress);
    }
    return count;
}

/* Until all partitions were read to their ends and are known. */
static void settle_in(const struct watched_parts *parts)
{
    bool is_known = false;
    for (int i = 0; i < POLLS_MAX && !is_known; i++) {
        (void)watched_poll(parts);
        source_tell_partitions(parts->source, parts->progress);
        const struct progress *progress = parts->progress;
        is_known = progress->partition_count == ALL_PARTITIONS;
        for (size_t k = 0; is_known && k < ALL_PARTITIONS; k++) {
            is_known = progress->partitions[k].position >= 0;
        }
    }
    need(is_known, "no partitions in time");
}

static void live(const struct watched_worker *worker, watched_cycle *cycle)
{
    char address[ADDRESS_BYTES_MAX] = "";
    if (read(worker->address_pipe, address, sizeof(address) - 1) <= 0) {
        _exit(EXIT_BROKEN);
    }
    static struct settings settings;
    static struct progress progress;
    char message[512];
    make_settings(&settings, address);
    const struct clock clock = clock_system();
    struct log *log = log_create(LOG_INFO, LOG_LOGFMT, worker->log_path);
    need(log != NULL, "no log");
    struct record_source *source = source_create(&settings, &clock, log, message, sizeof(message));
    need(source != NULL, message);
    need(progress_init(&progress, &clock), "no progress");
    const struct watchdog_parts watched = {.settings = &settings,
                                           .clock = &clock,
                                           .log = log,
                                           .progress = &progress,
                                           .source = source};
    need(watchdog_start(&watched) != NULL, "no watchdog");
    const struct watched_parts parts = {.source = source, .progress = &progress, .log = log};
    settle_in(&parts);
    need(write(worker->ready_pipe, "", 1) == 1, "nobody waits");
    cycle(&parts);
}

/* ---- In the test ---- */

static void fork_process(struct watched_worker *worker, watched_cycle *cycle)
{
    int address[2];
    int ready[2];
    cr_assert_eq(pipe(address), 0);
    cr_assert_eq(pipe(ready), 0);
    const pid_t parent = getpid();
    worker->pid = fork();
    cr_assert_geq(worker->pid, 0);
    if (worker->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        need(getppid() == parent, "the test is dead");
        worker->address_pipe = address[0];
        worker->ready_pipe = ready[1];
        live(worker, cycle);
        _exit(EXIT_BROKEN);
    }
    (void)close(address[0]);
    (void)close(ready[1]);
    worker->address_pipe = address[1];
    worker->ready_pipe = ready[0];
}

void watched_worker_start(struct watched_worker *worker, watched_cycle *cycle, bool log_is_pipe)
{
    temp_dir_create(&worker->directory);
    (void)snprintf(worker->log_path, sizeof(worker->log_path), "%s/log", worker->directory.path);
    if (log_is_pipe) {
        cr_assert_eq(mkfifo(worker->log_path, 0600), 0);
        /* Kept open, or the first write would be the process's end. */
        cr_assert_geq(open(worker->log_path, O_RDWR | O_CLOEXEC), 0);
    }
    (void)GROUP; /* names are settled before there are two processes */
    fork_process(worker, cycle);
    source_fixture_start();
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, PARTITIONS);
}

void watched_worker_release(struct watched_worker *worker)
{
    const char *address = kafka_broker_bootstrap(fixture.broker);
    char ready = 0;
    cr_assert_gt(write(worker->address_pipe, address, strlen(address)), 0);
    cr_assert_eq(read(worker->ready_pipe, &ready, 1), 1, "the process ended: %s",
                 watched_worker_log(worker));
}

int watched_worker_await_exit(struct watched_worker *worker, int timeout_ms)
{
    int exit_code = 0;
    cr_assert(child_wait(worker->pid, timeout_ms, &exit_code), "it still runs; its log: %s",
              watched_worker_log(worker));
    return exit_code;
}

void watched_worker_kill(struct watched_worker *worker)
{
    child_kill(worker->pid);
}

const char *watched_worker_log(const struct watched_worker *worker)
{
    static char text[LOG_BYTES_MAX];
    const int descriptor = open(worker->log_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const ssize_t size = descriptor < 0 ? 0 : read(descriptor, text, sizeof(text) - 1);
    text[size > 0 ? size : 0] = '\0';
    (void)close(descriptor);
    return text;
}

void watched_log_until_it_hangs(const struct watched_parts *parts)
{
    for (;;) {
        struct log_line line;
        log_begin(&line, parts->log, LOG_INFO, "one of many");
        log_end(&line);
        progress_note(parts->progress, PROGRESS_WORKING);
    }
}
