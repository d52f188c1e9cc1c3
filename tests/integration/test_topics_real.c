/* `scenesync topics` on a real broker: what is missing, what is there already, what differs. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/command.h"
#include "tests/support/kafka_admin.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/sent_batch.h"
#include "tests/support/temp_dir.h"

static struct temp_dir directory;
static struct kafka_broker *broker;

static void begin(void)
{
    temp_dir_create(&directory);
    broker = kafka_broker_start();
}

static rd_kafka_t *admin(void)
{
    char reason[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers", kafka_broker_bootstrap(broker),
                                   reason, sizeof(reason)),
                 RD_KAFKA_CONF_OK);
    rd_kafka_t *const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    cr_assert_not_null(client, "%s", reason);
    return client;
}

static void end(void)
{
    rd_kafka_t *const client = admin();
    const char *const topics[] = {TOPIC_OPS,     TOPIC_RETRY_1, TOPIC_RETRY_2,
                                  TOPIC_RETRY_3, TOPIC_RESULTS, TOPIC_DEAD};
    kafka_admin_delete_topics(client, topics, sizeof(topics) / sizeof(topics[0]));
    rd_kafka_destroy(client);
    kafka_broker_stop(broker);
    temp_dir_release(&directory);
}

TestSuite(topics_real, .init = begin, .fini = end, .timeout = 120);

static struct command_outcome run(struct command command)
{
    command.environment[0] =
        text_of_format("SCENESYNC_KAFKA_BOOTSTRAP_SERVERS=%s", kafka_broker_bootstrap(broker));
    command.environment[1] = text_of_format("SCENESYNC_TOPICS_OPS=%s", TOPIC_OPS);
    command.environment[2] = text_of_format("SCENESYNC_TOPICS_RESULTS=%s", TOPIC_RESULTS);
    command.environment[3] = text_of_format("SCENESYNC_TOPICS_RETRY_PREFIX=%s", TOPIC_RETRY_PREFIX);
    command.environment[4] = text_of_format("SCENESYNC_TOPICS_DEAD_LETTER=%s", TOPIC_DEAD);
    return command_run(directory.path, &command);
}

#define TOPICS(...) run((struct command){.arguments = {"topics", __VA_ARGS__}})

static size_t count_of(const char *text, const char *words)
{
    size_t count = 0;
    for (const char *at = strstr(text, words); at != NULL; at = strstr(at + 1, words)) {
        count++;
    }
    return count;
}

static void expect(struct command_outcome outcome, int exit_code, const char *words, size_t count)
{
    cr_assert_eq(outcome.exit_code, exit_code, "%d: %s%s", outcome.exit_code, outcome.out,
                 outcome.err);
    cr_assert_eq(count_of(outcome.out, words), count, "\"%s\" in: %s", words, outcome.out);
}

Test(topics_real, makes_what_is_missing_once)
{
    expect(TOPICS("--dry-run", "--partitions", "5"), 0, "would create ", 6);
    expect(TOPICS("--partitions", "5"), 0, "created ", 6); /* the trial has made none */
    const struct command_outcome again = TOPICS("--partitions", "5");
    expect(again, 0, "exists ", 6);
    cr_assert_eq(line_count(again.out), 6, "as planned, so nothing differs: %s", again.out);
    expect(again, 0, "partitions=5 ", 5);
    expect(again, 0, "partitions=1 ", 1);

    /* What the worker's own log shows of them is another test's; here that they can be used. */
    const int64_t offset = kafka_broker_produce_text(broker, TOPIC_OPS, 4, "s", "x");
    cr_assert_eq(offset, 0);
}

Test(topics_real, retry_topics_follow_the_ops_topic_that_exists)
{
    kafka_broker_create_topic(broker, TOPIC_OPS, 3);
    const struct command_outcome outcome = TOPICS("--partitions", "8");
    expect(outcome, 0, "created ", 5);
    expect(outcome, 0, "partitions=3 ", 4);
    expect(outcome, 0, "partitions=8 ", 1);
    expect(outcome, 0, "3, --partitions asks for 8", 1);
    /* The one that existed has the broker's defaults. */
    expect(outcome, 0, "--add-config message.timestamp.type=LogAppendTime", 1);
}

Test(topics_real, says_how_an_existing_one_differs_and_changes_nothing)
{
    expect(TOPICS("--partitions", "2"), 0, "created ", 6);
    rd_kafka_t *const client = admin();
    const struct kafka_entry entries[] = {{"cleanup.policy", "compact"},
                                          {"max.message.bytes", "1000000"}};
    kafka_admin_set_topic(client, TOPIC_RETRY_2, entries, 2);
    rd_kafka_destroy(client);
    const char *const cure =
        text_of_format("--entity-name %s --add-config cleanup.policy=delete", TOPIC_RETRY_2);
    for (int i = 0; i < 2; i++) {
        const struct command_outcome outcome = TOPICS("--partitions", "2");
        expect(outcome, 1, "error topic.", 2);
        expect(outcome, 1, cure, 1);
    }
}

Test(topics_real, what_the_broker_refuses_is_one_line)
{
    const struct command_outcome outcome = TOPICS("--replication-factor", "2", "--dry-run");
    expect(outcome, 1, "would create", 0);
    cr_assert_eq(count_of(outcome.err, "INVALID_REPLICATION_FACTOR"), 6, "%s", outcome.err);
    cr_assert_eq(line_count(outcome.err), 6);
}
