/**
 * One record of the log as the attempt at a batch that it was for a worker, with what the results
 * say became of it.
 *
 * Lifetime: the record and the arena. Threading: stateless. Cost: decoding a batch and a result.
 */
#ifndef SCENESYNC_WORKER_VERIFY_ATTEMPT_H
#define SCENESYNC_WORKER_VERIFY_ATTEMPT_H

#include "worker/delivery.h"
#include "worker/verify_log.h"

/** What a rebuild works with. */
struct verify_context {
    const struct settings *settings; /* the workers' */
    const struct verify_log *log;
    bool has_all_results;   /* the results topic is there from its beginning */
    struct arena *arena;    /* emptied for every attempt */
    struct buffer *scratch; /* cleared and used */
};

struct verify_attempt {
    struct delivery delivery;          /* with a refusal where the record is no batch */
    struct record record;              /* which `delivery` views */
    uint32_t number;                   /* 1, or what the retry section says */
    const struct verify_result *heard; /* NULL: nothing tells of this attempt */
    bool has_result;                   /* its result was published, and still is there */
    struct sync_result result;         /* then; bodies are marked */
    /* The arrival is worked out from the result's times or not known at all: a timestamp near to it
     * may have been clamped to another millisecond. */
    bool is_arrival_guessed;
    /* The result alone shows that it changed the scene: it applied something new that was no
     * interaction. */
    bool surely_changed;
};

/** Decodes into the context's arena; `out` must stay where it is. Fails with ERROR_OUT_OF_MEMORY
 * only. */
__attribute__((warn_unused_result)) bool verify_attempt_decode(const struct verify_record *record,
                                                               const struct verify_context *context,
                                                               struct verify_attempt *out,
                                                               struct error *error);

/** The result says that the batch was refused whole. */
bool verify_attempt_was_refused(const struct verify_attempt *attempt);

/** The entry about the operation with this original index, or NULL. */
const struct failure_entry *verify_attempt_failure(const struct verify_attempt *attempt,
                                                   uint32_t index);
const struct conflict_entry *verify_attempt_conflict(const struct verify_attempt *attempt,
                                                     uint32_t index);

#endif
