#include "tests/soak/soak_broker.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/kafka_admin.h"

enum {
    START_TIMEOUT_MS = 180000,
    STOP_TIMEOUT_MS = 60000,
};

struct soak_broker {
    struct soak_log *log;
    char directory[SOAK_PATH_BYTES + 16], output_path[SOAK_PATH_BYTES + 32], bootstrap[64];
    pid_t starting; /* 0: no restart is under way */
};

static pid_t run_script(struct soak_broker *broker, const char *command, bool with_owner)
{
    char owner[16];
    (void)snprintf(owner, sizeof(owner), "%d", (int)getpid());
    const char *const arguments[] = {
        TESTS_KAFKA_BROKER, command, broker->directory, with_owner ? "--owner" : NULL, owner, NULL};
    const struct child_options options = {.arguments = arguments,
                                          .output_path = broker->output_path,
                                          .error_path = broker->output_path};
    return child_start(&options);
}

static void await_script(struct soak_broker *broker, pid_t pid, int timeout_ms)
{
    int exit_code = 0;
    if (!child_wait(pid, timeout_ms, &exit_code)) {
        child_kill(pid);
        exit_code = -1;
    }
    if (exit_code != 0) {
        soak_log_show_end(broker->log, broker->output_path);
    }
    cr_assert_eq(exit_code, 0, "tests/kafka/broker ended with %d; see %s", exit_code,
                 broker->output_path);
}

static void read_line(const struct soak_broker *broker, const char *name, char *line, size_t size)
{
    char path[SOAK_PATH_BYTES + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", broker->directory, name);
    FILE *const file = fopen(path, "re");
    cr_assert_not_null(file, "%s cannot be read", path);
    cr_assert_not_null(fgets(line, (int)size, file), "%s is empty", path);
    (void)fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

static void create_topic(rd_kafka_t *client, const char *name)
{
    const struct kafka_entry entries[] = {{"message.timestamp.type", "LogAppendTime"},
                                          {"max.message.bytes", "3145728"}};
    kafka_admin_create_topic(client, name, SOAK_PARTITIONS, entries,
                             sizeof(entries) / sizeof(*entries));
}

static void create_topics(const struct soak_broker *broker)
{
    char reason[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    cr_assert_eq(
        rd_kafka_conf_set(conf, "bootstrap.servers", broker->bootstrap, reason, sizeof(reason)),
        RD_KAFKA_CONF_OK, "%s", reason);
    rd_kafka_t *const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    cr_assert_not_null(client, "%s", reason);
    create_topic(client, SOAK_TOPIC_OPS);
    create_topic(client, SOAK_TOPIC_RESULTS);
    create_topic(client, SOAK_TOPIC_DEAD);
    for (int tier = 1; tier <= SOAK_RETRIES; tier++) {
        char name[64];
        (void)snprintf(name, sizeof(name), SOAK_TOPIC_RETRY_PREFIX "%d", tier);
        create_topic(client, name);
    }
    rd_kafka_destroy(client);
}

struct soak_broker *soak_broker_start(const struct soak_setup *setup, struct soak_log *log)
{
    struct soak_broker *const broker = calloc(1, sizeof(*broker));
    cr_assert_not_null(broker);
    broker->log = log;
    (void)snprintf(broker->directory, sizeof(broker->directory), "%s/kafka", setup->directory);
    (void)snprintf(broker->output_path, sizeof(broker->output_path), "%s/kafka-script.log",
                   setup->directory);
    await_script(broker, run_script(broker, "start", true), START_TIMEOUT_MS);
    read_line(broker, "bootstrap", broker->bootstrap, sizeof(broker->bootstrap));
    create_topics(broker);
    return broker;
}

void soak_broker_stop(struct soak_broker *broker)
{
    (void)soak_broker_is_up(broker);
    if (broker->starting != 0) {
        child_kill(broker->starting);
    }
    await_script(broker, run_script(broker, "stop", false), STOP_TIMEOUT_MS);
    free(broker);
}

const char *soak_broker_bootstrap(const struct soak_broker *broker)
{
    return broker->bootstrap;
}

void soak_broker_signal(struct soak_broker *broker, int signal)
{
    char pid[32];
    read_line(broker, "pid", pid, sizeof(pid));
    cr_assert_eq(kill((pid_t)strtol(pid, NULL, 10), signal), 0, "no broker is process %s", pid);
}

void soak_broker_restart(struct soak_broker *broker)
{
    cr_assert_eq(broker->starting, 0);
    broker->starting = run_script(broker, "restart", false);
}

bool soak_broker_is_up(struct soak_broker *broker)
{
    int exit_code = 0;
    if (broker->starting == 0) {
        return true;
    }
    if (!child_wait(broker->starting, 0, &exit_code)) {
        return false;
    }
    broker->starting = 0;
    cr_assert_eq(exit_code, 0, "the broker does not start again; see %s", broker->output_path);
    return true;
}
