/**
 * Stands in for worker/sink.c at link time: acknowledges in sink_poll() what was sent, and counts
 * it.
 *
 * Lifetime: bench_sink_create() .. bench_sink_destroy(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_BENCH_INSTRUCTIONS_BENCH_SINK_H
#define SCENESYNC_TESTS_BENCH_INSTRUCTIONS_BENCH_SINK_H

#include "worker/sink.h"

/** Returns owned, or NULL when out of memory. */
struct sink *bench_sink_create(void);
void bench_sink_destroy(struct sink *sink);

/** Messages acknowledged so far, and the bytes of their values. */
uint64_t bench_sink_messages(const struct sink *sink);
uint64_t bench_sink_bytes(const struct sink *sink);

#endif
