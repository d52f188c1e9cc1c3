#include "tests/support/kafka_lag.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

enum { CALL_TIMEOUT_MS = 5000 };

struct kafka_lag {
    rd_kafka_t *client;
    rd_kafka_topic_partition_list_t *partitions;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[256];
    cr_assert_eq(rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)), RD_KAFKA_CONF_OK,
                 "%s", reason);
}

struct kafka_lag *kafka_lag_create(const char *bootstrap, const char *group)
{
    struct kafka_lag *const lag = calloc(1, sizeof(*lag));
    cr_assert_not_null(lag);
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "group.id", group);
    set(conf, "log_level", "2");
    /* Brokers go away and come back in tests; the mock one may keep a dead connection open. */
    set(conf, "reconnect.backoff.max.ms", "200");
    set(conf, "socket.timeout.ms", "3000");
    char reason[256];
    lag->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    cr_assert_not_null(lag->client, "%s", reason);
    lag->partitions = rd_kafka_topic_partition_list_new(16);
    return lag;
}

void kafka_lag_destroy(struct kafka_lag *lag)
{
    rd_kafka_topic_partition_list_destroy(lag->partitions);
    rd_kafka_destroy(lag->client);
    free(lag);
}

void kafka_lag_add_topic(struct kafka_lag *lag, const char *topic, int partition_count)
{
    rd_kafka_topic_partition_list_add_range(lag->partitions, topic, 0, partition_count - 1);
}

/* The records of one partition that the group has not committed; KAFKA_LAG_UNKNOWN as below. */
static int64_t partition_lag(struct kafka_lag *lag, const rd_kafka_topic_partition_t *partition)
{
    int64_t low = 0;
    int64_t end = 0;
    if (rd_kafka_query_watermark_offsets(lag->client, partition->topic, partition->partition, &low,
                                         &end, CALL_TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_LAG_UNKNOWN;
    }
    return end - (partition->offset < 0 ? low : partition->offset);
}

int64_t kafka_lag_records(struct kafka_lag *lag)
{
    if (rd_kafka_committed(lag->client, lag->partitions, CALL_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_LAG_UNKNOWN;
    }
    int64_t records = 0;
    for (int i = 0; i < lag->partitions->cnt; i++) {
        const int64_t of_partition = partition_lag(lag, &lag->partitions->elems[i]);
        if (of_partition == KAFKA_LAG_UNKNOWN) {
            return KAFKA_LAG_UNKNOWN;
        }
        records += of_partition;
    }
    return records;
}

void kafka_lag_show(struct kafka_lag *lag, FILE *out)
{
    const rd_kafka_resp_err_t error =
        rd_kafka_committed(lag->client, lag->partitions, CALL_TIMEOUT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)fprintf(out, "committed offsets: %s\n", rd_kafka_err2str(error));
        return;
    }
    for (int i = 0; i < lag->partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *const partition = &lag->partitions->elems[i];
        (void)fprintf(out, "%s/%d: committed %lld, lag %lld\n", partition->topic,
                      (int)partition->partition, (long long)partition->offset,
                      (long long)partition_lag(lag, partition));
    }
}
