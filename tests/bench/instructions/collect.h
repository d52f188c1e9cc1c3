/**
 * What callgrind counts: nothing until collect_start(), then everything but what stands between
 * collect_pause() and collect_resume(), which is the stand-ins' own work.
 *
 * For `valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no`; outside of valgrind, and
 * where its header was not there at build time, nothing happens. Threading: one thread. Cost: a
 * handful of instructions.
 */
#ifndef SCENESYNC_TESTS_BENCH_INSTRUCTIONS_COLLECT_H
#define SCENESYNC_TESTS_BENCH_INSTRUCTIONS_COLLECT_H

#include <stdbool.h>

/** Whether valgrind's header was there: else callgrind counts nothing. */
bool collect_is_built_in(void);

void collect_start(void);
void collect_stop(void);

/** In pairs, not nested. */
void collect_pause(void);
void collect_resume(void);

#endif
