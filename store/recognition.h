/**
 * Recognising deliveries: is a batch new, the same Kafka record again, a client's resend, a requeue
 * that was dealt with, or another batch under a used name? (store/README.md, "Positions and
 * records"; protocol.md section 8.)
 *
 * A pure function. Threading: stateless.
 */
#ifndef SCENESYNC_STORE_RECOGNITION_H
#define SCENESYNC_STORE_RECOGNITION_H

#include "store/record.h"
#include "store/store.h"

enum verdict {
    VERDICT_NEW,         /* apply it */
    VERDICT_REDELIVERED, /* applied by this very delivery: publish all of it again */
    VERDICT_RESENT,      /* applied under another delivery: publish the result again */
    VERDICT_STALE,       /* nothing to do: drop and count */
    VERDICT_REUSED       /* its identity belongs to other operations: batch_id_reused */
};

struct recognition_case {
    const struct batch *batch;
    struct source delivery; /* where this copy stands in Kafka */
    int64_t record_timestamp_ms;
    struct record_fingerprint fingerprint; /* of this copy's operations */
    const struct batch_record *record;     /* what is stored under its identity, or NULL */
    const struct store_position *position; /* of its topic and partition in the scene */
};

enum verdict recognise(const struct recognition_case *arrived);

/**
 * Whether a record stands at or below the last applied one of its partition, in offset and in time.
 * A lower offset with a later time is a topic that was made anew.
 */
bool recognition_is_behind(const struct store_position *position, int64_t offset,
                           int64_t timestamp_ms);

#endif
