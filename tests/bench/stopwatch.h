/**
 * Seconds of a clock, to be subtracted: what a tool says about how long its own work took.
 *
 * Threading: any.
 */
#ifndef SCENESYNC_TESTS_BENCH_STOPWATCH_H
#define SCENESYNC_TESTS_BENCH_STOPWATCH_H

/** Since some time in the past that does not move. */
double stopwatch_seconds(void);

/** The processor time of this process, all threads. */
double stopwatch_cpu_seconds(void);

#endif
