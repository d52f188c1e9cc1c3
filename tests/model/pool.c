#include "tests/model/pool.h"

#include <stdlib.h>

/* Pools are many and mostly small: one for each element of a scene. */
enum { CHUNK_BYTES_MIN = 480, CHUNK_BYTES_MAX = 1 << 16 };

struct pool_chunk {
    struct pool_chunk *older;
    size_t size, used;
    max_align_t bytes[];
};

static struct pool_chunk *chunk_create(struct pool_chunk *older, size_t size)
{
    size_t room = older == NULL ? CHUNK_BYTES_MIN : older->size * 2;
    room = room > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : room;
    room = room < size ? size : room;
    struct pool_chunk *const chunk = calloc(1, sizeof(*chunk) + room);
    if (chunk == NULL) {
        abort();
    }
    chunk->older = older;
    chunk->size = room;
    return chunk;
}

void *pool_alloc(struct pool *pool, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    const size_t rounded = (size + unit - 1) / unit * unit;
    struct pool_chunk *chunk = pool->newest;
    if (chunk == NULL || chunk->size - chunk->used < rounded) {
        chunk = chunk_create(chunk, rounded);
        pool->newest = chunk;
    }
    uint8_t *const taken = (uint8_t *)chunk->bytes + chunk->used;
    chunk->used += rounded;
    return taken;
}

struct span pool_copy(struct pool *pool, struct span bytes)
{
    if (span_is_absent(bytes)) {
        return bytes;
    }
    uint8_t *const copy = pool_alloc(pool, bytes.size);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return span_make(copy, bytes.size);
}

void pool_free(struct pool *pool)
{
    while (pool->newest != NULL) {
        struct pool_chunk *const older = pool->newest->older;
        free(pool->newest);
        pool->newest = older;
    }
}

void *grown(void *items, size_t count, size_t item_size)
{
    void *const larger = realloc(items, (count == 0 ? 1 : count) * item_size);
    if (larger == NULL) {
        abort();
    }
    return larger;
}
