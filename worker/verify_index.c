#include "worker/verify_index.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

enum { CAPACITY_FIRST = 8, COUNT_MAX = 1 << 30 };

void verify_index_init(struct verify_index *index)
{
    *index = (struct verify_index){0};
}

void verify_index_deinit(struct verify_index *index)
{
    free(index->entries);
    free(index->slots);
    *index = (struct verify_index){0};
}

/* The slot that has the key, or the empty one where it would go. There is always an empty one. */
static uint32_t slot_of(const struct verify_index *index, struct span key)
{
    uint32_t mask = index->slot_count - 1;
    uint32_t slot = (uint32_t)XXH3_64bits(key.data, key.size) & mask;
    while (index->slots[slot] != 0 &&
           !span_equal(index->entries[index->slots[slot] - 1].key, key)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

/* Twice the entries, and twice as many slots as entries. */
static bool grow(struct verify_index *index)
{
    uint32_t capacity = index->capacity == 0 ? CAPACITY_FIRST : index->capacity * 2;
    struct verify_index_entry *entries =
        index->count < COUNT_MAX ? realloc(index->entries, capacity * sizeof(*entries)) : NULL;
    if (entries == NULL) {
        return false;
    }
    index->entries = entries;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    free(index->slots);
    index->slots = slots;
    index->slot_count = capacity * 2;
    index->capacity = capacity;
    for (uint32_t i = 0; i < index->count; i++) {
        slots[slot_of(index, entries[i].key)] = i + 1;
    }
    return true;
}

struct verify_index_entry *verify_index_find(const struct verify_index *index, struct span key)
{
    if (index->slot_count == 0) {
        return NULL;
    }
    uint32_t place = index->slots[slot_of(index, key)];
    return place == 0 ? NULL : &index->entries[place - 1];
}

struct verify_index_entry *verify_index_add(struct verify_index *index, struct span key,
                                            uint32_t number)
{
    if (index->count == index->capacity && !grow(index)) {
        return NULL;
    }
    uint32_t slot = slot_of(index, key);
    assert(index->slots[slot] == 0);
    struct verify_index_entry *entry = &index->entries[index->count++];
    *entry = (struct verify_index_entry){.key = key, .number = number};
    index->slots[slot] = index->count;
    return entry;
}
