/* `scenesync doctor` on a real Kafka and a real Redis: all well, then each thing wrong in turn. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "tests/support/doctor_fixture.h"
#include "tests/support/kafka_admin.h"
#include "tests/support/sent_batch.h"

enum { OK = 0, FAILED = 1, UNAVAILABLE = 69, LOOKS_MAX = 10 };

static void begin(void)
{
    doctor_fixture_start_on(kafka_broker_start());
}

TestSuite(doctor_real, .init = begin, .fini = doctor_fixture_stop, .timeout = 120);

static void make_topics(void)
{
    const struct command topics = {.arguments = {"topics", "--partitions", "3"}};
    const struct command_outcome outcome = doctor_fixture_run(topics);
    cr_assert_eq(outcome.exit_code, OK, "%s", outcome.err);
}

Test(doctor_real, a_healthy_world_has_no_errors_and_keeps_no_trace)
{
    make_topics();
    const struct command_outcome outcome = DOCTOR(NULL);
    cr_assert_str_empty(outcome.err);
    cr_assert_null(strstr(outcome.out, "error "), "%s", outcome.out);
    doctor_fixture_expect(outcome, OK, "ok    kafka.reached", "librdkafka");
    doctor_fixture_expect(outcome, OK, "warn  kafka.brokers", "; cure: three");
    doctor_fixture_expect(outcome, OK, "ok    topic ", TOPIC_RETRY_3);
    doctor_fixture_expect(outcome, OK, "ok    kafka.group", "nobody has been in it");
    doctor_fixture_expect(outcome, OK, "ok    kafka.read_group", "granted");
    doctor_fixture_expect(outcome, OK, "ok    kafka.read_topic", TOPIC_RETRY_2);
    doctor_fixture_expect(outcome, OK, "ok    kafka.write_topic", TOPIC_DEAD);
    doctor_fixture_expect(outcome, OK, "ok    redis.persistence", "appendfsync everysec");
    doctor_fixture_expect(outcome, OK, "ok    redis.self_test", "rights suffice");

    size_t count = 0;
    const char *const topics[] = {TOPIC_OPS, TOPIC_RETRY_1, TOPIC_RESULTS, TOPIC_DEAD};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        kafka_records_free(kafka_broker_read(doctor_fixture_broker(), topics[i], &count), count);
        cr_assert_eq(count, 0, "%s has a record", topics[i]);
    }
    cr_assert_eq(kafka_broker_committed(doctor_fixture_broker(), GROUP, TOPIC_OPS, 0),
                 RD_KAFKA_OFFSET_INVALID);
}

Test(doctor_real, json_has_every_check_for_machines)
{
    make_topics();
    const struct command_outcome outcome = DOCTOR("--json");
    cr_assert_eq(outcome.exit_code, OK, "%s", outcome.out);
    cr_assert_geq(line_count(outcome.out), 20);
    for (const char *line = outcome.out; *line != '\0'; line += strcspn(line, "\n") + 1) {
        json_error_t error;
        json_t *const finding = json_loadb(line, strcspn(line, "\n"), 0, &error);
        cr_assert_not_null(finding, "%s", error.text);
        cr_assert(json_is_string(json_object_get(finding, "check")));
        cr_assert(json_is_string(json_object_get(finding, "found")));
        const char *const level = json_string_value(json_object_get(finding, "level"));
        cr_assert_eq(strcmp(level, "ok") == 0, json_is_null(json_object_get(finding, "cure")));
        json_decref(finding);
    }
}

Test(doctor_real, each_wrong_topic_is_named_with_its_cure)
{
    make_topics();
    const struct kafka_entry entries[] = {
        {"cleanup.policy", "compact"}, {"max.message.bytes", "1000000"}, {"retention.ms", "60000"}};
    kafka_admin_set_topic(doctor_fixture_admin(), TOPIC_OPS, entries, 3);
    struct command_outcome outcome;
    for (int i = 0; i < LOOKS_MAX; i++) { /* the broker hears of its own change a little later */
        outcome =
            DOCTOR("--set", "retry.max_retries=4", "--set", "kafka.max.poll.interval.ms=50000");
        if (strstr(outcome.out, "topic.cleanup_policy") != NULL) {
            break;
        }
    }
    doctor_fixture_expect(outcome, FAILED, "error topic.cleanup_policy", "cleanup.policy=delete");
    doctor_fixture_expect(outcome, FAILED, "error topic.retention", "60000 ms, dedupe.window_ms");
    doctor_fixture_expect(outcome, FAILED, "error topic.max_message_bytes", "1000000");
    doctor_fixture_expect(outcome, FAILED, "warn  topic.timestamp_type", "LogAppendTime");
    doctor_fixture_expect(outcome, FAILED, "error topic.exists",
                          text_of_format("%s4:", TOPIC_RETRY_PREFIX));
    doctor_fixture_expect(outcome, FAILED, "warn  kafka.max_poll_interval", "50000 ms");
}

