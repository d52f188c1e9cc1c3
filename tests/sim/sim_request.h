/**
 * A request to the simulated Redis on its way: a copy of what the worker asked, so that it views
 * nothing of the worker's, and of what came of it, which is given back on completion.
 *
 * Lifetime: sim_request_make_...() .. sim_request_free(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SIM_REQUEST_H
#define SCENESYNC_TESTS_SIM_REQUEST_H

#include "store/store.h"

enum sim_request_kind { SIM_REQUEST_LOAD, SIM_REQUEST_COMMIT, SIM_REQUEST_WATERMARK };

struct sim_request {
    struct sim_request *next;
    enum sim_request_kind kind;
    struct arena arena;
    /* The worker's; NULL once it was told that nothing is known. */
    struct scene_load *asked_load;
    struct scene_commit *asked_commit;
    struct watermark_request *asked_watermark;
    /* the copies */
    struct scene_load load;
    struct scene_commit commit;
    struct watermark_request watermark;
    /* the connection's */
    bool is_lost;     /* it will not arrive */
    bool is_answered; /* it took effect */
    uint64_t sent_ms, visible_ms;
    uint64_t history; /* of the server, as the connection began: a watermark's write names it */
};

struct sim_request *sim_request_make_load(struct scene_load *load);
struct sim_request *sim_request_make_commit(struct scene_commit *commit);
struct sim_request *sim_request_make_watermark(struct watermark_request *watermark);
void sim_request_free(struct sim_request *request);

/** Completes what was asked with what came of it. */
void sim_request_complete(struct sim_request *request);

/** Completes it as unknown; what comes of it later is nobody's. */
void sim_request_abandon(struct sim_request *request);

/** Requests in their order; all zero: none. */
struct sim_requests {
    struct sim_request *first, *last;
};

void sim_requests_push(struct sim_requests *queue, struct sim_request *request);
/** Takes the first out, which there must be. */
struct sim_request *sim_requests_pop(struct sim_requests *queue);
/** Abandons all; frees them and empties the queue where `is_freed`. */
void sim_requests_abandon(struct sim_requests *queue, bool is_freed);

#endif
