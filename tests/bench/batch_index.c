#include "tests/bench/batch_index.h"

#include <stdlib.h>

enum { UUID_BYTES = 36, ENTRIES_MIN = 64 };

bool batch_index_init(struct batch_index *index, size_t count)
{
    size_t size = ENTRIES_MIN;
    while (size < 2 * count) {
        size *= 2;
    }
    *index =
        (struct batch_index){.entries = calloc(size, sizeof *index->entries), .mask = size - 1};
    return index->entries != NULL;
}

void batch_index_deinit(struct batch_index *index)
{
    free(index->entries);
}

/** The uuid's digits folded into a number that is not 0; 0 where there is no batch_id. */
static uint64_t name_of(struct span message)
{
    static const char key[] = "\xa8"
                              "batch_id\xd9\x24"; /* MessagePack: the key, a str of 36 bytes */
    size_t key_size = sizeof key - 1;
    for (size_t i = 0; i + key_size + UUID_BYTES <= message.size; i++) {
        if (message.data[i] != (uint8_t)key[0] || memcmp(message.data + i, key, key_size) != 0) {
            continue;
        }
        uint64_t name = 1469598103934665603U; /* FNV-1a */
        for (size_t j = 0; j < UUID_BYTES; j++) {
            name = (name ^ message.data[i + key_size + j]) * 1099511628211U;
        }
        return name | 1;
    }
    return 0;
}

static struct batch_index_entry *entry_of(const struct batch_index *index, uint64_t name)
{
    size_t at = (size_t)(name >> 20) & index->mask;
    while (index->entries[at].name != 0 && index->entries[at].name != name) {
        at = (at + 1) & index->mask;
    }
    return &index->entries[at];
}

bool batch_index_put(struct batch_index *index, struct span message, size_t place)
{
    uint64_t name = name_of(message);
    if (name != 0) {
        *entry_of(index, name) = (struct batch_index_entry){.name = name, .place = place};
    }
    return name != 0;
}

bool batch_index_find(const struct batch_index *index, struct span message, size_t *place)
{
    uint64_t name = name_of(message);
    const struct batch_index_entry *entry = name != 0 ? entry_of(index, name) : NULL;
    bool found = entry != NULL && entry->name == name;
    if (found) {
        *place = entry->place;
    }
    return found;
}
