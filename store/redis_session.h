/**
 * The Redis store's one connection over its life: connecting, probing, working, waiting until Redis
 * can work again, losing it and connecting again. It moves requests and their replies and does not
 * care what they are.
 *
 *     CLOSED -> CONNECTING -> PROBING -> READY -> WAITING -> PROBING ...
 *
 * and back to CLOSED from anywhere. Lifetime: init .. deinit; borrows the options' strings.
 * Threading: one thread.
 */
#ifndef SCENESYNC_STORE_REDIS_SESSION_H
#define SCENESYNC_STORE_REDIS_SESSION_H

#include "store/backoff.h"
#include "store/redis_connection.h"
#include "store/redis_notices.h"
#include "store/redis_queue.h"

enum redis_session_state {
    REDIS_CLOSED,     /* connects at `wake_ms` */
    REDIS_CONNECTING, /* gives up connect_timeout_ms after `progress_ms` */
    REDIS_PROBING,    /* the probe's replies are awaited */
    REDIS_WAITING,    /* connected, but Redis cannot work: probes again at `wake_ms` */
    REDIS_READY
};

struct redis_session {
    struct redis_store_options options;
    struct redis_scripts scripts;
    struct redis_probe probe;
    struct redis_connection connection;
    struct redis_queue queue;    /* sent, in Redis's order */
    struct redis_queue finished; /* complete at the next poll, with the status they have */
    struct backoff backoff;
    /* Of the request that Redis refused last: the self test may not see why, so pauses go on
     * growing until one such is served. PROBE: none, the self test is enough. */
    enum redis_request_kind refused_kind;
    enum redis_session_state state;
    uint64_t epoch;
    uint64_t wake_ms;
    uint64_t progress_ms;   /* the last sign of life while replies are awaited */
    bool is_new_connection; /* since the last time it was ready */
    /* The script's SCRIPT LOAD is in the queue. */
    bool is_script_sent[REDIS_SCRIPT_COUNT];
    bool has_unsent_commit; /* a commit waits for the socket: the fault point COMMIT_SENT */
    size_t probe_replies;   /* awaited */
    size_t requests;        /* the callers', in flight */
    bool progressed;        /* in this poll something completed or the state changed */
    struct redis_notices notices;
};

void redis_session_init(struct redis_session *session, const struct redis_store_options *options);

/** For the connections to come; borrowed until the next call or the end. */
void redis_session_set_credentials(struct redis_session *session, const char *username,
                                   const char *password);

/** Requests in flight complete as STORE_UNKNOWN; the observer hears nothing. */
void redis_session_deinit(struct redis_session *session);

/** Sends a caller's request in the next poll; completes it there as STORE_UNKNOWN while the
 * session is not ready. */
void redis_session_submit(struct redis_session *session, struct redis_request *request);

/** Completes a request in the next poll as STORE_FAILED; its error is set. */
void redis_session_fail(struct redis_session *session, struct redis_request *request);

/** store_poll() (store.h). */
size_t redis_session_poll(struct redis_session *session, int timeout_ms);

#endif
