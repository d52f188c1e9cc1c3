#include "worker/span_index.h"

#include <assert.h>
#include <xxhash.h>

enum { SLOTS_MIN = 4 };

bool span_index_init(struct span_index *index, size_t count_max, struct arena *arena)
{
    assert(count_max < UINT32_MAX);
    size_t slot_count = SLOTS_MIN;
    while (slot_count < 2 * count_max) {
        slot_count *= 2;
    }
    *index = (struct span_index){
        .spans = arena_alloc(arena, count_max * sizeof(struct span)),
        .slots = arena_alloc_array(arena, slot_count, sizeof(uint32_t)),
        .mask = slot_count - 1,
    };
    return index->spans != NULL && index->slots != NULL;
}

uint32_t span_index_number(struct span_index *index, struct span span)
{
    size_t at = (size_t)XXH3_64bits(span.data, span.size) & index->mask;
    while (index->slots[at] != 0) {
        uint32_t number = index->slots[at] - 1;
        if (span_equal(index->spans[number], span)) {
            return number;
        }
        at = (at + 1) & index->mask;
    }
    uint32_t number = index->count++;
    index->spans[number] = span;
    index->slots[at] = number + 1;
    return number;
}
