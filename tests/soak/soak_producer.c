#include "tests/soak/soak_producer.h"
#include "tests/support/unconst.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <time.h>

enum { BURST_MAX = 200 };

struct soak_producer {
    rd_kafka_t *client;
    struct soak_batches *batches;
    uint32_t batches_per_s;
    int64_t start_wall_ms; /* what the clients' clocks go by, so that a seed's clocks are alike */
    uint64_t made;
    struct soak_produced counts;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[256];
    cr_assert_eq(rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)), RD_KAFKA_CONF_OK,
                 "%s", reason);
}

static void count_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct soak_producer *const producer = opaque;
    (void)client;
    cr_assert_eq(message->err, RD_KAFKA_RESP_ERR_NO_ERROR, "a batch cannot be produced: %s",
                 rd_kafka_err2str(message->err));
    producer->counts.acknowledged++;
}

struct soak_producer *soak_producer_create(const struct soak_setup *setup, const char *bootstrap)
{
    struct soak_producer *const producer = calloc(1, sizeof(*producer));
    cr_assert_not_null(producer);
    const struct soak_batches_options options = {
        .seed = setup->seed, .scene_count = SOAK_SCENES, .partition_count = SOAK_PARTITIONS};
    producer->batches = soak_batches_create(&options);
    producer->batches_per_s = setup->batches_per_s;
    producer->start_wall_ms = (int64_t)time(NULL) * 1000;
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "acks", "all");
    set(conf, "linger.ms", "5");
    set(conf, "message.timeout.ms", "0");
    set(conf, "message.max.bytes", "3145728");
    set(conf, "partitioner", "murmur2_random");
    set(conf, "reconnect.backoff.max.ms", "500");
    set(conf, "log_level", "2");
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, count_delivery);
    char reason[256];
    producer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    cr_assert_not_null(producer->client, "%s", reason);
    return producer;
}

void soak_producer_destroy(struct soak_producer *producer)
{
    (void)rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(producer->client);
    soak_batches_destroy(producer->batches);
    free(producer);
}

static void send_batch(struct soak_producer *producer, const struct soak_batch *batch)
{
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    rd_kafka_headers_t *const headers = rd_kafka_headers_new(1);
    if (batch->has_header) {
        (void)rd_kafka_header_add(headers, "traceparent", -1, trace, -1);
    }
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        producer->client, RD_KAFKA_V_TOPIC(SOAK_TOPIC_OPS),
        RD_KAFKA_V_PARTITION(batch->partition == SOAK_PARTITION_OF_KEY ? RD_KAFKA_PARTITION_UA
                                                                       : batch->partition),
        RD_KAFKA_V_KEY(unconst(batch->key.data), batch->key.size),
        RD_KAFKA_V_VALUE(unconst(batch->value.data), batch->value.size),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "a batch cannot be produced: %s",
                 rd_kafka_err2str(error));
    producer->counts.batches[batch->kind]++;
    producer->counts.operations += batch->operation_count;
    producer->counts.bytes += batch->value.size;
}

void soak_producer_tend(struct soak_producer *producer, int64_t elapsed_ms)
{
    const uint64_t due = (uint64_t)elapsed_ms * producer->batches_per_s / 1000;
    for (int i = 0; i < BURST_MAX && producer->made < due; i++) {
        const int64_t made_ms = (int64_t)(producer->made * 1000 / producer->batches_per_s);
        const struct soak_batch batch =
            soak_batches_next(producer->batches, producer->start_wall_ms + made_ms);
        send_batch(producer, &batch);
        producer->made++;
    }
    (void)rd_kafka_poll(producer->client, 0);
}

bool soak_producer_flush(struct soak_producer *producer, int timeout_ms)
{
    return rd_kafka_flush(producer->client, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct soak_produced soak_producer_counts(const struct soak_producer *producer)
{
    return producer->counts;
}
