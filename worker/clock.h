/**
 * Time, passed in: the monotonic clock for every wait, the wall clock for logs, results and the
 * arrival of records that carry no log-append time (protocol.md section 3). Tests bring their own.
 */
#ifndef SCENESYNC_WORKER_CLOCK_H
#define SCENESYNC_WORKER_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*monotonic_ms)(void *context);
    uint64_t (*wall_ms)(void *context); /* since the Unix epoch */
    void *context;
};

/** The machine's clocks. Thread-safe. */
struct clock clock_system(void);

static inline uint64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock->context);
}

static inline uint64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->context);
}

#endif
