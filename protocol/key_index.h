/**
 * Finds keys of a MessagePack map without reading the map again: a hash index over its bytes.
 *
 * Lifetime: an index borrows the map's bytes and takes its memory from the arena. Threading: one
 * thread. Cost: O(1) per call; 12 bytes per slot and 2 to 4 slots per pair, so at most 24 times the
 * map's bytes, since a pair takes two of them at least.
 */
#ifndef SCENESYNC_PROTOCOL_KEY_INDEX_H
#define SCENESYNC_PROTOCOL_KEY_INDEX_H

#include "protocol/arena.h"

enum {
    /* Up to here comparing every key with every other one is faster than hashing. */
    KEY_INDEX_UNINDEXED_PAIRS_MAX = 16
};

struct key_index_slot;

struct key_index {
    struct key_index_slot *slots;
    const uint8_t *base; /* the map's first byte */
    uint64_t seed;
    size_t mask; /* number of slots - 1; a power of two - 1 */
};

/**
 * Makes an empty index for up to `pair_count` keys of the checked map in `map`. Returns false where
 * the arena is exhausted.
 */
__attribute__((warn_unused_result)) bool key_index_init(struct key_index *index, struct span map,
                                                        uint32_t pair_count, struct arena *arena);

/**
 * Adds a key, given as the text inside the map's bytes, with a number of the caller's. Returns
 * false, and changes nothing, where an equal key is there already.
 */
__attribute__((warn_unused_result)) bool key_index_add(struct key_index *index, struct span key,
                                                       uint32_t number);

/** Gives the number of an equal key; false where there is none. */
__attribute__((warn_unused_result)) bool key_index_find(const struct key_index *index,
                                                        struct span key, uint32_t *number);

#endif
