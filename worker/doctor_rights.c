#include "worker/doctor.h"

#include <stdlib.h>

#include "worker/kafka_conf.h"

enum { MESSAGE_BYTES = 512, POLL_MS = 50 };

static const char rights_cure[] = "grant the rights that deploy/README.md lists";
static const char unanswered_cure[] = "see that the brokers are well, then ask again";
static const char other_answer_cure[] =
    "the broker answers otherwise than Apache Kafka, so its own tools must tell the rights; "
    "`scenesync broker` has none";

/** What is said of a right, by the error that a request came back with. */
static void report(const struct doctor *doctor, const char *right, const char *subject,
                   rd_kafka_resp_err_t error, rd_kafka_resp_err_t expected)
{
    struct finding finding = {.check = right, .subject = subject};
    switch ((int)error) { /* of a hundred codes, these */
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        finding.level = FINDING_ERROR;
        finding.cure = rights_cure;
        findings_add(doctor->findings, &finding, "%s", rd_kafka_err2str(error));
        return;
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        /* Only something that is no Kafka takes such a request. */
        finding.level = FINDING_WARN;
        finding.cure = "use Apache Kafka, or something that behaves like it";
        findings_add(doctor->findings, &finding, "the broker took a request that it must refuse");
        return;
    default:
        break;
    }
    if (error == expected) {
        findings_add(doctor->findings, &finding, "granted");
        return;
    }
    finding.level = FINDING_WARN;
    finding.cure = error < RD_KAFKA_RESP_ERR_UNKNOWN ? unanswered_cure : other_answer_cure;
    findings_add(doctor->findings, &finding, "cannot be told: %s", rd_kafka_err2name(error));
}

