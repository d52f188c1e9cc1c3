#include "protocol/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

enum {
    ALIGNMENT = alignof(max_align_t),
    BLOCK_BYTES_MIN = 64 * 1024,
    BLOCK_BYTES_DOUBLED_MAX = 1024 * 1024, /* blocks double up to here; larger ones are on demand */
    KEPT_BYTES_MAX = 48 * 1024 * 1024
};

struct arena_block {
    struct arena_block *next;
    size_t capacity, used; /* bytes of `data` */
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max};
}

void arena_set_cap(struct arena *arena, size_t bytes_max)
{
    arena->bytes_max = bytes_max > arena->used_bytes ? bytes_max : arena->used_bytes;
}

void arena_deinit(struct arena *arena)
{
    struct arena_block *block = arena->first;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct arena){.bytes_max = arena->bytes_max};
}

void arena_reset(struct arena *arena)
{
    size_t kept_bytes = 0;
    struct arena_block **link = &arena->first;
    while (*link != NULL) {
        struct arena_block *block = *link;
        if (block->capacity <= KEPT_BYTES_MAX - kept_bytes) {
            kept_bytes += block->capacity;
            block->used = 0;
            link = &block->next;
        } else {
            *link = block->next;
            free(block);
        }
    }
    arena->current = arena->first;
    arena->used_bytes = 0;
}

void arena_take_over(struct arena *arena, struct arena *giver, size_t left_bytes)
{
    assert(giver->used_bytes == 0 && giver->current == giver->first);
    struct arena_block **link = &giver->first;
    for (size_t left = 0; *link != NULL && left < left_bytes; link = &(*link)->next) {
        left += (*link)->capacity;
    }
    struct arena_block **end = &arena->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = *link;
    *link = NULL;
    giver->current = giver->first;
    if (arena->current == NULL) {
        arena->current = arena->first;
    }
}

/** Makes a block that holds at least `size` bytes and puts it behind the current one. */
static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t capacity = BLOCK_BYTES_MIN;
    if (arena->current != NULL) {
        capacity = arena->current->capacity * 2;
    }
    if (capacity > BLOCK_BYTES_DOUBLED_MAX) {
        capacity = BLOCK_BYTES_DOUBLED_MAX;
    }
    if (capacity < size) {
        capacity = size;
    }
    struct arena_block *block = malloc(sizeof *block + capacity);
    if (block == NULL) {
        return NULL;
    }
    block->capacity = capacity;
    block->used = 0;
    struct arena_block **link = arena->current != NULL ? &arena->current->next : &arena->first;
    block->next = *link;
    *link = block;
    return block;
}

static bool has_room(const struct arena_block *block, size_t size)
{
    return block != NULL && block->capacity - block->used >= size;
}

static void *take(struct arena *arena, struct arena_block *block, size_t size)
{
    void *memory = block->data + block->used;
    block->used += size;
    arena->used_bytes += size;
    return memory;
}

/** Takes `size` bytes from the block kept behind the current one, or from a new one. Kept out of
 * arena_alloc(), which is called all the time and saves no registers without it. */
__attribute__((noinline)) static void *take_from_next(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->current != NULL ? arena->current->next : NULL;
    if (!has_room(block, size)) { /* else it is empty: it was kept by a reset */
        block = add_block(arena, size);
    }
    if (block == NULL) {
        return NULL;
    }
    arena->current = block;
    return take(arena, block, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct arena_block) - ALIGNMENT) {
        return NULL;
    }
    size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (padded > arena->bytes_max - arena->used_bytes) {
        return NULL;
    }
    return has_room(arena->current, padded) ? take(arena, arena->current, padded)
                                            : take_from_next(arena, padded);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t item_size)
{
    if (item_size != 0 && count > SIZE_MAX / item_size) {
        return NULL;
    }
    void *memory = arena_alloc(arena, count * item_size);
    if (memory != NULL) {
        memset(memory, 0, count * item_size);
    }
    return memory;
}

struct span arena_copy(struct arena *arena, struct span span)
{
    void *memory = arena_alloc(arena, span.size);
    if (memory == NULL) {
        return (struct span){0};
    }
    if (span.size > 0) {
        memcpy(memory, span.data, span.size);
    }
    return span_make(memory, span.size);
}

struct span arena_join(struct arena *arena, const struct span *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > SIZE_MAX - size) {
            return (struct span){0};
        }
        size += parts[i].size;
    }
    uint8_t *memory = arena_alloc(arena, size);
    if (memory == NULL) {
        return (struct span){0};
    }
    uint8_t *at = memory;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0) {
            memcpy(at, parts[i].data, parts[i].size);
            at += parts[i].size;
        }
    }
    return span_make(memory, size);
}
