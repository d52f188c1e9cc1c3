/**
 * A test's Kafka: one of two, behind the same calls.
 *
 * The mock: librdkafka's mock cluster, mostly of one broker, inside the test's process. It keeps
 * groups, offsets, headers and order like a broker, listens on a loopback port that other processes
 * reach too, and fails requests on demand. What it does not have: transactions, fencing, topic
 * administration, record time look-ups, LogAppendTime; and it drops records beyond 5 MiB or 100,000
 * batches per partition.
 *
 * The real one: Apache Kafka, either shared by all tests of a run (kafka_name.h) or a test's own
 * (kafka_process.h). What is done to a broker itself, only one that is the test's own bears.
 *
 * Lifetime: kafka_broker_start() .. kafka_broker_stop(). Threading: one thread. Every failure of
 * the helper itself, and a call that this kind of broker does not have, fails the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_KAFKA_BROKER_H
#define SCENESYNC_TESTS_SUPPORT_KAFKA_BROKER_H

#include <librdkafka/rdkafka.h>

#include "tests/support/kafka_name.h"
#include "worker/source.h"

struct kafka_broker;

/** The shared real one where there is one (kafka_shared_address()), otherwise a mock. Returns
 * owned. */
struct kafka_broker *kafka_broker_start(void);

/** A mock of several brokers, numbered from 1, whatever is shared. Which of them leads a partition
 * is for kafka_broker_set_leader() to say. Returns owned. */
struct kafka_broker *kafka_broker_start_cluster(int broker_count);

/** A real one of the test's own. Returns owned. */
struct kafka_broker *kafka_broker_start_private(void);

/** Topics made on a shared one are deleted. */
void kafka_broker_stop(struct kafka_broker *broker);

/** "host:port". Lives as long as the broker. */
const char *kafka_broker_bootstrap(const struct kafka_broker *broker);

/** Returns when it can be produced to. */
void kafka_broker_create_topic(struct kafka_broker *broker, const char *topic, int partition_count);

/** As a topic of operations is to be: a real broker stamps its records (LogAppendTime). */
void kafka_broker_create_stamped_topic(struct kafka_broker *broker, const char *topic,
                                       int partition_count);

/** Creates the (stamped) ops, retry (tiers 1 to `retry_count`), results and dead-letter topics. */
void kafka_broker_create_topics(struct kafka_broker *broker, const struct settings *settings,
                                uint32_t retry_count, int partition_count);

/** Produces one record and waits until it is acknowledged. Returns its offset. */
int64_t kafka_broker_produce(struct kafka_broker *broker, const char *topic, int32_t partition,
                             struct span key, struct span value,
                             const struct record_header *headers, size_t header_count);

/** The same for text without headers; `key` may be NULL. */
int64_t kafka_broker_produce_text(struct kafka_broker *broker, const char *topic, int32_t partition,
                                  const char *key, const char *value);

/** A record as it stands in the topic; key and value are owned. */
struct kafka_record {
    int32_t partition;
    int64_t offset;
    struct span key, value;      /* absent where the record has none */
    rd_kafka_headers_t *headers; /* NULL where it has none */
};

enum { KAFKA_READ_RECORDS_MAX = 20000 };

/** All records of a topic, by partition, then by offset. Returns owned, for kafka_records_free().
 */
struct kafka_record *kafka_broker_read(struct kafka_broker *broker, const char *topic,
                                       size_t *count);
void kafka_records_free(struct kafka_record *records, size_t count);

/** The value of a record's header `name`; absent where it has none. */
struct span kafka_record_header(const struct kafka_record *record, const char *name);

/** A group's committed offset, or -1001 (RD_KAFKA_OFFSET_INVALID) where it has none. */
int64_t kafka_broker_committed(struct kafka_broker *broker, const char *group, const char *topic,
                               int32_t partition);

/** A real one only: from now on the topic refuses larger batches of records. */
void kafka_broker_limit_topic(struct kafka_broker *broker, const char *topic, int batch_bytes_max);

/** A private one only: kafka_process.h says what these do. */
void kafka_broker_pause(struct kafka_broker *broker);
void kafka_broker_resume(struct kafka_broker *broker);
void kafka_broker_kill(struct kafka_broker *broker);
void kafka_broker_restart(struct kafka_broker *broker);
void kafka_broker_configure(struct kafka_broker *broker, const char *properties);

/** A mock only: cuts all connections and accepts none until it is up again. */
void kafka_broker_set_up(struct kafka_broker *broker, bool up);

/** A mock only: the same for one of its brokers. */
void kafka_broker_set_one_up(struct kafka_broker *broker, int32_t number, bool up);

/** A mock only: which broker leads a partition; -1: none. */
void kafka_broker_set_leader(struct kafka_broker *broker, const char *topic, int32_t partition,
                             int32_t number);

/** A mock only: which broker a consumer group belongs to. */
void kafka_broker_set_coordinator(struct kafka_broker *broker, const char *group, int32_t number);

/** A mock only: lets a topic be unknown to everybody, or known again; otherwise a producer's first
 * question creates it. */
void kafka_broker_hide_topic(struct kafka_broker *broker, const char *topic, bool hidden);

/** A mock only: the next `count` requests of `api_key` (0: produce, 8: offset commit) are answered
 * with `error`. */
void kafka_broker_fail_requests(struct kafka_broker *broker, int16_t api_key,
                                rd_kafka_resp_err_t error, size_t count);

#endif
