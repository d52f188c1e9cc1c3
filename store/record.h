/**
 * The batch record: what the store remembers of a batch, written in the same step as its effect
 * (store/README.md). It is the dedupe (was this applied?) and the outbox (what was published?) in
 * one: a redelivery's result, requeue and dead letter are made from it and the batch at hand.
 *
 * As bytes: "<attempt> <topic>/<partition> <offset>\n" of the delivery that made this attempt, for
 * the commit script, then a MessagePack array [fingerprint, arrival, pending indexes, result].
 * Lifetime: decoded records view the bytes and the arena. Threading: stateless.
 */
#ifndef SCENESYNC_STORE_RECORD_H
#define SCENESYNC_STORE_RECORD_H

#include "protocol/batch.h"

enum { RECORD_FINGERPRINT_BYTES = 16, RECORD_FIELD_BYTES_MAX = 800 };

struct record_fingerprint {
    uint8_t bytes[RECORD_FINGERPRINT_BYTES];
};

struct batch_record {
    uint32_t attempt;                      /* the latest that was applied */
    struct source delivery;                /* the record in Kafka that attempt came from */
    struct record_fingerprint fingerprint; /* of the original batch, on retries too */
    uint64_t arrival_ms;                   /* of the original batch: what clamping goes by */
    const uint32_t *pending_indexes; /* original indexes requeued by that attempt, ascending */
    uint32_t pending_count;
    struct sync_result result; /* of that attempt; bodies marked, not there */
};

/** 128-bit XXH3 of the operations' bytes: equal bytes, equal batch. */
struct record_fingerprint record_fingerprint_of(struct span operations_raw);

/**
 * The record's field name: "<batch_id> <client_id>" (a batch_id has no space). With `by_source`
 * (dedupe.max_batches = 0) the source of the first delivery is part of it, so that a resend is
 * another batch. Returns an absent span when out of memory.
 */
__attribute__((warn_unused_result)) struct span record_field(const struct batch *batch,
                                                             const struct source *source,
                                                             bool by_source, struct arena *arena);

/** Appends the record's bytes; failure sticks in `out`. Bodies are marked, never included. Returns
 * where in `out` the result begins, which is the record's end: without entries it is the bytes that
 * are published, too. */
size_t record_encode(const struct batch_record *record, struct buffer *out);

/** Reads a record. Fails with ERROR_STORE_ERROR (somebody else's bytes) or OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool record_decode(struct span value, struct arena *arena,
                                                       struct batch_record *out,
                                                       struct error *error);

/**
 * Puts the bodies back into a decoded record's result, from the batch at hand: its operations, and
 * on a retry the settled failures that its section carries. The result is then byte-identical to
 * the one published first. A marked body that cannot be found becomes absent and sets `truncated`.
 */
void record_refill_bodies(struct sync_result *result, const struct batch *batch);

#endif
