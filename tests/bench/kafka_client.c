#include "tests/bench/kafka_client.h"

#include <stdio.h>

enum { METADATA_TIMEOUT_MS = 30000, FULL_WAIT_MS = 20, PARTITIONS_MAX = 1000 };

struct property {
    const char *name, *value;
};

static bool set_all(rd_kafka_conf_t *conf, const struct property *properties, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char reason[256];
        if (rd_kafka_conf_set(conf, properties[i].name, properties[i].value, reason,
                              sizeof reason) != RD_KAFKA_CONF_OK) {
            (void)fprintf(stderr, "bench: %s: %s\n", properties[i].name, reason);
            return false;
        }
    }
    return true;
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    uint64_t *failed = opaque;
    /* The others mostly have the same cause, and there can be as many as records. */
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && ++*failed == 1) {
        (void)fprintf(stderr, "bench: not delivered: %s\n", rd_kafka_err2str(message->err));
    }
}

static rd_kafka_t *create(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char reason[256];
    rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof reason);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        (void)fprintf(stderr, "bench: no Kafka client: %s\n", reason);
    }
    return client;
}

rd_kafka_t *kafka_client_producer(const char *bootstrap, const char *linger_ms, uint64_t *failed)
{
    const struct property properties[] = {
        {"bootstrap.servers", bootstrap},
        {"partitioner", "murmur2_random"},
        {"enable.idempotence", "true"},
        {"linger.ms", linger_ms},
        {"batch.size", "1000000"},
        {"message.max.bytes", "3145728"},
        {"queue.buffering.max.kbytes", "262144"},
        {"socket.nagle.disable", "true"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set_all(conf, properties, sizeof properties / sizeof properties[0])) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, failed);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return create(RD_KAFKA_PRODUCER, conf);
}

static int partition_count_of(rd_kafka_t *client, const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    int count = 0;
    if (handle != NULL && rd_kafka_metadata(client, 0, handle, &metadata, METADATA_TIMEOUT_MS) ==
                              RD_KAFKA_RESP_ERR_NO_ERROR) {
        count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    if (handle != NULL) {
        rd_kafka_topic_destroy(handle);
    }
    return count;
}

/** RD_KAFKA_OFFSET_END would be looked up some time after this returns, and a result that came
 * before that would be missed. */
static bool assign_ends(rd_kafka_t *consumer, const char *topic)
{
    int count = partition_count_of(consumer, topic);
    if (count <= 0 || count > PARTITIONS_MAX) {
        (void)fprintf(stderr, "bench: topic %s: no partitions\n", topic);
        return false;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < count && error == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        int64_t begin = 0, end = 0;
        error =
            rd_kafka_query_watermark_offsets(consumer, topic, i, &begin, &end, METADATA_TIMEOUT_MS);
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = end;
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = rd_kafka_assign(consumer, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)fprintf(stderr, "bench: topic %s: %s\n", topic, rd_kafka_err2str(error));
    }
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_t *kafka_client_reader(const char *bootstrap, const char *topic)
{
    const struct property properties[] = {
        {"bootstrap.servers", bootstrap}, {"group.id", "bench-reader"},
        {"enable.auto.commit", "false"},  {"fetch.wait.max.ms", "20"},
        {"fetch.error.backoff.ms", "10"}, {"socket.nagle.disable", "true"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set_all(conf, properties, sizeof properties / sizeof properties[0])) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *consumer = create(RD_KAFKA_CONSUMER, conf);
    if (consumer == NULL) {
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(consumer);
    if (!assign_ends(consumer, topic)) {
        rd_kafka_destroy(consumer);
        return NULL;
    }
    return consumer;
}

bool kafka_client_send(rd_kafka_t *producer, const char *topic, struct span key, struct span value)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__QUEUE_FULL;
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        error = rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.size),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size), RD_KAFKA_V_END);
        (void)rd_kafka_poll(producer, error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? FULL_WAIT_MS : 0);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)fprintf(stderr, "bench: cannot produce: %s\n", rd_kafka_err2str(error));
    }
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}
