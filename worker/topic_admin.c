#include "worker/topic_admin.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "worker/kafka_conf.h"

enum { REASON_BYTES = 256 };

rd_kafka_conf_t *topic_admin_conf(const struct settings *settings, char *message,
                                  size_t message_bytes)
{
    rd_kafka_conf_t *conf =
        kafka_conf_create(settings, KAFKA_CLIENT_CONSUMER, message, message_bytes);
    if (conf != NULL && rd_kafka_conf_set(conf, "allow.auto.create.topics", "false", message,
                                          message_bytes) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

uint64_t topic_admin_message_bytes_max(const struct settings *settings)
{
    char text[64] = "";
    size_t size = sizeof text;
    rd_kafka_conf_t *conf = kafka_conf_create(settings, KAFKA_CLIENT_PRODUCER, text, sizeof text);
    assert(conf != NULL); /* options_parse() has tried them */
    rd_kafka_conf_res_t result = rd_kafka_conf_get(conf, "message.max.bytes", text, &size);
    assert(result == RD_KAFKA_CONF_OK);
    (void)result;
    rd_kafka_conf_destroy(conf);
    return strtoull(text, NULL, 10);
}

/* ---- Topics as they are ---- */

rd_kafka_resp_err_t topic_admin_count_brokers(rd_kafka_t *client, int timeout_ms, int *broker_count)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, NULL, &metadata, timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *broker_count = metadata->broker_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    return error;
}

static void take_partitions(const struct rd_kafka_metadata_topic *topic, struct topic_state *state)
{
    state->partition_count = topic->partition_cnt;
    for (int i = 0; i < topic->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *partition = &topic->partitions[i];
        if (i == 0 || partition->replica_cnt < state->replica_count) {
            state->replica_count = partition->replica_cnt;
        }
        state->leaderless_count += partition->leader < 0;
        state->lagging_count += partition->isr_cnt < partition->replica_cnt;
    }
}

rd_kafka_resp_err_t topic_admin_read(rd_kafka_t *client, const char *name, int timeout_ms,
                                     struct topic_state *state)
{
    static const char not_asked[] = "nobody has asked";
    *state = (struct topic_state){.error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                  .config_error = RD_KAFKA_RESP_ERR__STATE};
    memcpy(state->config_reason, not_asked, sizeof not_asked);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    if (topic == NULL) {
        return rd_kafka_last_error();
    }
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return error;
    }
    if (metadata->topic_cnt == 1) {
        state->error = metadata->topics[0].err;
        /* Just made: it has its name, and no partitions yet. */
        if (state->error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[0].partition_cnt == 0) {
            state->error = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        }
        take_partitions(&metadata->topics[0], state);
    }
    rd_kafka_metadata_destroy(metadata);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- Requests ---- */

/** A request's options, and the queue that its answer comes through. */
struct request {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    int timeout_ms;
};

static struct request begin(rd_kafka_t *client, rd_kafka_admin_op_t operation, int timeout_ms)
{
    char reason[REASON_BYTES];
    struct request request = {.options = rd_kafka_AdminOptions_new(client, operation),
                              .queue = rd_kafka_queue_new(client),
                              .timeout_ms = timeout_ms};
    (void)rd_kafka_AdminOptions_set_request_timeout(request.options, timeout_ms, reason,
                                                    sizeof reason);
    return request;
}

/** Returns the answer, owned, or NULL and what went wrong. */
static rd_kafka_event_t *await(const struct request *request, rd_kafka_resp_err_t *error,
                               char message[TOPIC_ADMIN_MESSAGE_BYTES])
{
    enum { GRACE_MS = 1000 }; /* librdkafka's own time-out is to be the first */
    rd_kafka_event_t *event = rd_kafka_queue_poll(request->queue, request->timeout_ms + GRACE_MS);
    *error = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    if (*error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return event;
    }
    (void)snprintf(message, TOPIC_ADMIN_MESSAGE_BYTES, "%s",
                   event == NULL ? "no answer" : rd_kafka_event_error_string(event));
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    return NULL;
}

static void end(struct request *request)
{
    rd_kafka_queue_destroy(request->queue);
    rd_kafka_AdminOptions_destroy(request->options);
}

/* ---- Entries ---- */

static void copy(char *out, size_t out_bytes, const char *text)
{
    (void)snprintf(out, out_bytes, "%s", text);
}

static void take_entry(const char *name, const char *value, struct topic_state *state)
{
    if (strcmp(name, "cleanup.policy") == 0) {
        copy(state->cleanup_policy, sizeof state->cleanup_policy, value);
    } else if (strcmp(name, "message.timestamp.type") == 0) {
        copy(state->timestamp_type, sizeof state->timestamp_type, value);
    } else if (strcmp(name, "retention.ms") == 0) {
        state->retention_ms = strtoll(value, NULL, 10);
    } else if (strcmp(name, "retention.bytes") == 0) {
        state->retention_bytes = strtoll(value, NULL, 10);
    } else if (strcmp(name, "max.message.bytes") == 0) {
        state->message_bytes_max = strtoll(value, NULL, 10);
    } else if (strcmp(name, "min.insync.replicas") == 0) {
        state->insync_replicas_min = strtoll(value, NULL, 10);
    }
}

static void take_resource(const rd_kafka_ConfigResource_t *resource, struct topic_state *state)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    state->config_error = rd_kafka_ConfigResource_error(resource);
    if (state->config_error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        copy(state->config_reason, sizeof state->config_reason,
             rd_kafka_err2str(state->config_error));
        return;
    }
    state->config_reason[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        take_entry(rd_kafka_ConfigEntry_name(entries[i]), value != NULL ? value : "", state);
    }
}

