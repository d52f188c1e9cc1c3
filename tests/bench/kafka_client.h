/**
 * The Kafka clients of the benchmarks' own side, which is not what is measured: fast, in order, and
 * loud when something goes wrong.
 *
 * Lifetime: the caller destroys what is created (rd_kafka_destroy). Threading: librdkafka's.
 */
#ifndef SCENESYNC_TESTS_BENCH_KAFKA_CLIENT_H
#define SCENESYNC_TESTS_BENCH_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "protocol/span.h"

/** An idempotent producer whose batches wait up to `linger_ms` to be filled. What was not delivered
 * is counted in `*failed`, by rd_kafka_poll(), and the first cause goes to stderr. NULL, with a
 * line on stderr, if not. */
rd_kafka_t *kafka_client_producer(const char *bootstrap, const char *linger_ms, uint64_t *failed);

/** A consumer that reads what comes to a topic from now on, without a group: where each partition
 * ends has been asked before this returns. NULL, with a line on stderr, if not. */
rd_kafka_t *kafka_client_reader(const char *bootstrap, const char *topic);

/** Copies the message into the producer's queue; waits where that is full. False, with a line on
 * stderr, after another error. */
__attribute__((warn_unused_result)) bool kafka_client_send(rd_kafka_t *producer, const char *topic,
                                                           struct span key, struct span value);

#endif
