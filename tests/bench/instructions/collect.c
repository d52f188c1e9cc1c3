#include "tests/bench/instructions/collect.h"

#ifdef BENCH_HAS_CALLGRIND
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION (void)0
#define CALLGRIND_TOGGLE_COLLECT (void)0
#endif

/* Callgrind can only toggle: what is collected before the start must not depend on who paused. */
static bool is_started;

bool collect_is_built_in(void)
{
#ifdef BENCH_HAS_CALLGRIND
    return true;
#else
    return false;
#endif
}

void collect_start(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_TOGGLE_COLLECT;
    is_started = true;
}

void collect_stop(void)
{
    is_started = false;
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_STOP_INSTRUMENTATION;
}

void collect_pause(void)
{
    if (is_started) {
        CALLGRIND_TOGGLE_COLLECT;
    }
}

void collect_resume(void)
{
    if (is_started) {
        CALLGRIND_TOGGLE_COLLECT;
    }
}
