/**
 * The parts of the Kafka in memory to one another: topics, records and assignments (kafka.c), and
 * what the worker sees of them (kafka_worker.c). Nobody else includes this.
 *
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_KAFKA_INSIDE_H
#define SCENESYNC_TESTS_PROPERTY_KAFKA_INSIDE_H

#include "protocol/buffer.h"
#include "tests/property/kafka.h"
#include "worker/source_claim.h"

enum { TOPIC_BYTES_MAX = 64 };

/* A partition of a topic that the worker consumes. */
struct partition {
    char topic[TOPIC_BYTES_MAX];
    uint32_t tier;
    int32_t number;
    size_t *places; /* in the log, by offset */
    int64_t count;
    int64_t next;      /* what is given out next */
    int64_t committed; /* -1: nothing */
};

struct kafka_list {
    struct kafka_record **items;
    size_t count;
};

struct sink {
    struct kafka *kafka;
    struct outgoing *first; /* in flight */
    bool is_stuck;          /* the process died: nothing is acknowledged any more */
};

struct record_source {
    struct kafka *kafka;
};

struct kafka {
    struct kafka_options options;
    struct pool pool;
    struct assignment assignment;
    bool needs_claims;
    struct partition *partitions;
    size_t partition_count;
    struct kafka_list log, published;
    size_t *settled;
    size_t settled_count;
    size_t open; /* given out and not settled */
    struct dice dice;
    struct buffer text;
    struct record_source source;
    struct sink sink;
};

/** NULL: the worker consumes no such topic. */
struct partition *kafka_find_partition(struct kafka *kafka, const char *topic, int32_t number);

/** A new record behind the others; bytes are copied. */
struct kafka_record *kafka_append(struct kafka *kafka, struct kafka_list *list, struct span key,
                                  struct span value);
void kafka_add_header(struct kafka *kafka, struct kafka_record *record, const char *name,
                      struct span value);

/** Puts the log's last record behind the others of its partition. */
void kafka_place(struct kafka *kafka, struct kafka_record *record, struct partition *partition,
                 int64_t timestamp_ms);

#endif
