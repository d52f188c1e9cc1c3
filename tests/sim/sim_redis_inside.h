/**
 * The parts of the simulated Redis to one another: the server (sim_redis.c), the connections to it
 * (sim_connection.c), and those as a worker's store (sim_redis_store.c). Nobody else includes this.
 *
 * A connection outlives its destruction until what is on its way has arrived. Threading: one
 * thread.
 */
#ifndef SCENESYNC_TESTS_SIM_REDIS_INSIDE_H
#define SCENESYNC_TESTS_SIM_REDIS_INSIDE_H

#include "tests/sim/sim_redis.h"
#include "tests/sim/sim_request.h"

struct sim_connection {
    struct store base; /* first: a struct store is this */
    struct sim_redis *redis;
    struct sim_process *process;
    struct sim_connection *next;
    bool is_destroyed;
    /* What has happened to the network; the worker finds out in its next poll. */
    bool has_come_up, is_broken;
    bool is_connected; /* as the worker knows it */
    uint64_t epoch, history;
    uint64_t arrives_ms, visible_ms; /* of the latest request, and the latest reply */
    size_t travelling;               /* requests that have not arrived: they keep this */
    struct sim_requests asked;       /* not sent yet */
    struct sim_requests sent;        /* not arrived */
    struct sim_requests orphans;     /* the same, of connections given up: first of all */
    struct sim_requests answered;    /* not told yet */
    struct sim_requests unanswered;  /* arrived behind the break, or were the reason for it */
};

struct sim_redis {
    struct sim_time *time;
    struct dice *dice;
    struct sim_redis_options options;
    struct sim_redis_watch watch;
    struct store *memory;
    struct sim_connection *connections;
    uint64_t history, down_until_ms, hangs_until_ms;
};

/* --- sim_redis.c --- */

/** Now, and a while that the network takes. */
uint64_t sim_redis_soon_ms(struct sim_redis *redis);
/** It takes effect, and has what came of it. */
void sim_redis_run(struct sim_redis *redis, struct sim_request *request);

/* --- sim_connection.c --- */

/** It will come up, after a while and once the server is there. */
void sim_connection_plan(struct sim_connection *connection);
/** Sends what was asked. */
void sim_connection_send(struct sim_connection *connection);
/** It breaks: some of what was sent still arrives, from the first on, as with any stream. */
void sim_connection_break(struct sim_connection *connection);
/** What the network did comes to the worker's knowledge. True: something did. */
bool sim_connection_notice(struct sim_connection *connection);
/** The worker is told that nothing is known; what arrives later is nobody's. */
void sim_connection_give_up(struct sim_connection *connection);
/** Frees it once it was destroyed and nothing is on its way. */
void sim_connection_release(struct sim_connection *connection);

#endif
