/**
 * A scene as the log makes it: the production engine's scene in memory, and beside it what the
 * rebuild knows of its own limits, element by element.
 *
 * An element is judged only if its state is known from some point of the log on (in a scene whose
 * whole history is there: from the beginning) and if nothing that was done to it rests on a guess.
 * Lifetime: verify_model_init() .. verify_model_deinit(). Threading: one thread. Cost: the scene,
 * and the identity of each of its batches.
 */
#ifndef SCENESYNC_WORKER_VERIFY_MODEL_H
#define SCENESYNC_WORKER_VERIFY_MODEL_H

#include "store/scene.h"
#include "worker/verify_attempt.h"

enum verify_mark {
    VERIFY_GROUNDED = 1,  /* its state became known, in a scene whose beginning is not */
    VERIFY_UNCERTAIN = 2, /* something done to it is a guess */
    VERIFY_SEEN = 4       /* the comparison has dealt with it */
};

/** What is known of a batch under its identity: the rebuild's batch record. */
struct verify_identity {
    const struct verify_record *first; /* NULL until its first attempt was applied */
    uint32_t attempt;                  /* the latest that was applied; 0: none */
    struct source delivery;            /* of that attempt */
    struct record_fingerprint fingerprint;
    const uint32_t *pending; /* original indexes that wait for the next attempt */
    uint32_t pending_count;
    /* What the requeue that the attempt asked for says, as its result tells; else any will do. */
    bool knows_requeue;
    uint64_t not_before_ms, duration_ms;
    uint32_t synced_count;
};

/** A partition whose position in the store is behind what was answered. */
struct verify_lost {
    const struct verify_partition *partition;
    int64_t position, answered; /* offsets; position -1: the scene has none */
};

struct verify_model {
    struct scene *scene;
    struct arena arena;
    struct verify_index marks; /* element id to flags */
    struct verify_index identity_index;
    struct verify_identity **identities;
    size_t identity_capacity;
    bool is_complete;       /* the history is there from the beginning */
    bool is_version_known;  /* scene->version is what the store's was */
    bool has_version_gap;   /* attempts that the log does not show have raised the version */
    bool has_uncertain;     /* an element is marked so */
    bool has_guessed_order; /* attempts whose order no result tells */
    uint64_t attempt_count; /* applied */
    uint64_t tombstone_count;
    int64_t updated_at_ms;
    struct verify_lost *lost; /* in the arena */
    size_t lost_count;
};

/** An empty scene. False: out of memory. */
__attribute__((warn_unused_result)) bool verify_model_init(struct verify_model *model,
                                                           struct span session_id);
void verify_model_deinit(struct verify_model *model);

/** The element, noted as unknown where it is new; NULL when out of memory. */
struct element *verify_model_element(struct verify_model *model, struct span id);

/** Adds a mark to a noted element. False: out of memory. */
__attribute__((warn_unused_result)) bool
verify_model_mark(struct verify_model *model, const struct element *element, enum verify_mark mark);
bool verify_model_has_mark(const struct verify_model *model, struct span id, enum verify_mark mark);

/** The element's state is known from some point on: what is done to it can be rebuilt. */
bool verify_model_is_grounded(const struct verify_model *model, struct span id);

/** It is, and nothing of it is a guess: a difference is one. */
bool verify_model_is_judged(const struct verify_model *model, struct span id);

/** Whether versions can be compared: every change was seen, in an order that is known. */
bool verify_model_has_versions(const struct verify_model *model);

/** The identity of this name, made where it is new; NULL when out of memory. */
struct verify_identity *verify_model_identity(struct verify_model *model, struct span field);

/** What a worker that remembers every batch would make of the attempt. */
enum verdict verify_model_recognise(const struct verify_identity *identity,
                                    const struct verify_attempt *attempt);

/** A tombstone of the model may be gone from the store, by age or by number. */
bool verify_model_may_be_dropped(const struct verify_model *model, const struct element *element,
                                 const struct settings *settings);

/** After an attempt: counts tombstones, and nothing is waiting for a commit any more. */
void verify_model_settle(struct verify_model *model, int64_t record_time_ms);

#endif
