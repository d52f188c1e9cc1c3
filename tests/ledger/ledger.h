/**
 * The ledger: demands, after a run, that what stands in Kafka and in Redis is what the operations
 * explain, nothing less and nothing more (protocol/README.md, delivery guarantees).
 *
 * It is fed plain bytes: every record of the ops, retry, results and dead-letter topics and every
 * field of every scene's keys. It shares no code with the worker: messages are read and operations
 * replayed by the plain model (tests/model). In which order attempts took effect is read off the
 * versions in the results; everything else is recomputed, but for what hangs on a clock:
 * `duration_ms`, `timestamp`, `next_attempt_at` are compared between copies only, and the arrival
 * of a batch on a topic that does not stamp its records is taken from the batch's record.
 *
 * Where the store lost writes, a batch may have several results that differ. The one that counts is
 * that of its record in Redis, or else the last one published.
 *
 * Runs stay below the limits beyond which the store forgets tombstones, and no other program writes
 * to their scenes: neither is explained by operations.
 *
 * Lifetime: ledger_create() .. ledger_destroy(); bytes are copied. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_LEDGER_LEDGER_H
#define SCENESYNC_TESTS_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/span.h"

enum ledger_topic { LEDGER_OPS, LEDGER_RETRY, LEDGER_RESULTS, LEDGER_DEAD };

struct ledger_header {
    const char *name;
    struct span value; /* absent: none */
};

struct ledger_record {
    enum ledger_topic topic;
    const char *topic_name; /* as batch_ids and sources name it */
    uint32_t tier;          /* LEDGER_RETRY: from 1 */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    bool log_append_time;
    struct span key, value; /* absent: none */
    const struct ledger_header *headers;
    size_t header_count;
};

/** One field of one of a scene's Redis keys. */
enum ledger_key {
    LEDGER_META,       /* scene:{sid}; field and value */
    LEDGER_ELEMENTS,   /* field: element id; value: the stored bytes */
    LEDGER_TOMBSTONES, /* field: element id; value: the score as text */
    LEDGER_BATCHES,    /* :batches and :batches.old; field and value */
    LEDGER_PENDING
};

/** The settings that what is checked depends on, and what the run did to it. */
struct ledger_config {
    uint32_t retries_max;
    const char *strategy; /* conflict.strategy; NULL: last_write_wins */
    bool allow_batch_strategy;
    bool lost_writes;      /* the store lost writes: repeated results may differ after a replay */
    bool records_are_kept; /* nothing was evicted: every batch's record must be there */
    /* Limits; 0: the worker's default. */
    uint64_t elements_max, element_bytes_max, message_bytes_max, operations_max, text_bytes_max;
    uint32_t depth_max;
};

struct ledger;

/** Returns owned. Out of memory aborts, here and below: this is a test's memory. */
struct ledger *ledger_create(const struct ledger_config *config);
/** NULL is allowed. */
void ledger_destroy(struct ledger *ledger);

/** A record, from any of the topics. In any order, each once. */
void ledger_add_record(struct ledger *ledger, const struct ledger_record *record);
/** One field of one of a scene's keys. */
void ledger_add_field(struct ledger *ledger, struct span session_id, enum ledger_key key,
                      struct span field, struct span value);
/** A Redis key under the prefix that belongs to no scene and that nothing explains. */
void ledger_add_stray_key(struct ledger *ledger, struct span key);

/** What was read, and what was found: findings are counted by kind. */
struct ledger_counts {
    uint64_t batches, operations, results, repeated_results, requeues, dead_letters, scenes,
        elements, tombstones, replayed_results;
    uint64_t lost_races; /* operations that report a race for their element, which is allowed */
    uint64_t lost;       /* accepted batches or operations without their effect or final result */
    uint64_t doubled;    /* effects that happened more than once */
    uint64_t differing;  /* anything else that is not as the model has it */
};

/**
 * Checks everything, once. Prints the findings (of each kind up to `findings_max`) on `out`, naming
 * batch, scene and element, what was expected and what was found. True: nothing is lost, doubled
 * or differing.
 */
bool ledger_check(struct ledger *ledger, FILE *out, size_t findings_max,
                  struct ledger_counts *counts);

/** The table of counts, as Markdown. */
void ledger_print(const struct ledger_counts *counts, FILE *out);

#endif
