#include "tests/sim/sim_table.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOM_MIN = 1024 };

static struct sim_entry *place_of(const struct sim_table *table, uint64_t key)
{
    size_t place = (size_t)key & (table->room - 1);
    while (table->entries[place].key != 0 && table->entries[place].key != key) {
        place = (place + 1) & (table->room - 1);
    }
    return &table->entries[place];
}

static uint64_t usable(uint64_t key)
{
    return key == 0 ? 1 : key;
}

struct sim_entry *sim_table_find(const struct sim_table *table, uint64_t key)
{
    if (table->room == 0) {
        return NULL;
    }
    struct sim_entry *entry = place_of(table, usable(key));
    return entry->key == 0 ? NULL : entry;
}

static void grow(struct sim_table *table)
{
    struct sim_table larger = {.count = table->count,
                               .room = table->room == 0 ? ROOM_MIN : 2 * table->room};
    larger.entries = calloc(larger.room, sizeof *larger.entries);
    assert(larger.entries != NULL);
    for (size_t i = 0; i < table->room; i++) {
        if (table->entries[i].key != 0) {
            *place_of(&larger, table->entries[i].key) = table->entries[i];
        }
    }
    free(table->entries);
    *table = larger;
}

struct sim_entry *sim_table_provide(struct sim_table *table, uint64_t key)
{
    if (2 * (table->count + 1) > table->room) {
        grow(table);
    }
    struct sim_entry *entry = place_of(table, usable(key));
    if (entry->key == 0) {
        entry->key = usable(key);
        table->count++;
    }
    return entry;
}

void sim_table_clear(struct sim_table *table)
{
    free(table->entries);
    *table = (struct sim_table){0};
}
