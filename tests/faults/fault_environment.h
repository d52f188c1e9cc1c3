/**
 * The faults that a test asks its worker for, by the environment: `scenesync_faults` is the worker
 * with these compiled in.
 *
 *     TEST_FAULT=after_load:3:kill,after_commit:*:delay=200
 *     TEST_FAULT_CLOCK=<file that holds milliseconds, such as -3600000>
 *
 * A fault is a point (store/fault_point.h, in small letters), which of its passages (counted from 1
 * in this process; `*`: each one), and what happens there: `kill` and `stop` send this process
 * SIGKILL or SIGSTOP, `block` never returns, `delay=MS` sleeps. It is told on stderr before it
 * happens. The clock file shifts the worker's wall clock, never the monotonic one, and is read
 * whenever the time is: a test moves the clock by writing it. The names lack the worker's prefix
 * because it takes every variable of that prefix for a setting.
 *
 * Lifetime: the process's. Threading: faults are for the cycle's thread, the clock for any.
 * A wrong text ends the process with FAULT_ENVIRONMENT_EXIT and a line that says what is allowed.
 */
#ifndef SCENESYNC_TESTS_FAULTS_FAULT_ENVIRONMENT_H
#define SCENESYNC_TESTS_FAULTS_FAULT_ENVIRONMENT_H

#include "store/fault_point.h"
#include "worker/clock.h"

enum { FAULT_ENVIRONMENT_EXIT = 64 };

/** The hook that does what TEST_FAULT asks for; NULL where it is not set. */
const struct fault_hook *fault_environment(void);

/** `clock` with the wall time shifted by what TEST_FAULT_CLOCK says; as it is where that is
 * not set. */
struct clock fault_environment_clock(struct clock clock);

#endif