Test(doctor_real, a_retry_topic_with_too_few_partitions_is_an_error)
{
    kafka_broker_create_topic(doctor_fixture_broker(), TOPIC_RETRY_1, 2);
    kafka_broker_create_stamped_topic(doctor_fixture_broker(), TOPIC_OPS, 3);
    const struct command_outcome outcome = DOCTOR("--set", "retry.max_retries=1");
    doctor_fixture_expect(outcome, FAILED, "error topic.partitions", "--partitions 3");
}

Test(doctor_real, what_redis_must_not_be_is_named)
{
    make_topics();
    struct redis_server *const redis = doctor_fixture_redis();
    REDIS_RUN(redis, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    REDIS_RUN(redis, "CONFIG", "SET", "appendonly", "no", "save", "");
    struct command_outcome outcome = DOCTOR(NULL);
    doctor_fixture_expect(outcome, FAILED, "error redis.memory", "allkeys-lru");
    doctor_fixture_expect(outcome, FAILED, "error redis.persistence", "a restart loses");

    REDIS_RUN(redis, "CONFIG", "SET", "maxmemory-policy", "noeviction");
    REDIS_RUN(redis, "CONFIG", "SET", "appendonly", "yes");
    REDIS_RUN(redis, "REPLICAOF", "127.0.0.1", "1");
    outcome = DOCTOR(NULL);
    doctor_fixture_expect(outcome, FAILED, "error redis.role", "a replica");
    REDIS_RUN(redis, "REPLICAOF", "NO", "ONE");
}

Test(doctor_real, a_right_that_redis_does_not_grant_is_named)
{
    make_topics();
    REDIS_RUN(doctor_fixture_redis(), "ACL", "SETUSER", "poor", "on", ">secret", "~*", "+@all",
              "-config", "-rename");
    const struct command_outcome outcome =
        DOCTOR("--set", "redis.username=poor", "--set", doctor_fixture_password("secret"));
    doctor_fixture_expect(outcome, FAILED, "error redis.self_test", "deploy/README.md");
    doctor_fixture_expect(outcome, FAILED, "ok    redis.persistence", "appendfsync not told");
    cr_assert_null(strstr(outcome.out, "secret"));
}

Test(doctor_real, what_cannot_be_reached_ends_with_a_code_of_its_own)
{
    make_topics();
    struct command_outcome outcome =
        DOCTOR("--timeout", "3000", "--set", "redis.url=redis://127.0.0.1:1");
    doctor_fixture_expect(outcome, UNAVAILABLE, "error redis.reached", "127.0.0.1:1");
    doctor_fixture_expect(outcome, UNAVAILABLE, "ok    kafka.group", "");

    outcome = DOCTOR("--timeout", "3000", "--set", "kafka.bootstrap.servers=127.0.0.1:1");
    doctor_fixture_expect(outcome, UNAVAILABLE, "error kafka.reached", "127.0.0.1:1");
    doctor_fixture_expect(outcome, UNAVAILABLE, "ok    redis.self_test", "");

    outcome = DOCTOR("--timeout", "3000", "--set", "redis.username=nobody", "--set",
                     doctor_fixture_password("wrong"));
    doctor_fixture_expect(outcome, UNAVAILABLE, "error redis.reached", "correct redis.username");
}
