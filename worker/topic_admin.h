/**
 * What a Kafka administrator asks and does, for commands: topics as they are, topics made.
 *
 * Nothing here changes or removes a topic. Threading: one thread. Every call blocks for
 * `timeout_ms` at most. `message` gets one line, without a newline, where something fails.
 */
#ifndef SCENESYNC_WORKER_TOPIC_ADMIN_H
#define SCENESYNC_WORKER_TOPIC_ADMIN_H

#include <librdkafka/rdkafka.h>

#include "worker/topic_plan.h"

enum { TOPIC_ADMIN_MESSAGE_BYTES = 384 };

/** A topic as the brokers describe it. */
struct topic_state {
    rd_kafka_resp_err_t error; /* UNKNOWN_TOPIC_OR_PART: there is none; what follows is unset */
    int32_t partition_count;
    int32_t replica_count;    /* the least of all partitions */
    int32_t leaderless_count; /* partitions that nobody leads now */
    int32_t lagging_count;    /* partitions with replicas out of sync */
    /* Why the entries below are not known; empty where they are. The error is librdkafka's own,
     * below 0, where no broker has answered. */
    rd_kafka_resp_err_t config_error;
    char config_reason[TOPIC_ADMIN_MESSAGE_BYTES];
    char cleanup_policy[32], timestamp_type[24];
    int64_t retention_ms, retention_bytes; /* -1: unlimited */
    int64_t message_bytes_max, insync_replicas_min;
};

/** A client for these calls: it joins no group, and its questions create no topic. Returns owned,
 * or NULL with a message. `conf` is from kafka_conf_create() for a consumer, and taken. */
rd_kafka_conf_t *topic_admin_conf(const struct settings *settings, char *message,
                                  size_t message_bytes);

/** The largest message that the worker's producer sends, by the settings. */
uint64_t topic_admin_message_bytes_max(const struct settings *settings);

/** How many brokers answer to the cluster; waits for the first answer. */
__attribute__((warn_unused_result)) rd_kafka_resp_err_t
topic_admin_count_brokers(rd_kafka_t *client, int timeout_ms, int *broker_count);

/** Partitions and replicas of one topic, without its entries. */
__attribute__((warn_unused_result)) rd_kafka_resp_err_t
topic_admin_read(rd_kafka_t *client, const char *topic, int timeout_ms, struct topic_state *state);

/** The entries of `count` topics whose states were read, in one request; those that do not exist
 * are passed over. Each state says for itself what came of it. */
void topic_admin_read_configs(rd_kafka_t *client, const char *const *topics, size_t count,
                              int timeout_ms, struct topic_state *states);

/** Makes a topic, or only has the brokers check that they would. Returns
 * TOPIC_ALREADY_EXISTS where somebody else was quicker. */
__attribute__((warn_unused_result)) rd_kafka_resp_err_t
topic_admin_create(rd_kafka_t *client, const struct topic_plan *plan, int partition_count,
                   int replica_count, bool is_trial, int timeout_ms,
                   char message[TOPIC_ADMIN_MESSAGE_BYTES]);

#endif
