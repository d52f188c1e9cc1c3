/* `scenesync broker` as other processes see it. */
#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/command.h"
#include "tests/support/temp_dir.h"
#include "worker/source.h"

enum { PATIENCE_MS = 30000, ADDRESS_BYTES_MAX = 128 };

static struct temp_dir directory;
static pid_t broker;                    /* 0: it has ended */
static char address[ADDRESS_BYTES_MAX]; /* the first line on its standard output */

static void await_address(const char *path)
{
    uint64_t deadline_ms = monotonic_ms() + PATIENCE_MS;
    for (;;) {
        FILE *output = fopen(path, "r");
        char line[ADDRESS_BYTES_MAX] = "";
        bool complete = output != NULL && fgets(line, sizeof line, output) != NULL &&
                        strchr(line, '\n') != NULL;
        if (output != NULL) {
            (void)fclose(output);
        }
        if (complete) {
            (void)snprintf(address, sizeof address, "%.*s", (int)strcspn(line, "\n"), line);
            return;
        }
        cr_assert_lt(monotonic_ms(), deadline_ms, "no address in time");
        sleep_ms(20);
    }
}

static void start(void)
{
    temp_dir_create(&directory);
    char path[TEMP_DIR_BYTES_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/broker", directory.path);
    const char *const arguments[] = {
        SCENESYNC_BINARY,      "broker",      "--partitions", "3", "--set",
        "retry.max_retries=2", "extra.topic", "scene.ops",    NULL};
    broker = child_start(&(struct child_options){.arguments = arguments, .output_path = path});
    await_address(path);
}

static void stop(void)
{
    if (broker > 0) {
        child_kill(broker);
    }
    temp_dir_release(&directory);
}

TestSuite(broker, .init = start, .fini = stop, .timeout = 120);

static int partition_count_of(const struct rd_kafka_metadata *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, topic) == 0) {
            return metadata->topics[i].partition_cnt;
        }
    }
    return 0;
}

Test(broker, has_the_topics_of_the_settings_and_those_asked_for)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers", address, reason, sizeof reason),
                 RD_KAFKA_CONF_OK, "%s", reason);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    cr_assert_not_null(client, "%s", reason);
    const struct rd_kafka_metadata *metadata = NULL;
    cr_assert_eq(rd_kafka_metadata(client, 1, NULL, &metadata, PATIENCE_MS),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    static const char *const topics[] = {"scene.ops",         "scene.results",     "scene.ops.dlq",
                                         "scene.ops.retry-1", "scene.ops.retry-2", "extra.topic"};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        cr_assert_eq(partition_count_of(metadata, topics[i]), 3, "%s", topics[i]);
    }
    cr_assert_eq(metadata->topic_cnt, 6);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(client);
}

Test(broker, carries_records_from_one_process_to_the_group_of_another)
{
    char servers[ADDRESS_BYTES_MAX + 32];
    (void)snprintf(servers, sizeof servers, "kafka.bootstrap.servers=%s", address);
    const struct command produce = {.arguments = {"produce", "--set", servers},
                                    .input =
                                        "{\"session_id\":\"s1\",\"operations\":"
                                        "[{\"op\":\"remove\",\"id\":\"a\",\"timestamp\":1}]}\n"};
    struct command_outcome outcome = command_run(directory.path, &produce);
    cr_assert_eq(outcome.exit_code, 0, "%s", outcome.err);

    struct settings settings;
    struct settings_error error;
    char message[512];
    cr_assert(settings_init(&settings));
    cr_assert(settings_set(&settings, "kafka.bootstrap.servers", address, "test", &error));
    cr_assert(settings_set(&settings, "kafka.session.timeout.ms", "6000", "test", &error));
    struct clock clock = clock_system();
    struct log *log = log_create(LOG_ERROR, LOG_LOGFMT, NULL);
    struct record_source *source = source_create(&settings, &clock, log, message, sizeof message);
    cr_assert_not_null(source, "%s", message);
    struct record record;
    uint64_t deadline_ms = monotonic_ms() + PATIENCE_MS;
    while (source_poll(source, &record, 1, SIZE_MAX, 100) == 0) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "no record in time");
    }
    cr_assert(span_equal_text(record.key, "s1"));
    cr_assert_eq(source_assigned_count(source), 9);
    source_release(source, &record, 1);
    source_destroy(source);
    log_destroy(log);
    settings_deinit(&settings);
}

static void check_ends_with(int signal)
{
    int exit_code = -1;
    cr_assert_eq(kill(broker, signal), 0);
    cr_assert(child_wait(broker, PATIENCE_MS, &exit_code));
    broker = 0;
    cr_assert_eq(exit_code, 0);
}

Test(broker, ends_well_when_terminated)
{
    check_ends_with(SIGTERM);
}

Test(broker, ends_well_when_interrupted)
{
    check_ends_with(SIGINT);
}
