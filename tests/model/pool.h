/**
 * Memory that is given back all at once.
 *
 * Lifetime: a pool that is all zero is empty and ready; pool_free() makes it so again. Threading:
 * one thread. Out of memory aborts: this is a test's memory.
 */
#ifndef SCENESYNC_TESTS_MODEL_POOL_H
#define SCENESYNC_TESTS_MODEL_POOL_H

#include "protocol/span.h"

struct pool_chunk;

struct pool {
    struct pool_chunk *newest;
};

/** Zeroed, aligned for anything. Never NULL, also for no bytes. */
void *pool_alloc(struct pool *pool, size_t size);

/** An absent span stays absent. */
struct span pool_copy(struct pool *pool, struct span bytes);

void pool_free(struct pool *pool);

/** realloc() of `count` items of `item_size` bytes that aborts where there is no memory. */
void *grown(void *items, size_t count, size_t item_size);

#endif
