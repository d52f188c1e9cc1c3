/**
 * How long things took, counted in buckets: a histogram whose bounds are fixed, as Prometheus wants
 * it.
 *
 * Threading: plain data, one thread; a copy is a snapshot. Cost: a note compares at most
 * DURATIONS_BOUNDS_MAX numbers.
 */
#ifndef SCENESYNC_WORKER_DURATIONS_H
#define SCENESYNC_WORKER_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

enum { DURATIONS_BOUNDS_MAX = 16 };

/** Upper bounds of the buckets, ascending, each belonging to its bucket; above the last there is
 * one more bucket. */
struct durations_bounds {
    size_t count;
    uint64_t upper_ms[DURATIONS_BOUNDS_MAX];
};

/** A batch from its receipt until it is settled: the bounds that OpenTelemetry's semantic
 * conventions name for messaging.process.duration. */
extern const struct durations_bounds durations_bounds_process;

/** A commit from when it was handed to the connection until its reply was taken. */
extern const struct durations_bounds durations_bounds_commit;

/** A record's age when its result was acknowledged: up to a day, for work done offline. */
extern const struct durations_bounds durations_bounds_age;

struct durations {
    uint64_t counts[DURATIONS_BOUNDS_MAX + 1]; /* per bucket, not cumulated */
    uint64_t sum_ms;
};

void durations_note(struct durations *durations, const struct durations_bounds *bounds,
                    uint64_t duration_ms);

/** How many were noted. */
uint64_t durations_count(const struct durations *durations, const struct durations_bounds *bounds);

#endif
