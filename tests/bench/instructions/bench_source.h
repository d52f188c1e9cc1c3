/**
 * Stands in for worker/source.c and its siblings at link time: records of the ops topic from
 * memory. The bookkeeping of partitions is the worker's own (worker/assignment.h), and counted; the
 * rest is not.
 *
 * Lifetime: bench_source_create() .. bench_source_destroy(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_BENCH_INSTRUCTIONS_BENCH_SOURCE_H
#define SCENESYNC_TESTS_BENCH_INSTRUCTIONS_BENCH_SOURCE_H

#include "tests/bench/workload.h"
#include "worker/source.h"

/** Borrows the settings. Returns owned, or NULL when out of memory. */
struct record_source *bench_source_create(const struct settings *settings, uint64_t now_ms);
void bench_source_destroy(struct record_source *source);

/** Makes the workload's next batches and keeps them. False: out of memory. */
__attribute__((warn_unused_result)) bool
bench_source_fill(struct record_source *source, struct workload *workload, size_t batch_count);

/** Up to `per_poll` records are given out at a time, and no more than the first `record_count`. */
void bench_source_allow(struct record_source *source, size_t record_count, size_t per_poll);

/** How many records were settled. */
size_t bench_source_settled(const struct record_source *source);

/** Operations in the records given out so far. */
uint64_t bench_source_operations(const struct record_source *source);

#endif
