/* What is well and what is wrong with a topic, as `scenesync topics` and `doctor` say it. */
#include "worker/topic_judge.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "worker/topic_plan.h"

enum { OPS = 0, RETRY = 1, RESULTS = 4, DEAD_LETTER = 5, TOPIC_COUNT = 6 };

static struct settings settings;
static struct topic_rules rules;
static struct findings findings;
static char *said;
static size_t said_bytes;

static void begin(void)
{
    cr_assert(settings_init(&settings));
    rules = (struct topic_rules){.settings = &settings,
                                 .message_bytes_max = 3145728,
                                 .ops_partition_count = 12,
                                 .broker_count = 3};
    findings = (struct findings){.out = open_memstream(&said, &said_bytes)};
    cr_assert_not_null(findings.out);
}

static void end(void)
{
    (void)fclose(findings.out);
    free(said);
    settings_deinit(&settings);
}

TestSuite(topic_judge, .init = begin, .fini = end);

/* A topic as the plan makes it, on three brokers. */
static struct topic_state healthy(void)
{
    struct topic_state state = {.partition_count = 12,
                                .replica_count = 3,
                                .cleanup_policy = "delete",
                                .timestamp_type = "LogAppendTime",
                                .retention_ms = 604800000,
                                .retention_bytes = -1,
                                .message_bytes_max = 3145728,
                                .insync_replicas_min = 2};
    return state;
}

static void set(char *out, const char *text)
{
    memcpy(out, text, strlen(text) + 1);
}

static void judge(size_t index, const struct topic_state *state, bool is_brief)
{
    struct topic_plan plan;
    topic_plan_make(&settings, index, rules.message_bytes_max, 3, &plan);
    rewind(findings.out);
    memset(findings.counts, 0, sizeof(findings.counts));
    topic_judge(&rules, &plan, state, is_brief, &findings);
    cr_assert_not(findings.failed);
}

Test(topic_judge, every_topic_as_planned_is_well)
{
    const struct topic_state state = healthy();
    cr_assert_eq(topic_plan_count(&settings), TOPIC_COUNT);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        judge(i, &state, false);
        cr_assert_geq(findings.counts[FINDING_OK], 6);
        cr_assert_eq(findings.counts[FINDING_WARN] + findings.counts[FINDING_ERROR], 0, "%s", said);
    }
    judge(OPS, &state, true);
    cr_assert_eq(findings.counts[FINDING_OK], 0, "brief: %s", said);
}

Test(topic_judge, the_plan_is_what_the_judge_asks_for)
{
    settings.dedupe_window_ms = 30 * UINT64_C(86400000);
    settings.limits.message_bytes_max = 8 << 20;
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        struct topic_plan plan;
        topic_plan_make(&settings, i, rules.message_bytes_max, 3, &plan);
        struct topic_state state = healthy();
        for (size_t k = 0; k < plan.config_count; k++) {
            const struct topic_config *const config = &plan.configs[k];
            if (strcmp(config->name, "retention.ms") == 0) {
                state.retention_ms = strtoll(config->value, NULL, 10);
            } else if (strcmp(config->name, "max.message.bytes") == 0) {
                state.message_bytes_max = strtoll(config->value, NULL, 10);
            }
        }
        judge(i, &state, false);
        cr_assert_eq(findings.counts[FINDING_WARN] + findings.counts[FINDING_ERROR], 0, "%s", said);
    }
}

/* One thing wrong at a time. */
#define EXPECT(index, level, words, ...)                                                           \
    do {                                                                                           \
        struct topic_state state = healthy();                                                      \
        __VA_ARGS__;                                                                               \
        judge((index), &state, true);                                                              \
        cr_assert_eq(findings.counts[FINDING_WARN] + findings.counts[FINDING_ERROR], 1, "%s",      \
                     said);                                                                        \
        cr_assert_eq(findings.counts[(level)], 1, "%s", said);                                     \
        cr_assert_not_null(strstr(said, (words)), "\"%s\" is not in: %s", (words), said);          \
        cr_assert_not_null(strstr(said, "; cure: "), "%s", said);                                  \
    } while (0)

