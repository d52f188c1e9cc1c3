/**
 * One seed's world: a Kafka, a Redis, some workers, clients that send batches, and what goes wrong
 * with all of them (sim_faults.c), until everything is mended, has come to rest and is looked at.
 *
 * Everything is drawn from the seed: the same seed and options are the same run, to the byte, with
 * any compiler. Lifetime: sim_world_run() is all of it. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SIM_WORLD_H
#define SCENESYNC_TESTS_SIM_WORLD_H

#include "tests/sim/sim_watch.h"
#include "tests/sim/sim_worker.h"
#include "tests/soak/soak_batches.h"

enum { SIM_WORKERS_MAX = 4 };

/** What may go wrong; each seed has some of it. */
enum sim_fault {
    SIM_FAULT_CRASH,         /* wherever it waits, or at a fault point */
    SIM_FAULT_RESTART,       /* SIGTERM */
    SIM_FAULT_STOP,          /* SIGSTOP for a while: a zombie afterwards */
    SIM_FAULT_KAFKA_CUT,     /* one worker is off Kafka */
    SIM_FAULT_KAFKA_DOWN,    /* all are */
    SIM_FAULT_REBALANCE,     /* without a reason */
    SIM_FAULT_OFFSET_COMMIT, /* requests or replies get lost */
    SIM_FAULT_SENDING,       /* refused for a while */
    SIM_FAULT_PRODUCER,      /* ends for good */
    SIM_FAULT_ASKING,        /* no answer in time */
    SIM_FAULT_REDIS_CUT,     /* one connection breaks */
    SIM_FAULT_REDIS_DOWN,    /* all do, for a while */
    SIM_FAULT_REDIS_HANG,
    SIM_FAULT_LOSS,  /* it forgets what it acknowledged */
    SIM_FAULT_CLOCK, /* a wall clock jumps */
    SIM_FAULT_COUNT
};

const char *sim_fault_name(enum sim_fault fault);

struct sim_plan {
    uint64_t seed;
    uint32_t batch_count; /* to be sent */
    bool without_faults;
    bool is_told; /* what happens is printed, and what the workers log */
};

/** Drawn from the seed. */
struct sim_character {
    uint32_t worker_count, scene_count;
    int32_t partition_count;
    uint32_t burst_max, burst_pause_ms;
    bool has_fault[SIM_FAULT_COUNT];
    uint32_t fault_pause_ms;
    bool small_dedupe;
};

/** What the event of a start is given. */
struct sim_start {
    struct sim_world *world;
    unsigned number;
};

struct sim_world {
    struct sim_plan plan;
    struct sim_character character;
    struct sim_time time;
    struct dice dice;
    struct settings settings;
    struct log *log;
    struct sim_watch *watch;
    struct sim_kafka *kafka;
    struct sim_redis *redis;
    struct sim_worker *workers[SIM_WORKERS_MAX]; /* NULL: not running */
    struct sim_start starts[SIM_WORKERS_MAX];
    int64_t wall_skew_ms[SIM_WORKERS_MAX];
    struct soak_batches *batches;
    uint64_t batches_sent, operations_sent;
    uint64_t faults[SIM_FAULT_COUNT];
    struct stats stats; /* of those workers that have ended */
    bool has_lost;      /* the store did */
    bool is_mended;
    uint64_t mended_ms, restless_ms; /* when it was mended; when something was last open */
    bool is_over;
    uint64_t findings;
    FILE *out;
};

struct sim_outcome {
    bool is_good;
    uint64_t operations, records, virtual_ms, digest;
    uint64_t faults[SIM_FAULT_COUNT];
    struct stats stats; /* of all workers, those that died too */
};

/** Runs the seed. Findings go to `out`. */
struct sim_outcome sim_world_run(const struct sim_plan *plan, FILE *out);

/** Adds up what workers counted. */
void sim_stats_add(struct stats *sum, const struct stats *stats);

/* --- sim_faults.c --- */

/** Begins to break things, until the world is mended. */
void sim_faults_start(struct sim_world *world);

/* --- sim_world.c, for the faults --- */

/** Starts the worker of this number at `at_ms`; nothing happens where it runs then. */
void sim_world_start_worker(struct sim_world *world, unsigned number, uint64_t at_ms);

/** A line, where the run is told. */
void sim_world_tell(const struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
