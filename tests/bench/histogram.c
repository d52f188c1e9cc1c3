#include "tests/bench/histogram.h"

enum { SUB_BUCKETS = 1 << HISTOGRAM_SUB_BITS };

/** Values below 2 * SUB_BUCKETS have a bucket each; then each doubling has SUB_BUCKETS of them. */
static size_t bucket_of(uint64_t value)
{
    size_t shift = 0;
    while (value >> shift >= 2 * SUB_BUCKETS) {
        shift++;
    }
    size_t bucket = shift * SUB_BUCKETS + (size_t)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bucket_end_us(size_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS) {
        return bucket;
    }
    size_t shift = bucket / SUB_BUCKETS - 1;
    return ((uint64_t)(bucket - shift * SUB_BUCKETS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value_us)
{
    histogram->counts[bucket_of(value_us)]++;
    histogram->total++;
    if (value_us > histogram->max_us) {
        histogram->max_us = value_us;
    }
}

uint64_t histogram_quantile_us(const struct histogram *histogram, double share)
{
    uint64_t below = 0;
    double wanted = share * (double)histogram->total;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->counts[i];
        if (below > 0 && (double)below >= wanted) {
            uint64_t end = histogram_bucket_end_us(i);
            return end < histogram->max_us ? end : histogram->max_us;
        }
    }
    return histogram->max_us;
}
