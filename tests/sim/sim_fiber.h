/**
 * A stack of its own for each simulated process, so that one that waits can be left where it is
 * and gone on with later, by the thread that runs them all.
 *
 * Lifetime: sim_fiber_create() .. sim_fiber_destroy(), which takes one that has ended only: what is
 * on a stack that is thrown away would never be freed. Threading: one thread. Cost: a switch is two
 * system calls (the signal mask); a stack is mapped as far as it is touched.
 */
#ifndef SCENESYNC_TESTS_SIM_FIBER_H
#define SCENESYNC_TESTS_SIM_FIBER_H

#include <stdbool.h>

struct sim_fiber;

/** Returns owned; it runs at the first sim_fiber_resume(). No memory aborts. */
struct sim_fiber *sim_fiber_create(void (*run)(void *context), void *context);
void sim_fiber_destroy(struct sim_fiber *fiber);

/** Runs it until it yields or ends. Must not be called from within a fiber. */
void sim_fiber_resume(struct sim_fiber *fiber);

/** Back to who resumed it. To be called by the fiber itself. */
void sim_fiber_yield(struct sim_fiber *fiber);

bool sim_fiber_has_ended(const struct sim_fiber *fiber);

#endif
