/**
 * What stands in for Kafka around the worker's own cycle: topics in memory, behind worker/source.h
 * and worker/sink.h, which kafka.c implements. The linker takes none of the worker's sources and
 * sinks then (as tests/bench/instructions does it).
 *
 * All records of the ops topic and the retry topics are one log, given out in the order in which
 * they were produced; a retry waits until it is due. So the order of all records is the same
 * however they are cut into cycles, and whatever is delivered again comes before what is new.
 *
 * Lifetime: kafka_create() .. kafka_destroy(); records live as long. Threading: one thread. Out of
 * memory aborts.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_KAFKA_H
#define SCENESYNC_TESTS_PROPERTY_KAFKA_H

#include "tests/ledger/ledger.h"
#include "tests/model/pool.h"
#include "tests/support/dice.h"
#include "worker/sink.h"

enum { KAFKA_HEADERS_MAX = 12 };

struct kafka_record {
    struct ledger_record record; /* as the ledger takes it */
    struct ledger_header headers[KAFKA_HEADERS_MAX];
    uint64_t due_ms; /* retries: not before */
};

/** Where the process dies, counted in messages to Kafka and requests to the store. */
struct doom {
    uint64_t countdown; /* 0: it lives on */
    bool is_after;      /* what it dies with still takes effect */
    bool is_dead;
};

/** The process does one thing more. True: it dies there. */
bool doom_meets(struct doom *doom);

struct kafka_options {
    const struct settings *settings;
    const uint64_t *now_ms;
    bool is_stamped;   /* LogAppendTime */
    bool is_pipelined; /* gives records while others are under way */
    uint32_t cut_max;  /* records per poll: up to so many, at random; 0: all there are */
    uint64_t cut_seed;
    struct doom *doom;
};

struct kafka;

struct kafka *kafka_create(const struct kafka_options *options);
void kafka_destroy(struct kafka *kafka);

struct record_source *kafka_source(struct kafka *kafka);
struct sink *kafka_sink(struct kafka *kafka);

/** A record of the ops topic; bytes are copied. */
void kafka_produce(struct kafka *kafka, int32_t partition, int64_t timestamp_ms, struct span key,
                   struct span value);

/** The process died: another one is assigned all partitions, from the offsets that Kafka has. Of
 * those the latest `lost` of each partition never reached it. */
void kafka_restart(struct kafka *kafka, uint32_t lost);

/** A partition is assigned anew, `back` records before what was settled. */
void kafka_assign_again(struct kafka *kafka, uint32_t tier, int32_t partition, uint32_t back);

/** Whether a record can be given out now; whether one will be, once time has passed. */
bool kafka_has_records(struct kafka *kafka);
bool kafka_has_waiting(const struct kafka *kafka);

/** Records of the ops topic and the retry topics in their order, and what the worker published, in
 * its order. */
size_t kafka_log_count(const struct kafka *kafka);
const struct kafka_record *kafka_log_at(const struct kafka *kafka, size_t at);
size_t kafka_published_count(const struct kafka *kafka);
const struct kafka_record *kafka_published_at(const struct kafka *kafka, size_t at);

/** What was settled, in order: places in the log, records that came again more than once. */
size_t kafka_settled_count(const struct kafka *kafka);
size_t kafka_settled_at(const struct kafka *kafka, size_t at);

/** The header's value; absent where there is none. */
struct span kafka_header(const struct kafka_record *record, const char *name);

#endif
