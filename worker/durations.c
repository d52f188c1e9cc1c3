#include "worker/durations.h"

const struct durations_bounds durations_bounds_process = {
    .count = 14,
    .upper_ms = {5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000},
};

const struct durations_bounds durations_bounds_commit = {
    .count = 12,
    .upper_ms = {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000},
};

const struct durations_bounds durations_bounds_age = {
    .count = 16,
    .upper_ms = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000,
                 3600000, 86400000},
};

void durations_note(struct durations *durations, const struct durations_bounds *bounds,
                    uint64_t duration_ms)
{
    size_t bucket = 0;
    while (bucket < bounds->count && duration_ms > bounds->upper_ms[bucket]) {
        bucket++;
    }
    durations->counts[bucket]++;
    durations->sum_ms += duration_ms;
}

uint64_t durations_count(const struct durations *durations, const struct durations_bounds *bounds)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= bounds->count; i++) {
        count += durations->counts[i];
    }
    return count;
}
