#include "worker/topic_judge.h"

#include <inttypes.h>
#include <stdarg.h>

/* What is being judged, passed about as one. */
struct judgement {
    const struct topic_rules *rules;
    const struct topic_plan *plan;
    const struct topic_state *state;
    bool is_brief;
    struct findings *findings;
};

static void conclude(const struct judgement *judgement, const char *check, const char *cure,
                     enum finding_level level, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void conclude(const struct judgement *judgement, const char *check, const char *cure,
                     enum finding_level level, const char *format, ...)
{
    if (level == FINDING_OK && judgement->is_brief) {
        return;
    }
    char found[FINDING_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(found, sizeof found, format, arguments);
    va_end(arguments);
    struct finding finding = {.level = level,
                              .check = check,
                              .subject = judgement->plan->name,
                              .cure = level == FINDING_OK ? NULL : cure};
    findings_add(judgement->findings, &finding, "%s", found);
}

/** The command that gives the topic's entry the planned value. */
static const char *alter(const struct judgement *judgement, const char *name,
                         char out[FINDING_TEXT_BYTES])
{
    const struct topic_plan *plan = judgement->plan;
    const char *value = "";
    for (size_t i = 0; i < plan->config_count; i++) {
        if (strcmp(plan->configs[i].name, name) == 0) {
            value = plan->configs[i].value;
        }
    }
    const char *servers = settings_kafka_property(judgement->rules->settings, "bootstrap.servers");
    (void)snprintf(out, FINDING_TEXT_BYTES,
                   "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics "
                   "--entity-name %s --add-config %s=%s",
                   servers, plan->name, name, value);
    return out;
}

static bool is_input(const struct judgement *judgement)
{
    enum topic_role role = judgement->plan->role;
    return role == TOPIC_ROLE_OPS || role == TOPIC_ROLE_RETRY;
}

/* ---- Partitions and replicas ---- */

static void judge_partitions(const struct judgement *judgement)
{
    static const char check[] = "topic.partitions";
    const struct topic_state *state = judgement->state;
    int32_t wanted = judgement->rules->ops_partition_count;
    char cure[FINDING_TEXT_BYTES];
    if (state->leaderless_count > 0) {
        conclude(judgement, check, "bring the brokers that have them back", FINDING_ERROR,
                 "%" PRId32 " of %" PRId32 " have no leader", state->leaderless_count,
                 state->partition_count);
        return;
    }
    bool is_retry = judgement->plan->role == TOPIC_ROLE_RETRY && wanted > 0;
    (void)snprintf(cure, sizeof cure,
                   "kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %" PRId32,
                   settings_kafka_property(judgement->rules->settings, "bootstrap.servers"),
                   judgement->plan->name, wanted);
    if (is_retry && state->partition_count < wanted) {
        conclude(judgement, check, cure, FINDING_ERROR,
                 "%" PRId32 ", the ops topic has %" PRId32 ": a retry keeps its batch's partition "
                 "number, and that of the others waits for ever",
                 state->partition_count, wanted);
    } else if (is_retry && state->partition_count > wanted) {
        conclude(judgement, check, "none is needed, or grow the ops topic to as many", FINDING_WARN,
                 "%" PRId32 ", the ops topic has %" PRId32 ": the others stay empty",
                 state->partition_count, wanted);
    } else {
        conclude(judgement, check, NULL, FINDING_OK, "%" PRId32, state->partition_count);
    }
}

static void judge_replicas(const struct judgement *judgement)
{
    static const char check[] = "topic.replicas";
    const struct topic_state *state = judgement->state;
    if (state->replica_count == 1 && judgement->rules->broker_count > 1) {
        conclude(judgement, check, "give it more with kafka-reassign-partitions.sh", FINDING_WARN,
                 "1: its records are lost with its broker's disk");
    } else if (state->lagging_count > 0) {
        conclude(judgement, check, "see to the brokers that are behind", FINDING_WARN,
                 "%" PRId32 ", not all in sync in %" PRId32 " of %" PRId32 " partitions",
                 state->replica_count, state->lagging_count, state->partition_count);
    } else {
        conclude(judgement, check, NULL, FINDING_OK, "%" PRId32, state->replica_count);
    }
}

static void judge_insync(const struct judgement *judgement)
{
    static const char check[] = "topic.min_insync_replicas";
    const struct topic_state *state = judgement->state;
    char cure[FINDING_TEXT_BYTES];
    if (state->insync_replicas_min > state->replica_count) {
        conclude(judgement, check,
                 "kafka-configs.sh --add-config min.insync.replicas=N, below its replicas",
                 FINDING_ERROR, "%" PRId64 ", it has %" PRId32 " replicas: nobody can write to it",
                 state->insync_replicas_min, state->replica_count);
    } else if (state->replica_count >= 3 && state->insync_replicas_min < 2) {
        conclude(judgement, check, alter(judgement, "min.insync.replicas", cure), FINDING_WARN,
                 "%" PRId64 ": what one broker alone has acknowledged is lost with it",
                 state->insync_replicas_min);
    } else if (state->replica_count > 1 && state->insync_replicas_min == state->replica_count) {
        conclude(judgement, check,
                 "kafka-configs.sh --add-config min.insync.replicas=N, below its replicas",
                 FINDING_WARN, "%" PRId64 " of %" PRId32 ": with one broker away nobody can write",
                 state->insync_replicas_min, state->replica_count);
    } else {
        conclude(judgement, check, NULL, FINDING_OK, "%" PRId64, state->insync_replicas_min);
    }
}

/* ---- Entries ---- */

static void judge_cleanup(const struct judgement *judgement)
{
    const char *policy = judgement->state->cleanup_policy;
    char cure[FINDING_TEXT_BYTES];
    bool is_compacted = strstr(policy, "compact") != NULL;
    conclude(judgement, "topic.cleanup_policy", alter(judgement, "cleanup.policy", cure),
             is_compacted ? FINDING_ERROR : FINDING_OK, "%s%s", policy,
             is_compacted ? ": records are keyed by session, so only each scene's last one is kept"
                          : "");
}

static void judge_timestamps(const struct judgement *judgement)
{
    const char *type = judgement->state->timestamp_type;
    char cure[FINDING_TEXT_BYTES];
    if (judgement->plan->role != TOPIC_ROLE_OPS) {
        return;
    }
    bool is_good = strcmp(type, "LogAppendTime") == 0;
    conclude(judgement, "topic.timestamp_type", alter(judgement, "message.timestamp.type", cure),
             is_good ? FINDING_OK : FINDING_WARN, "%s%s", type,
             is_good ? "" : ": a producer's wrong clock decides what is later than its arrival");
}

/** Retention by time, of what the workers read: held against the delays and the window. */
static void judge_retention(const struct judgement *judgement)
{
    static const char check[] = "topic.retention";
    const struct settings *settings = judgement->rules->settings;
    int64_t retention_ms = judgement->state->retention_ms;
    uint64_t delay_ms = topic_plan_delay_max_ms(settings);
    uint64_t window_ms = settings->dedupe_window_ms;
    char cure[FINDING_TEXT_BYTES];
    (void)alter(judgement, "retention.ms", cure);
    if (retention_ms < 0) {
        conclude(judgement, check, NULL, FINDING_OK, "unlimited");
    } else if (is_input(judgement) && (uint64_t)retention_ms <= delay_ms) {
        conclude(judgement, check, cure, FINDING_ERROR,
                 "%" PRId64 " ms, the longest retry delay is %" PRIu64
                 " ms: retries are dropped before they are due",
                 retention_ms, delay_ms);
    } else if (is_input(judgement) && (uint64_t)retention_ms <= window_ms) {
        conclude(judgement, check, cure, FINDING_ERROR,
                 "%" PRId64 " ms, dedupe.window_ms is %" PRIu64
                 ": what Redis loses cannot be replayed for as long as resends are recognised",
                 retention_ms, window_ms);
    } else {
        conclude(judgement, check, NULL, FINDING_OK, "%" PRId64 " ms", retention_ms);
    }
    if (is_input(judgement) && judgement->state->retention_bytes >= 0) {
        conclude(judgement, "topic.retention_bytes",
                 "kafka-configs.sh --delete-config "
                 "retention.bytes, where the disk allows it",
                 FINDING_WARN,
                 "%" PRId64 ": a partition drops records that nobody has read once it is larger",
                 judgement->state->retention_bytes);
    }
}

/** What becomes of messages that are too large for the topic. */
static const char *consequence_of_size(enum topic_role role)
{
    switch (role) {
    case TOPIC_ROLE_OPS:
        return "the broker, not the worker, refuses large batches, so nobody answers them";
    case TOPIC_ROLE_RETRY:
        return "a large batch that is to be retried stops its worker";
    case TOPIC_ROLE_RESULTS:
        return "large results are cut down";
    case TOPIC_ROLE_DEAD_LETTER:
        break;
    }
    return "large dead letters lose the message that they carry";
}

static void judge_size(const struct judgement *judgement)
{
    static const char check[] = "topic.max_message_bytes";
    const struct limits *limits = &judgement->rules->settings->limits;
    enum topic_role role = judgement->plan->role;
    int64_t bytes_max = judgement->state->message_bytes_max;
    uint64_t needed =
        role == TOPIC_ROLE_RESULTS ? limits->result_bytes_max : limits->message_bytes_max;
    char cure[FINDING_TEXT_BYTES];
    (void)alter(judgement, "max.message.bytes", cure);
    if (bytes_max >= 0 && (uint64_t)bytes_max < needed) {
        conclude(judgement, check, cure, FINDING_ERROR, "%" PRId64 ", %s allows %" PRIu64 ": %s",
                 bytes_max,
                 role == TOPIC_ROLE_RESULTS ? "limits.max_result_bytes"
                                            : "limits.max_message_bytes",
                 needed, consequence_of_size(role));
    } else if (bytes_max >= 0 && (uint64_t)bytes_max < judgement->rules->message_bytes_max) {
        conclude(judgement, check, cure, FINDING_WARN,
                 "%" PRId64 ", the worker's producer sends up to %" PRIu64 ": %s", bytes_max,
                 judgement->rules->message_bytes_max, consequence_of_size(role));
    } else {
        conclude(judgement, check, NULL, FINDING_OK, "%" PRId64, bytes_max);
    }
}

/** Entries that are not known: for want of a right, or because nobody answered the question. */
static void judge_unknown(const struct judgement *judgement)
{
    const struct topic_state *state = judgement->state;
    const char *cure = "see the broker's log, or look with kafka-configs.sh --describe";
    if (state->config_error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        state->config_error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
        cure = "grant the user DESCRIBE_CONFIGS on it, or look with kafka-configs.sh --describe";
    } else if (state->config_error < RD_KAFKA_RESP_ERR_UNKNOWN) {
        cure = "no broker has answered: see that they are well; `scenesync broker` does not "
               "support the question";
    }
    conclude(judgement, "topic.configuration", cure, FINDING_WARN, "cannot be read: %s",
             state->config_reason);
}

void topic_judge(const struct topic_rules *rules, const struct topic_plan *plan,
                 const struct topic_state *state, bool is_brief, struct findings *findings)
{
    struct judgement judgement = {
        .rules = rules, .plan = plan, .state = state, .is_brief = is_brief, .findings = findings};
    judge_partitions(&judgement);
    judge_replicas(&judgement);
    if (state->config_reason[0] != '\0') {
        judge_unknown(&judgement);
        return;
    }
    judge_cleanup(&judgement);
    judge_timestamps(&judgement);
    judge_retention(&judgement);
    judge_size(&judgement);
    judge_insync(&judgement);
}