static bool exists(const struct doctor_topics *topics, size_t index)
{
    return topics->states[index].error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- READ: on the group, and on the topics that are read ---- */

/** Every topic's answer, or the same one for all. */
static void take_commit(const struct doctor *doctor, rd_kafka_event_t *event)
{
    static const char on_group[] = "kafka.read_group", on_topic[] = "kafka.read_topic";
    const char *group = settings_kafka_property(doctor->settings, "group.id");
    rd_kafka_resp_err_t error =
        event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    rd_kafka_topic_partition_list_t *list =
        event == NULL ? NULL : rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t of_topics = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    bool is_judged = list != NULL && list->cnt > 0 &&
                     (error == of_topics || error == RD_KAFKA_RESP_ERR_NO_ERROR ||
                      error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    report(doctor, on_group, group, is_judged ? of_topics : error, of_topics);
    for (int i = 0; is_judged && i < list->cnt; i++) {
        report(doctor, on_topic, list->elems[i].topic, list->elems[i].err, of_topics);
    }
}

/** A broker looks at the rights first, then at whether the partition exists, and stores nothing. */
static void check_reading(const struct doctor *doctor, rd_kafka_t *client,
                          const struct doctor_topics *topics)
{
    rd_kafka_topic_partition_list_t *offsets =
        rd_kafka_topic_partition_list_new((int)topics->count);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    for (size_t i = 0; i < topics->count; i++) {
        enum topic_role role = topics->plans[i].role;
        if ((role == TOPIC_ROLE_OPS || role == TOPIC_ROLE_RETRY) && exists(topics, i)) {
            rd_kafka_topic_partition_list_add(offsets, topics->names[i], INT32_MAX)->offset = 0;
        }
    }
    rd_kafka_event_t *event = NULL;
    if (offsets->cnt > 0 &&
        rd_kafka_commit_queue(client, offsets, queue, NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        event = rd_kafka_queue_poll(queue, doctor->timeout_ms);
    }
    if (offsets->cnt > 0) {
        take_commit(doctor, event);
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(offsets);
}

/* ---- WRITE ---- */

/** The answers, one per topic. */
struct writes {
    rd_kafka_resp_err_t answers[TOPIC_PLAN_COUNT_MAX];
    bool is_asked[TOPIC_PLAN_COUNT_MAX], is_answered[TOPIC_PLAN_COUNT_MAX];
    size_t waiting;
};

static void take_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct writes *writes = opaque;
    size_t index = (size_t)(uintptr_t)message->_private;
    if (index < TOPIC_PLAN_COUNT_MAX && !writes->is_answered[index]) {
        writes->answers[index] = message->err;
        writes->is_answered[index] = true;
        writes->waiting--;
    }
}

/** A producer that asks for an acknowledgement that there is none of. */
static rd_kafka_t *create_producer(const struct doctor *doctor, struct writes *writes)
{
    char message[MESSAGE_BYTES];
    char timeout[24];
    (void)snprintf(timeout, sizeof timeout, "%d", doctor->timeout_ms);
    const char *const entries[][2] = {{"enable.idempotence", "false"},
                                      {"acks", "2"},
                                      {"message.timeout.ms", timeout},
                                      {"log_level", "0"}};
    rd_kafka_conf_t *conf =
        kafka_conf_create(doctor->settings, KAFKA_CLIENT_PRODUCER, message, sizeof message);
    bool is_set = conf != NULL;
    for (size_t i = 0; is_set && i < sizeof entries / sizeof entries[0]; i++) {
        is_set = rd_kafka_conf_set(conf, entries[i][0], entries[i][1], message, sizeof message) ==
                 RD_KAFKA_CONF_OK;
    }
    if (!is_set) {
        if (conf != NULL) {
            rd_kafka_conf_destroy(conf);
        }
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, writes);
    rd_kafka_conf_set_dr_msg_cb(conf, take_report);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, sizeof message);
    if (producer == NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return producer;
}

static void ask(rd_kafka_t *producer, const struct doctor_topics *topics, size_t index,
                struct writes *writes)
{
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topics->names[index]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)index},
    };
    rd_kafka_error_t *failure =
        rd_kafka_produceva(producer, arguments, sizeof arguments / sizeof arguments[0]);
    rd_kafka_resp_err_t error =
        failure == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(failure);
    if (failure != NULL) {
        rd_kafka_error_destroy(failure);
    }
    writes->is_asked[index] = true;
    writes->is_answered[index] = error != RD_KAFKA_RESP_ERR_NO_ERROR;
    writes->answers[index] = error;
    writes->waiting += error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool is_written(const struct doctor_topics *topics, size_t index)
{
    return topics->plans[index].role != TOPIC_ROLE_OPS && exists(topics, index);
}

/** Whether a broker has said anything about the entries, a refusal included. */
static bool is_answered(const struct doctor_topics *topics, size_t index)
{
    return topics->states[index].config_error >= RD_KAFKA_RESP_ERR_NO_ERROR;
}

/** Kafka looks at the rights first, then refuses the acknowledgement, and stores nothing. The
 * development broker would store it; it is told by not answering about the topics' entries. */
static void check_writing(const struct doctor *doctor, const struct doctor_topics *topics)
{
    struct writes writes = {0};
    rd_kafka_t *producer = create_producer(doctor, &writes);
    for (size_t i = 0; producer != NULL && i < topics->count; i++) {
        if (is_written(topics, i) && is_answered(topics, i)) {
            ask(producer, topics, i, &writes);
        }
    }
    uint64_t deadline_ms = clock_monotonic_ms(doctor->clock) + (uint64_t)doctor->timeout_ms;
    while (writes.waiting > 0 && clock_monotonic_ms(doctor->clock) < deadline_ms) {
        (void)rd_kafka_poll(producer, POLL_MS);
    }
    for (size_t i = 0; i < topics->count; i++) {
        if (is_written(topics, i) && !writes.is_asked[i]) {
            const struct finding finding = {.level = FINDING_WARN,
                                            .check = "kafka.write_topic",
                                            .subject = topics->names[i],
                                            .cure = "see to topic.configuration first"};
            findings_add(doctor->findings, &finding,
                         "not tried: the broker did not answer about the topic's configuration");
        } else if (writes.is_asked[i]) {
            report(doctor, "kafka.write_topic", topics->names[i],
                   writes.is_answered[i] ? writes.answers[i] : RD_KAFKA_RESP_ERR__TIMED_OUT,
                   RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS);
        }
    }
    if (producer != NULL) {
        (void)rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(producer);
    }
}

void doctor_check_rights(const struct doctor *doctor, rd_kafka_t *client,
                         const struct doctor_topics *topics)
{
    check_reading(doctor, client, topics);
    check_writing(doctor, topics);
}
