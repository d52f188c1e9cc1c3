#include "store/memory_table.h"

#include <stdlib.h>

enum { CAPACITY_MIN = 8 };

struct memory_item {
    size_t key_size, value_size;
    uint8_t bytes[];
};

struct memory_item *memory_item_create(struct span key, struct span value)
{
    if (key.size > SIZE_MAX - value.size - sizeof(struct memory_item)) {
        return NULL;
    }
    struct memory_item *item = malloc(sizeof *item + key.size + value.size);
    if (item == NULL) {
        return NULL;
    }
    item->key_size = key.size;
    item->value_size = value.size;
    if (key.size > 0) {
        memcpy(item->bytes, key.data, key.size);
    }
    if (value.size > 0) {
        memcpy(item->bytes + key.size, value.data, value.size);
    }
    return item;
}

struct span memory_item_key(const struct memory_item *item)
{
    return span_make(item->bytes, item->key_size);
}

struct span memory_item_value(const struct memory_item *item)
{
    return span_make(item->bytes + item->key_size, item->value_size);
}

void memory_table_clear(struct memory_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->items[i]);
    }
    free(table->items);
    *table = (struct memory_table){0};
}

int memory_key_compare(struct span a, struct span b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
    if (order != 0 || a.size == b.size) {
        return order;
    }
    return a.size < b.size ? -1 : 1;
}

/** The place of the first item that is not below `key`; `found` where it is `key`. */
static size_t find_place(const struct memory_table *table, struct span key, bool *found)
{
    size_t low = 0, high = table->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memory_key_compare(memory_item_key(table->items[middle]), key);
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
            *found = order == 0;
        }
    }
    return low;
}

struct span memory_table_find(const struct memory_table *table, struct span key)
{
    bool found;
    size_t place = find_place(table, key, &found);
    return found ? memory_item_value(table->items[place]) : (struct span){0};
}

/** Capacity never shrinks, so that undoing a removal cannot fail. */
static bool reserve(struct memory_table *table)
{
    if (table->count < table->capacity) {
        return true;
    }
    size_t capacity = table->capacity > 0 ? table->capacity * 2 : CAPACITY_MIN;
    struct memory_item **items = realloc(table->items, capacity * sizeof(struct memory_item *));
    if (items == NULL) {
        return false;
    }
    table->items = items;
    table->capacity = capacity;
    return true;
}

bool memory_table_put(struct memory_table *table, struct memory_item *item,
                      struct memory_item **replaced)
{
    bool found;
    size_t place = find_place(table, memory_item_key(item), &found);
    *replaced = NULL;
    if (found) {
        *replaced = table->items[place];
        table->items[place] = item;
        return true;
    }
    if (!reserve(table)) {
        return false;
    }
    memmove(table->items + place + 1, table->items + place,
            (table->count - place) * sizeof(struct memory_item *));
    table->items[place] = item;
    table->count++;
    return true;
}

struct memory_item *memory_table_remove(struct memory_table *table, struct span key)
{
    bool found;
    size_t place = find_place(table, key, &found);
    if (!found) {
        return NULL;
    }
    struct memory_item *item = table->items[place];
    table->count--;
    memmove(table->items + place, table->items + place + 1,
            (table->count - place) * sizeof(struct memory_item *));
    return item;
}
