/**
 * A capped bump allocator: one per micro-batch, emptied at once.
 *
 * Lifetime: everything allocated lives until arena_reset() or arena_deinit(). Blocks are kept over
 * a reset, so the steady state does not call malloc. Threading: one thread. Cost: an addition and
 * a comparison per allocation.
 */
#ifndef SCENESYNC_PROTOCOL_ARENA_H
#define SCENESYNC_PROTOCOL_ARENA_H

#include "protocol/span.h"

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t used_bytes; /* handed out since the last reset, padding included */
    size_t bytes_max;  /* cap on used_bytes */
};

/** Makes an empty arena on the caller's storage. `bytes_max` caps what it hands out. */
void arena_init(struct arena *arena, size_t bytes_max);
void arena_deinit(struct arena *arena);

/** Another cap. What is handed out already stays, and may be more. */
void arena_set_cap(struct arena *arena, size_t bytes_max);

/** Forgets everything; keeps the blocks up to 48 MiB for the next round and frees what is above. */
void arena_reset(struct arena *arena);

/**
 * Takes over blocks of `giver`, which must have been reset, but for the first `left_bytes` of it:
 * to have arenas that are large by turns in the memory of one. The caps stay as they are.
 */
void arena_take_over(struct arena *arena, struct arena *giver, size_t left_bytes);

/**
 * Returns `size` bytes, aligned for any type and not cleared, or NULL when the cap or malloc says
 * no. A size of 0 gives a valid pointer.
 */
__attribute__((warn_unused_result)) void *arena_alloc(struct arena *arena, size_t size);

/** The same for an array, cleared; the multiplication is checked. */
__attribute__((warn_unused_result)) void *arena_alloc_array(struct arena *arena, size_t count,
                                                            size_t item_size);

/** Copies a span into the arena. Returns an absent span when out of memory. */
__attribute__((warn_unused_result)) struct span arena_copy(struct arena *arena, struct span span);

/** Copies spans, one right behind the other, as one; the same. */
__attribute__((warn_unused_result)) struct span arena_join(struct arena *arena,
                                                           const struct span *parts, size_t count);

#endif
