/**
 * One record from Kafka on its way through a cycle: decoded, recognised, applied, answered.
 *
 * Lifetime: the cycle's arena and the record. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_DELIVERY_H
#define SCENESYNC_WORKER_DELIVERY_H

#include "store/recognition.h"
#include "worker/source.h"

struct element;

struct delivery {
    const struct record *record;
    struct source source;   /* where the record stands */
    struct error refusal;   /* code ERROR_NONE: a batch that can be worked with */
    struct batch batch;     /* of a refused one what could be read */
    uint64_t arrival_ms;    /* of the batch's first delivery (protocol.md section 3) */
    int64_t record_time_ms; /* of this record */
    struct record_fingerprint fingerprint;
    struct span field;         /* its record's name in the store */
    struct span position_name; /* "<topic>/<partition>" */
    struct element **elements; /* of each operation, once they were looked for; or NULL */
    size_t known_index;        /* which of the scene's records it is about (scene_work.h) */
    enum verdict verdict;
    struct sync_result result;  /* NEW, REDELIVERED, RESENT */
    uint64_t result_arrival_ms; /* by which it was made: of a batch that is known, its record's */
    struct span
        result_bytes; /* the result, where its record has it as it is published; or absent */
    bool was_sent;    /* a commit with it went out before, and nothing was published yet */
    bool was_refused; /* a commit that passed by it went out: its name was used before */
    bool is_replay;   /* the store lost it, or what came before it (watermark.h) */
    struct span mark; /* what the watermark must say for its commit to take effect */
};

/**
 * Decodes a record. What is wrong with its bytes ends up in `refusal`. Fails only with
 * ERROR_OUT_OF_MEMORY: the arena's cap.
 */
__attribute__((warn_unused_result)) bool delivery_decode(const struct record *record,
                                                         const struct settings *settings,
                                                         struct arena *arena, struct delivery *out,
                                                         struct error *error);

/** Whether the record's key is the batch's session_id, as section 1 asks of producers. */
bool delivery_key_matches(const struct delivery *delivery);

#endif
