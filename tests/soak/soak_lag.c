#include "tests/soak/soak_lag.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/child_process.h"

enum { CALL_TIMEOUT_MS = 3000, PAUSE_MS = 250 };

struct soak_lag {
    rd_kafka_t *client;
    rd_kafka_topic_partition_list_t *partitions;
    pthread_t thread;
    pthread_mutex_t mutex; /* of `look` */
    struct soak_look look;
    atomic_bool must_end;
};

void soak_look_write_topic(int topic, char *text)
{
    if (topic == 0) {
        (void)snprintf(text, SOAK_TOPIC_BYTES, "%s", SOAK_TOPIC_OPS);
    } else {
        (void)snprintf(text, SOAK_TOPIC_BYTES, SOAK_TOPIC_RETRY_PREFIX "%d", topic);
    }
}

static bool look_at_ends(struct soak_lag *lag, struct soak_look *look)
{
    char name[SOAK_TOPIC_BYTES];
    for (int topic = 0; topic < SOAK_CONSUMED_TOPICS; topic++) {
        soak_look_write_topic(topic, name);
        for (int partition = 0; partition < SOAK_PARTITIONS; partition++) {
            int64_t low = 0;
            if (rd_kafka_query_watermark_offsets(lag->client, name, partition, &low,
                                                 &look->end[topic][partition],
                                                 CALL_TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
                return false;
            }
        }
    }
    return true;
}

static bool look_at_all(struct soak_lag *lag, struct soak_look *look)
{
    if (rd_kafka_committed(lag->client, lag->partitions, CALL_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    for (int i = 0; i < lag->partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *const partition = &lag->partitions->elems[i];
        if (partition->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return false;
        }
        look->committed[i / SOAK_PARTITIONS][i % SOAK_PARTITIONS] =
            partition->offset < 0 ? 0 : partition->offset;
    }
    return look_at_ends(lag, look);
}

static void *watch(void *argument)
{
    struct soak_lag *const lag = argument;
    while (!atomic_load(&lag->must_end)) {
        struct soak_look look = {0};
        if (look_at_all(lag, &look)) {
            (void)pthread_mutex_lock(&lag->mutex);
            look.number = lag->look.number + 1;
            lag->look = look;
            (void)pthread_mutex_unlock(&lag->mutex);
        }
        sleep_ms(PAUSE_MS);
    }
    return NULL;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[256];
    cr_assert_eq(rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)), RD_KAFKA_CONF_OK,
                 "%s", reason);
}

struct soak_lag *soak_lag_create(const char *bootstrap)
{
    struct soak_lag *const lag = calloc(1, sizeof(*lag));
    cr_assert_not_null(lag);
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "group.id", SOAK_GROUP); /* it never subscribes, so it is no member */
    set(conf, "reconnect.backoff.max.ms", "500");
    set(conf, "log_level", "2");
    char reason[256];
    lag->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    cr_assert_not_null(lag->client, "%s", reason);
    lag->partitions = rd_kafka_topic_partition_list_new(SOAK_CONSUMED_TOPICS * SOAK_PARTITIONS);
    char name[SOAK_TOPIC_BYTES];
    for (int topic = 0; topic < SOAK_CONSUMED_TOPICS; topic++) {
        soak_look_write_topic(topic, name);
        rd_kafka_topic_partition_list_add_range(lag->partitions, name, 0, SOAK_PARTITIONS - 1);
    }
    cr_assert_eq(pthread_mutex_init(&lag->mutex, NULL), 0);
    cr_assert_eq(pthread_create(&lag->thread, NULL, watch, lag), 0);
    return lag;
}

void soak_lag_destroy(struct soak_lag *lag)
{
    atomic_store(&lag->must_end, true);
    (void)pthread_join(lag->thread, NULL);
    (void)pthread_mutex_destroy(&lag->mutex);
    rd_kafka_topic_partition_list_destroy(lag->partitions);
    rd_kafka_destroy(lag->client);
    free(lag);
}

struct soak_look soak_lag_read(struct soak_lag *lag)
{
    (void)pthread_mutex_lock(&lag->mutex);
    const struct soak_look look = lag->look;
    (void)pthread_mutex_unlock(&lag->mutex);
    return look;
}

static int64_t sum(const int64_t offsets[SOAK_CONSUMED_TOPICS][SOAK_PARTITIONS])
{
    int64_t total = 0;
    for (int topic = 0; topic < SOAK_CONSUMED_TOPICS; topic++) {
        for (int partition = 0; partition < SOAK_PARTITIONS; partition++) {
            total += offsets[topic][partition];
        }
    }
    return total;
}

int64_t soak_look_records(const struct soak_look *look)
{
    return sum(look->end) - sum(look->committed);
}

int64_t soak_look_committed(const struct soak_look *look)
{
    return sum(look->committed);
}
