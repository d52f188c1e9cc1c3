/**
 * A simulated worker: what `scenesync worker` puts together, with the simulated Kafka and Redis, in
 * a simulated process.
 *
 * Lifetime: sim_worker_start() .. sim_worker_end(), once it has ended. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SIM_WORKER_H
#define SCENESYNC_TESTS_SIM_WORKER_H

#include "tests/sim/sim_kafka.h"
#include "tests/sim/sim_redis.h"
#include "worker/cycle.h"

struct sim_worker_options {
    unsigned number;
    struct sim_time *time;
    struct dice *dice;
    struct sim_kafka *kafka;
    struct sim_redis *redis;
    const struct settings *settings;
    struct log *log;
    int64_t wall_skew_ms;
};

struct sim_worker {
    struct sim_process process;
    struct sim_worker_options options;
    struct fault_hook faults;
    struct stats stats;
    struct progress progress;
    bool must_stop; /* SIGTERM */
    uint64_t drain_since_ms;
    enum cycle_outcome outcome; /* the last one */
};

/** Returns owned. */
struct sim_worker *sim_worker_start(const struct sim_worker_options *options);
bool sim_worker_has_ended(const struct sim_worker *worker);
/** It must have ended. */
void sim_worker_end(struct sim_worker *worker);

/** SIGTERM: it drains and ends by itself. */
void sim_worker_stop(struct sim_worker *worker);

#endif