static struct topic_state *find_state(const char *const *topics, size_t count, const char *name,
                                      struct topic_state *states)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(topics[i], name) == 0) {
            return &states[i];
        }
    }
    return NULL;
}

static void take_resources(rd_kafka_event_t *event, const char *const *topics, size_t count,
                           struct topic_state *states)
{
    size_t resource_count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &resource_count);
    for (size_t i = 0; i < resource_count; i++) {
        struct topic_state *state =
            find_state(topics, count, rd_kafka_ConfigResource_name(resources[i]), states);
        if (state != NULL) {
            take_resource(resources[i], state);
        }
    }
}

void topic_admin_read_configs(rd_kafka_t *client, const char *const *topics, size_t count,
                              int timeout_ms, struct topic_state *states)
{
    rd_kafka_ConfigResource_t *asked[TOPIC_PLAN_COUNT_MAX];
    size_t asked_count = 0;
    assert(count <= TOPIC_PLAN_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (states[i].error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            asked[asked_count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i]);
        }
    }
    if (asked_count == 0) {
        return;
    }
    char message[TOPIC_ADMIN_MESSAGE_BYTES];
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    struct request request = begin(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(client, asked, asked_count, request.options, request.queue);
    rd_kafka_event_t *event = await(&request, &error, message);
    if (event != NULL) {
        take_resources(event, topics, count, states);
        rd_kafka_event_destroy(event);
    } else {
        for (size_t i = 0; i < count; i++) {
            states[i].config_error = error;
            copy(states[i].config_reason, sizeof states[i].config_reason, message);
        }
    }
    end(&request);
    rd_kafka_ConfigResource_destroy_array(asked, asked_count);
}

/* ---- A new topic ---- */

static rd_kafka_NewTopic_t *new_topic(const struct topic_plan *plan, int partition_count,
                                      int replica_count, char message[TOPIC_ADMIN_MESSAGE_BYTES])
{
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(plan->name, partition_count, replica_count,
                                                       message, TOPIC_ADMIN_MESSAGE_BYTES);
    for (size_t i = 0; topic != NULL && i < plan->config_count; i++) {
        rd_kafka_resp_err_t error =
            rd_kafka_NewTopic_set_config(topic, plan->configs[i].name, plan->configs[i].value);
        assert(error == RD_KAFKA_RESP_ERR_NO_ERROR); /* neither is empty */
        (void)error;
    }
    return topic;
}

static rd_kafka_resp_err_t take_created(rd_kafka_event_t *event,
                                        char message[TOPIC_ADMIN_MESSAGE_BYTES])
{
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    if (count != 1) {
        (void)snprintf(message, TOPIC_ADMIN_MESSAGE_BYTES, "the answer names %zu topics", count);
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *words = rd_kafka_topic_result_error_string(results[0]);
        (void)snprintf(message, TOPIC_ADMIN_MESSAGE_BYTES, "%s",
                       words != NULL ? words : rd_kafka_err2str(error));
    }
    return error;
}

rd_kafka_resp_err_t topic_admin_create(rd_kafka_t *client, const struct topic_plan *plan,
                                       int partition_count, int replica_count, bool is_trial,
                                       int timeout_ms, char message[TOPIC_ADMIN_MESSAGE_BYTES])
{
    rd_kafka_NewTopic_t *topic = new_topic(plan, partition_count, replica_count, message);
    if (topic == NULL) {
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    }
    char reason[REASON_BYTES];
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    struct request request = begin(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
    (void)rd_kafka_AdminOptions_set_operation_timeout(request.options, timeout_ms, reason,
                                                      sizeof reason);
    (void)rd_kafka_AdminOptions_set_validate_only(request.options, is_trial, reason, sizeof reason);
    rd_kafka_CreateTopics(client, &topic, 1, request.options, request.queue);
    rd_kafka_event_t *event = await(&request, &error, message);
    if (event != NULL) {
        error = take_created(event, message);
        rd_kafka_event_destroy(event);
    }
    end(&request);
    rd_kafka_NewTopic_destroy(topic);
    return error;
}
