/**
 * Time as the simulation has it: it stands still while anything is to be done, and then jumps to
 * where the next event is.
 *
 * Lifetime: sim_time_init() .. sim_time_deinit(). Threading: one thread. Cost: O(log n) per event.
 * Events of the same instant happen in the order in which they were made.
 */
#ifndef SCENESYNC_TESTS_SIM_TIME_H
#define SCENESYNC_TESTS_SIM_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of two times. */
static inline uint64_t sim_time_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t sim_time_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct sim_event {
    uint64_t at_ms, number;
    void (*happen)(void *context);
    void *context;
};

struct sim_time {
    uint64_t now_ms;
    struct sim_event *heap; /* the earliest first */
    size_t count, room;
    uint64_t made; /* events ever */
};

void sim_time_init(struct sim_time *time);

/** What has not happened does not; its contexts are their owners'. */
void sim_time_deinit(struct sim_time *time);

/** Has `happen` called at `at_ms`, or at once where that is past. */
void sim_time_plan(struct sim_time *time, uint64_t at_ms, void (*happen)(void *context),
                   void *context);

/** When the next event is; UINT64_MAX: there is none. */
uint64_t sim_time_next_ms(const struct sim_time *time);

/** Moves on to `at_ms`, and makes happen what is due by then. */
void sim_time_advance(struct sim_time *time, uint64_t at_ms);

#endif