Test(topic_judge, each_thing_that_is_wrong_is_named_with_its_cure)
{
    EXPECT(OPS, FINDING_ERROR, "--add-config cleanup.policy=delete",
           set(state.cleanup_policy, "compact,delete"));
    EXPECT(OPS, FINDING_WARN, "message.timestamp.type=LogAppendTime",
           set(state.timestamp_type, "CreateTime"));
    EXPECT(OPS, FINDING_ERROR, "dedupe.window_ms is 86400000", state.retention_ms = 86400000);
    EXPECT(RETRY, FINDING_ERROR, "longest retry delay is 400 ms", state.retention_ms = 400);
    EXPECT(OPS, FINDING_WARN, "retention.bytes", state.retention_bytes = 1 << 30);
    EXPECT(OPS, FINDING_ERROR, "limits.max_message_bytes allows 1048576",
           state.message_bytes_max = 1000000);
    EXPECT(RETRY, FINDING_WARN, "sends up to 3145728", state.message_bytes_max = 1048588);
    EXPECT(RESULTS, FINDING_ERROR, "limits.max_result_bytes", state.message_bytes_max = 921599);
    EXPECT(DEAD_LETTER, FINDING_WARN, "lose the message", state.message_bytes_max = 1048588);
    EXPECT(RETRY, FINDING_ERROR, "--partitions 12", state.partition_count = 11);
    EXPECT(RETRY, FINDING_WARN, "stay empty", state.partition_count = 13);
    EXPECT(OPS, FINDING_ERROR, "2 of 12 have no leader", state.leaderless_count = 2);
    EXPECT(OPS, FINDING_WARN, "not all in sync in 3 of 12", state.lagging_count = 3);
    EXPECT(OPS, FINDING_WARN, "min.insync.replicas=2", state.insync_replicas_min = 1);
    EXPECT(OPS, FINDING_WARN, "nobody can write", state.insync_replicas_min = 3);
    EXPECT(OPS, FINDING_ERROR, "nobody can write", state.insync_replicas_min = 4);
    EXPECT(OPS, FINDING_WARN, "broker's disk",
           (state.replica_count = 1, state.insync_replicas_min = 1));
    EXPECT(OPS, FINDING_WARN, "grant the user DESCRIBE_CONFIGS",
           (set(state.config_reason, "refused"),
            state.config_error = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED));
    EXPECT(OPS, FINDING_WARN, "cure: no broker has answered",
           (set(state.config_reason, "late"), state.config_error = RD_KAFKA_RESP_ERR__TIMED_OUT));
    EXPECT(OPS, FINDING_WARN, "cure: see the broker's log",
           (set(state.config_reason, "odd"), state.config_error = RD_KAFKA_RESP_ERR_UNKNOWN));
}

Test(topic_judge, what_is_no_fault_is_none)
{
    struct topic_state state = healthy();
    state.retention_ms = -1;
    judge(RETRY, &state, true);
    cr_assert_eq(findings.counts[FINDING_WARN] + findings.counts[FINDING_ERROR], 0, "%s", said);

    state = healthy();
    state.partition_count = 1;
    set(state.timestamp_type, "CreateTime");
    state.retention_ms = 60000;
    state.retention_bytes = 1 << 30;
    judge(RESULTS, &state, true);
    judge(DEAD_LETTER, &state, true);
    cr_assert_eq(findings.counts[FINDING_WARN] + findings.counts[FINDING_ERROR], 0, "%s", said);

    rules.broker_count = 1;
    state = healthy();
    state.replica_count = 1;
    state.insync_replicas_min = 1;
    judge(OPS, &state, true);
    cr_assert_eq(findings.counts[FINDING_WARN] + findings.counts[FINDING_ERROR], 0, "%s", said);
}

Test(topic_judge, json_has_the_same_and_outside_text_forges_no_line)
{
    const struct finding finding = {.level = FINDING_WARN, .check = "a.b", .subject = "x\ny"};
    findings_add(&findings, &finding, "\"found\"\n%d", 7);
    cr_assert_str_eq(said, "warn  a.b x\\ny: \"found\"\\n7\n");

    findings.is_json = true;
    rewind(findings.out);
    findings_add(&findings, &finding, "\"found\"\n%d", 7);
    cr_assert_str_eq(said, "{\"level\":\"warn\",\"check\":\"a.b\",\"subject\":\"x\\ny\",\"found\":"
                           "\"\\\"found\\\"\\n7\",\"cure\":null}\n");
}
