#include "worker/doctor.h"

#include <inttypes.h>

/* ---- Topics ---- */

/** Returns false. */
static bool report_unreached(const struct doctor *doctor, struct command_kafka *kafka,
                             const char *what, rd_kafka_resp_err_t error)
{
    const char *reason = command_kafka_reason(kafka, error);
    doctor_say(doctor, FINDING_ERROR, "kafka.reached",
               command_kafka_cure(kafka, "check kafka.bootstrap.servers, kafka.security.protocol "
                                         "and the brokers"),
               "%s: %s", what, reason);
    return false;
}

static bool read_topics(const struct doctor *doctor, struct command_kafka *kafka,
                        struct topic_rules *rules, struct doctor_topics *topics)
{
    topics->count = topic_plan_count(doctor->settings);
    for (size_t i = 0; i < topics->count; i++) {
        struct topic_state *state = &topics->states[i];
        topic_plan_make(doctor->settings, i, rules->message_bytes_max, rules->broker_count,
                        &topics->plans[i]);
        topics->names[i] = topics->plans[i].name;
        rd_kafka_resp_err_t error =
            topic_admin_read(kafka->client, topics->names[i], doctor->timeout_ms, state);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            char what[FINDING_TEXT_BYTES];
            (void)snprintf(what, sizeof what, "no answer about topic %s", topics->names[i]);
            return report_unreached(doctor, kafka, what, error);
        }
    }
    topic_admin_read_configs(kafka->client, topics->names, topics->count, doctor->timeout_ms,
                             topics->states);
    if (topics->states[0].error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rules->ops_partition_count = topics->states[0].partition_count;
    }
    return true;
}

static void report_absent(const struct doctor *doctor, const char *topic, rd_kafka_resp_err_t error)
{
    struct finding finding = {.level = FINDING_ERROR,
                              .check = "topic.exists",
                              .subject = topic,
                              .cure = "scenesync topics creates it; or correct topics.* in the "
                                      "settings"};
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        finding.cure = "grant the user the rights that deploy/README.md lists";
    } else if (error != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        finding.cure = "wait a moment, then look at the brokers' logs";
    }
    findings_add(doctor->findings, &finding, "%s", rd_kafka_err2str(error));
}

/** One line where all is well, else one for each thing that is not. */
static void report_present(const struct doctor *doctor, const struct topic_rules *rules,
                           const struct topic_plan *plan, const struct topic_state *state)
{
    const size_t *counts = doctor->findings->counts;
    size_t before = counts[FINDING_WARN] + counts[FINDING_ERROR];
    topic_judge(rules, plan, state, true, doctor->findings);
    if (counts[FINDING_WARN] + counts[FINDING_ERROR] == before) {
        const struct finding finding = {.check = "topic", .subject = plan->name};
        findings_add(doctor->findings, &finding,
                     "partitions %" PRId32 ", replicas %" PRId32 ", cleanup.policy %s, "
                     "retention.ms %" PRId64 ", max.message.bytes %" PRId64
                     ", message.timestamp.type %s",
                     state->partition_count, state->replica_count, state->cleanup_policy,
                     state->retention_ms, state->message_bytes_max, state->timestamp_type);
    }
}

bool doctor_check_topics(const struct doctor *doctor, struct command_kafka *kafka,
                         struct doctor_topics *topics)
{
    struct topic_rules rules = {
        .settings = doctor->settings,
        .message_bytes_max = topic_admin_message_bytes_max(doctor->settings),
    };
    rd_kafka_resp_err_t error =
        topic_admin_count_brokers(kafka->client, doctor->timeout_ms, &rules.broker_count);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return report_unreached(doctor, kafka, kafka->servers, error);
    }
    doctor_say(doctor, FINDING_OK, "kafka.reached", NULL, "%s, librdkafka %s", kafka->servers,
               rd_kafka_version_str());
    bool is_single = rules.broker_count == 1;
    doctor_say(doctor, is_single ? FINDING_WARN : FINDING_OK, "kafka.brokers",
               is_single ? "three or more, with three replicas of each topic" : NULL, "%d%s",
               rules.broker_count, is_single ? ": its disk has the only copy" : "");
    if (!read_topics(doctor, kafka, &rules, topics)) {
        return false;
    }
    for (size_t i = 0; i < topics->count; i++) {
        if (topics->states[i].error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            report_absent(doctor, topics->names[i], topics->states[i].error);
        } else {
            report_present(doctor, &rules, &topics->plans[i], &topics->states[i]);
        }
    }
    return true;
}

/* ---- The group ---- */

static void report_group(const struct doctor *doctor, const char *name,
                         const struct rd_kafka_group_info *group)
{
    static const char check[] = "kafka.group";
    if (group == NULL || group->err == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND ||
        strcmp(group->state, "Dead") == 0) {
        doctor_say(doctor, FINDING_OK, check, NULL, "%s: nobody has been in it yet", name);
    } else if (group->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bool is_refused = group->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        doctor_say(doctor, FINDING_ERROR, check,
                   is_refused ? "grant the user READ on the group"
                              : "wait a moment, then look at the brokers' logs",
                   "%s: %s", name, rd_kafka_err2str(group->err));
    } else if (group->protocol_type[0] != '\0' && strcmp(group->protocol_type, "consumer") != 0) {
        doctor_say(doctor, FINDING_ERROR, check, "choose another kafka.group.id",
                   "%s: used by something else, of type %s", name, group->protocol_type);
    } else {
        doctor_say(doctor, FINDING_OK, check, NULL, "%s: %s, %d members", name, group->state,
                   group->member_cnt);
    }
}

void doctor_check_group(const struct doctor *doctor, rd_kafka_t *client)
{
    const char *name = settings_kafka_property(doctor->settings, "group.id");
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t error = rd_kafka_list_groups(client, name, &list, doctor->timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__PARTIAL) {
        doctor_say(doctor, FINDING_WARN, "kafka.group",
                   "look with kafka-consumer-groups.sh --describe", "%s: not told: %s", name,
                   rd_kafka_err2str(error));
        return;
    }
    report_group(doctor, name, list->group_cnt > 0 ? &list->groups[0] : NULL);
    rd_kafka_group_list_destroy(list);
}
