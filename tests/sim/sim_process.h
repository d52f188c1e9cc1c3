/**
 * A simulated process: a worker's one thread, what it waits for, its clocks, and its death.
 *
 * Everything that may block comes to sim_process_wait(). A process that is killed is not thrown
 * away, which would lose its memory: it is dead, and run to its end once more. For the dead nothing
 * blocks, time passes by itself, the network is silent (the fakes ask is_dead), and must_abandon()
 * ends every wait; so its memory is given back and nobody notices.
 *
 * Lifetime: the simulation's. Threading: one thread; sim_process_current() is the process that
 * runs.
 */
#ifndef SCENESYNC_TESTS_SIM_PROCESS_H
#define SCENESYNC_TESTS_SIM_PROCESS_H

#include "tests/sim/sim_fiber.h"
#include "tests/sim/sim_time.h"
#include "tests/support/dice.h"
#include "worker/clock.h"

struct sim_kafka;

struct sim_process {
    unsigned number;
    struct sim_time *time;
    struct dice *dice;
    struct sim_kafka *kafka;
    struct sim_fiber *fiber;
    uint64_t wake_ms;          /* when it goes on at the latest */
    uint64_t stopped_until_ms; /* SIGSTOP, or a machine that hangs */
    uint64_t cut_until_ms;     /* off Kafka until then */
    bool is_dead;
    uint64_t dead_ms;  /* what passed for it since */
    uint64_t spent_us; /* of processor time, not yet waited for */
    int64_t wall_skew_ms;
    unsigned crash_in; /* places where it may crash (fault points) until it does; 0: does not */
    uint64_t death_waits;
    uint64_t empty_sleeps; /* in a row, for no time at all: it spins */
};

/** Wall time when the simulation begins. */
enum { SIM_START_S = 1750000000 };

struct sim_process *sim_process_current(void);

/** Goes on with it until it waits again or ends. */
void sim_process_resume(struct sim_process *process);

/** Whether it would go on now; when it will at the latest. */
bool sim_process_is_due(const struct sim_process *process);
uint64_t sim_process_due_ms(const struct sim_process *process);

/** The process that runs waits until `until_ms`, or until somebody wakes it: the caller looks again
 * what has become of what it waits for. Of the dead, `until_ms` comes at once. */
void sim_process_wait(struct sim_process *process, uint64_t until_ms);

/** To be called by whoever has something for it, which it can see from `at_ms` on. */
void sim_process_wake(struct sim_process *process, uint64_t at_ms);

/** What it does takes time: now and then it falls asleep for it. */
void sim_process_spend(struct sim_process *process, uint64_t us);

/** Kills it where it stands. */
void sim_process_kill(struct sim_process *process);

/** Its clocks. */
struct clock sim_process_clock(struct sim_process *process);
uint64_t sim_process_now_ms(const struct sim_process *process);

#endif
