/**
 * Durations counted on a logarithmic scale: 64 buckets for every doubling, so that what is read
 * back is wrong by less than 1.6 %, from a microsecond to days.
 *
 * Lifetime: plain data, {0} is empty. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_BENCH_HISTOGRAM_H
#define SCENESYNC_TESTS_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_BUCKETS = 2560 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total, max_us;
};

void histogram_add(struct histogram *histogram, uint64_t value_us);

/** The largest duration that a bucket counts. */
uint64_t histogram_bucket_end_us(size_t bucket);

/** What a share (0 to 1) of the durations does not exceed; 0 where there are none. */
uint64_t histogram_quantile_us(const struct histogram *histogram, double share);

#endif
