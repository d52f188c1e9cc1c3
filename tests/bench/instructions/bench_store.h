/**
 * A store that costs the worker what the Redis store costs it, without Redis or a socket: every
 * request is encoded with the Redis store's own encoders, answered by a memory store, and the
 * answer, as bytes of Redis's protocol, taken apart by hiredis and the Redis store's own takers.
 * What the memory store does, and the making of the reply, is not counted.
 *
 * Lifetime: bench_store_create() .. store_destroy(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_BENCH_INSTRUCTIONS_BENCH_STORE_H
#define SCENESYNC_TESTS_BENCH_INSTRUCTIONS_BENCH_STORE_H

#include "store/redis_store.h"
#include "tests/bench/workload.h"

/** Borrows the options' texts. Returns owned, or NULL when out of memory. */
struct store *bench_store_create(const struct redis_store_options *options);

/** Puts the elements of a scene before the first batch into it. False: out of memory. */
__attribute__((warn_unused_result)) bool bench_store_seed(struct store *store,
                                                          const struct workload *workload,
                                                          const struct workload_sizes *sizes,
                                                          uint32_t scene, int64_t now_ms);

/** Bytes of commands encoded, and of replies taken, so far. */
uint64_t bench_store_command_bytes(const struct store *store);
uint64_t bench_store_reply_bytes(const struct store *store);

#endif
