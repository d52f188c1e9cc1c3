#include "worker/clock.h"

#include <time.h>

static uint64_t read_ms(clockid_t id)
{
    /* Cannot fail: both clocks exist on every POSIX system this is built for. */
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t system_monotonic_ms(void *context)
{
    (void)context;
    return read_ms(CLOCK_MONOTONIC);
}

static uint64_t system_wall_ms(void *context)
{
    (void)context;
    return read_ms(CLOCK_REALTIME);
}

struct clock clock_system(void)
{
    return (struct clock){.monotonic_ms = system_monotonic_ms, .wall_ms = system_wall_ms};
}
