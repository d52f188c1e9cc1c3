#include "protocol/key_index.h"

#include <assert.h>
#include <xxhash.h>

/* A key's text by its place. Offset 0 is the map's own head, so it marks an empty slot. */
struct key_index_slot {
    uint32_t offset, size, number;
};

bool key_index_init(struct key_index *index, struct span map, uint32_t pair_count,
                    struct arena *arena)
{
    assert(map.size <= UINT32_MAX);
    size_t slot_count = 16;
    while (slot_count / 2 < pair_count) {
        slot_count *= 2;
    }
    struct key_index_slot *slots = arena_alloc_array(arena, slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    /* The seed is where the memory happens to lie: keys made to collide would have to be made for
     * this process. No answer depends on it. */
    *index = (struct key_index){.slots = slots,
                                .base = map.data,
                                .seed = (uint64_t)(uintptr_t)slots,
                                .mask = slot_count - 1};
    return true;
}

/** The slot that holds `key`, or the empty one where it belongs. */
static struct key_index_slot *find_slot(const struct key_index *index, struct span key)
{
    /* At least half of the slots are empty, so the walk ends. */
    for (size_t at = XXH3_64bits_withSeed(key.data, key.size, index->seed);; at++) {
        struct key_index_slot *slot = &index->slots[at & index->mask];
        if (slot->offset == 0 ||
            span_equal(span_make(index->base + slot->offset, slot->size), key)) {
            return slot;
        }
    }
}

bool key_index_add(struct key_index *index, struct span key, uint32_t number)
{
    assert(key.data > index->base);
    struct key_index_slot *slot = find_slot(index, key);
    if (slot->offset != 0) {
        return false;
    }
    *slot = (struct key_index_slot){
        .offset = (uint32_t)(key.data - index->base), .size = (uint32_t)key.size, .number = number};
    return true;
}

bool key_index_find(const struct key_index *index, struct span key, uint32_t *number)
{
    const struct key_index_slot *slot = find_slot(index, key);
    if (slot->offset == 0) {
        return false;
    }
    *number = slot->number;
    return true;
}
