#include "tests/bench/histogram.h"

#include <criterion/criterion.h>

/* Of the test's process, which is one for each test: it begins empty. */
static struct histogram histogram;

/** The bucket that counts a value, as seen from outside. */
static size_t bucket_of(uint64_t value)
{
    struct histogram one = {0};
    histogram_add(&one, value);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (one.counts[i] > 0) {
            return i;
        }
    }
    return HISTOGRAM_BUCKETS;
}

Test(bench_histogram, is_zero_where_there_is_nothing)
{
    cr_assert_eq(histogram_quantile_us(&histogram, 0.5), 0);
    cr_assert_eq(histogram_quantile_us(&histogram, 1), 0);
}

Test(bench_histogram, is_exact_below_128_us)
{
    for (uint64_t value = 0; value < 128; value++) {
        cr_assert_eq(histogram_bucket_end_us(bucket_of(value)), value);
    }
}

Test(bench_histogram, buckets_follow_one_another_without_gap)
{
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t end = histogram_bucket_end_us(i);
        uint64_t begin = histogram_bucket_end_us(i - 1) + 1;
        cr_assert_leq(begin, end);
        cr_assert_eq(bucket_of(begin), i);
        cr_assert_eq(bucket_of(end), i);
        /* What histogram.h promises: 1.6 %. */
        cr_assert_leq((double)(end - begin), 0.016 * (double)begin, "bucket %zu", i);
    }
}

Test(bench_histogram, counts_what_is_too_large_in_the_last_bucket)
{
    cr_assert_eq(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    histogram_add(&histogram, UINT64_MAX);
    cr_assert_eq(histogram.max_us, UINT64_MAX);
}

Test(bench_histogram, finds_quantiles_of_a_ramp)
{
    static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (uint64_t value = 1; value <= 100000; value++) {
        histogram_add(&histogram, value);
    }
    cr_assert_eq(histogram.total, 100000);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double exact = shares[i] * 100000;
        double found = (double)histogram_quantile_us(&histogram, shares[i]);
        cr_assert_geq(found, exact);
        cr_assert_leq(found, exact * 1.016);
    }
}

Test(bench_histogram, finds_the_one_slow_in_a_thousand)
{
    for (size_t i = 0; i < 998; i++) {
        histogram_add(&histogram, 100);
    }
    histogram_add(&histogram, 5000000);
    histogram_add(&histogram, 5000000);
    cr_assert_eq(histogram_quantile_us(&histogram, 0.99), 100);
    cr_assert_eq(histogram_quantile_us(&histogram, 0.998), 100);
    cr_assert_eq(histogram_quantile_us(&histogram, 0.999), 5000000);
}

Test(bench_histogram, says_no_more_than_the_largest)
{
    histogram_add(&histogram, 1000001);
    cr_assert_eq(histogram_quantile_us(&histogram, 0.5), 1000001);
    cr_assert_eq(histogram_quantile_us(&histogram, 1), 1000001);
}
