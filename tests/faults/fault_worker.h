/**
 * Workers of a world that have the fault points compiled in (fault_environment.h).
 *
 * Lifetime: the world's. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_FAULTS_FAULT_WORKER_H
#define SCENESYNC_TESTS_FAULTS_FAULT_WORKER_H

#include "tests/support/world.h"

/** The path of `scenesync_faults`. */
const char *fault_worker_program(void);

/** Starts one with TEST_FAULT=`faults`; NULL: with none. */
struct worker_process *fault_worker_start(struct world *world, const char *faults);

/** Starts one whose wall clock is shifted by what fault_worker_shift_clock() said last. */
struct worker_process *fault_worker_start_shifted(struct world *world);
void fault_worker_shift_clock(struct world *world, int64_t shift_ms);

/** Waits until it tells that it stands at `fault`, e.g. "after_load 3 stop". */
void fault_worker_await(struct worker_process *worker, const char *fault);

/** Waits until it was killed by SIGKILL. */
void fault_worker_await_killed(struct worker_process *worker);

#endif
