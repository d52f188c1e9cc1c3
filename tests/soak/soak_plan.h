/**
 * What the soak does to the workers, the store, the network and the broker, and in which order: the
 * seed decides alone.
 *
 * Faults come in lanes, one after the other in each and all lanes at once, so that a worker dies
 * while Redis is away, but Redis does not lose its file twice at a time. A lane deals its faults
 * like a shuffled deck: every one comes before any comes again. Faults that make the store lose
 * what it has are dealt a few times only, since each has the workers go over the whole log again.
 *
 * Lifetime: a plain value. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_PLAN_H
#define SCENESYNC_TESTS_SOAK_PLAN_H

#include "tests/support/dice.h"

enum soak_lane {
    SOAK_LANE_WORKERS,
    SOAK_LANE_STORE,
    SOAK_LANE_NETWORK,
    SOAK_LANE_BROKER,
    SOAK_LANE_COUNT
};

enum soak_fault {
    /* workers */
    SOAK_WORKER_KILL,    /* SIGKILL; started again at the end */
    SOAK_WORKER_POINT,   /* killed at a fault point of its own cycle */
    SOAK_WORKER_TERM,    /* SIGTERM; started again at the end */
    SOAK_WORKER_STOP,    /* SIGSTOP, shorter than its session */
    SOAK_WORKER_ZOMBIE,  /* SIGSTOP until others have long taken over */
    SOAK_WORKER_FENCED,  /* SIGSTOP; another takes its name, then it wakes */
    SOAK_WORKER_VISITOR, /* one more comes and goes */
    SOAK_WORKER_CLOCK,   /* its wall clock is an hour off */
    /* store */
    SOAK_STORE_KILL,     /* SIGKILL, restart from its whole file */
    SOAK_STORE_STOP,     /* SIGSTOP */
    SOAK_STORE_CLIENTS,  /* CLIENT KILL, ten times a second */
    SOAK_STORE_MEMORY,   /* OOM */
    SOAK_STORE_REPLICAS, /* NOREPLICAS */
    SOAK_STORE_DISK,     /* MISCONF */
    SOAK_STORE_RIGHT,    /* an ACL right is taken and given back */
    SOAK_STORE_BUSY,     /* somebody's script does not end */
    SOAK_STORE_SCRIPTS,  /* SCRIPT FLUSH */
    SOAK_STORE_CUT,      /* restart from a file without its tail */
    SOAK_STORE_PROMOTE,  /* a replica that lags takes over */
    SOAK_STORE_FLUSH,    /* FLUSHALL, connections stay */
    SOAK_STORE_EMPTY,    /* restart from nothing */
    /* network between workers and store */
    SOAK_NETWORK_DELAY,   /* 200 ms each way */
    SOAK_NETWORK_REPLIES, /* commands arrive, replies are lost */
    SOAK_NETWORK_CUT,     /* connections break, again and again */
    SOAK_NETWORK_SILENCE, /* connections stay open, nothing passes */
    SOAK_NETWORK_REFUSE,  /* nobody is let in */
    /* broker */
    SOAK_BROKER_KILL, /* SIGKILL, restart */
    SOAK_BROKER_TERM, /* an orderly shutdown, restart */
    SOAK_BROKER_STOP, /* SIGSTOP */
    SOAK_FAULT_COUNT
};

/** For logs and the table: "redis: file cut short". Static. */
const char *soak_fault_name(enum soak_fault fault);

/** Whether the store forgets something that it had acknowledged. */
bool soak_fault_loses_writes(enum soak_fault fault);

struct soak_step {
    enum soak_fault fault;
    int64_t gap_ms;      /* quiet time before it */
    int64_t duration_ms; /* from its begin to its end */
    uint64_t choice;     /* whatever else it has to decide: whom, how many bytes */
};

enum { SOAK_LANE_FAULTS_MAX = 16 };

struct soak_plan_lane {
    enum soak_lane lane;
    struct dice dice;
    enum soak_fault deck[SOAK_LANE_FAULTS_MAX];
    uint32_t left;                    /* in the deck */
    uint32_t dealt[SOAK_FAULT_COUNT]; /* so far */
    bool allowed[SOAK_FAULT_COUNT];
};

struct soak_plan {
    struct soak_plan_lane lanes[SOAK_LANE_COUNT];
};

/** `allowed` says of each fault whether it may come. */
struct soak_plan soak_plan_make(uint64_t seed, const bool allowed[SOAK_FAULT_COUNT]);

/** The lane's next fault; false where it has none. */
bool soak_plan_next(struct soak_plan *plan, enum soak_lane lane, struct soak_step *step);

#endif
