#include "tests/support/doctor_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/kafka_admin.h"
#include "tests/support/sent_batch.h"
#include "tests/support/temp_dir.h"

static struct temp_dir directory;
static struct kafka_broker *broker;
static struct redis_server *redis;
static rd_kafka_t *client;

void doctor_fixture_start_on(struct kafka_broker *taken)
{
    static const char *const arguments[] = {"--appendonly", "yes", NULL};
    broker = taken;
    temp_dir_create(&directory);
    redis = redis_server_start_with(arguments);
}

rd_kafka_t *doctor_fixture_admin(void)
{
    char reason[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    if (client == NULL) {
        cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers", kafka_broker_bootstrap(broker),
                                       reason, sizeof(reason)),
                     RD_KAFKA_CONF_OK);
        client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
        cr_assert_not_null(client, "%s", reason);
    } else {
        rd_kafka_conf_destroy(conf);
    }
    return client;
}

/* Those that `scenesync topics` has made on a shared broker. */
static void delete_topics(void)
{
    const char *const topics[] = {TOPIC_OPS,     TOPIC_RETRY_1, TOPIC_RETRY_2,
                                  TOPIC_RETRY_3, TOPIC_RESULTS, TOPIC_DEAD};
    if (kafka_shared_address() != NULL) {
        kafka_admin_delete_topics(doctor_fixture_admin(), topics,
                                  sizeof(topics) / sizeof(topics[0]));
    }
}

void doctor_fixture_stop(void)
{
    delete_topics();
    if (client != NULL) {
        rd_kafka_destroy(client);
        client = NULL;
    }
    kafka_broker_stop(broker);
    redis_server_stop(redis);
    temp_dir_release(&directory);
}

const char *doctor_fixture_password(const char *text)
{
    const char *const path = text_of_format("%s/password", directory.path);
    FILE *const file = fopen(path, "w");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
    return text_of_format("redis.password_file=%s", path);
}

struct kafka_broker *doctor_fixture_broker(void)
{
    return broker;
}

struct redis_server *doctor_fixture_redis(void)
{
    return redis;
}

struct command_outcome doctor_fixture_run(struct command command)
{
    const char *const environment[] = {
        text_of_format("SCENESYNC_KAFKA_BOOTSTRAP_SERVERS=%s", kafka_broker_bootstrap(broker)),
        text_of_format("SCENESYNC_REDIS_URL=%s", redis_server_url(redis)),
        text_of_format("SCENESYNC_KAFKA_GROUP_ID=%s", GROUP),
        text_of_format("SCENESYNC_TOPICS_OPS=%s", TOPIC_OPS),
        text_of_format("SCENESYNC_TOPICS_RESULTS=%s", TOPIC_RESULTS),
        text_of_format("SCENESYNC_TOPICS_RETRY_PREFIX=%s", TOPIC_RETRY_PREFIX),
        text_of_format("SCENESYNC_TOPICS_DEAD_LETTER=%s", TOPIC_DEAD),
    };
    memcpy(command.environment, environment, sizeof(environment));
    return command_run(directory.path, &command);
}

void doctor_fixture_expect(struct command_outcome outcome, int exit_code, const char *begins,
                           const char *words)
{
    cr_assert_eq(outcome.exit_code, exit_code, "%d: %s%s", outcome.exit_code, outcome.out,
                 outcome.err);
    for (const char *line = outcome.out; *line != '\0';) {
        const size_t size = strcspn(line, "\n");
        const char *const found = strstr(line, words);
        if (strncmp(line, begins, strlen(begins)) == 0 && found != NULL && found < line + size) {
            return;
        }
        line += size + (line[size] == '\n' ? 1 : 0);
    }
    cr_assert_fail("no line \"%s ... %s\" in:\n%s%s", begins, words, outcome.out, outcome.err);
}
