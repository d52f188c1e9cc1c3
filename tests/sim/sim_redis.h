/**
 * Redis as the simulation has it: one server, the memory store, behind a connection per worker
 * that is a `struct store` of its own (store/store.h).
 *
 * A request is copied when it is sent, as bytes on a wire would be, and takes effect when the copy
 * arrives: that may be after its worker gave the connection up, or died. Replies take their time
 * and come in order; both get lost with the connection. Faithful to the Redis store where
 * correctness depends on it: requests complete in store_poll() only, every connection is a new
 * epoch, a raise of the watermark finds that the server's history is not the one that its
 * connection began with.
 *
 * Lifetime: sim_redis_create() .. sim_redis_destroy(), after the connections. Threading: one
 * thread.
 */
#ifndef SCENESYNC_TESTS_SIM_REDIS_H
#define SCENESYNC_TESTS_SIM_REDIS_H

#include "store/store.h"
#include "tests/ledger/ledger.h"
#include "tests/sim/sim_process.h"

/** A commit took effect. */
struct sim_redis_watch {
    void *context;
    void (*committed)(void *context, const struct scene_commit *commit);
};

struct sim_redis_options {
    struct store_retention retention;
    uint32_t latency_ms_max, timeout_ms, backoff_ms_max;
    bool is_unchecked; /* a deliberate bug: commits land whatever the scene's state */
};

struct sim_redis;

struct sim_redis *sim_redis_create(struct sim_time *time, struct dice *dice,
                                   const struct sim_redis_options *options,
                                   const struct sim_redis_watch *watch);
void sim_redis_destroy(struct sim_redis *redis);

/** A connection for this process, not connected yet. Returns owned: store_destroy(). */
struct store *sim_redis_connect(struct sim_redis *redis, struct sim_process *process);

/** What the ledger wants to see. */
void sim_redis_tell(const struct sim_redis *redis, struct ledger *ledger);

/* --- Faults --- */

/** All connections break, none comes up before. */
void sim_redis_set_down(struct sim_redis *redis, uint64_t until_ms);
/** It answers nothing until then; what arrives meanwhile takes effect then. */
void sim_redis_hang(struct sim_redis *redis, uint64_t until_ms);
/** This process's connection breaks. */
void sim_redis_cut(struct sim_redis *redis, const struct sim_process *process);

enum sim_redis_loss {
    SIM_LOSS_RESTART,  /* it comes up again from an older file */
    SIM_LOSS_FAILOVER, /* a replica that lacks the tail takes over behind open connections */
    SIM_LOSS_EMPTIED   /* FLUSHALL */
};
/** Forgets its latest writes, so many of them. */
void sim_redis_lose(struct sim_redis *redis, enum sim_redis_loss loss, size_t writes);
void sim_redis_mend(struct sim_redis *redis);

#endif
