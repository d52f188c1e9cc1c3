#include "store/memory_scene.h"

#include <assert.h>
#include <stdlib.h>

enum { LOG_CAPACITY_MIN = 16 };

void memory_scene_clear(struct memory_scene *scene)
{
    for (size_t i = 0; i < MEMORY_KEY_COUNT; i++) {
        memory_table_clear(&scene->tables[i]);
    }
    free(scene->session);
}

struct span memory_scene_find(const struct memory_scene *scene, enum memory_key key,
                              struct span field)
{
    return memory_table_find(&scene->tables[key], field);
}

static bool reserve(struct memory_log *log)
{
    if (log->count < log->capacity) {
        return true;
    }
    size_t capacity = log->capacity > 0 ? log->capacity * 2 : LOG_CAPACITY_MIN;
    struct memory_change *changes = realloc(log->changes, capacity * sizeof *changes);
    if (changes == NULL) {
        return false;
    }
    log->changes = changes;
    log->capacity = capacity;
    return true;
}

bool memory_scene_set(struct memory_scene *scene, enum memory_key key, struct span field,
                      struct span value, struct memory_log *log)
{
    struct memory_item *item = memory_item_create(field, value);
    struct memory_item *replaced;
    if (item == NULL || !reserve(log) || !memory_table_put(&scene->tables[key], item, &replaced)) {
        free(item);
        return false;
    }
    log->changes[log->count++] =
        (struct memory_change){.scene = scene, .key = key, .before = replaced, .after = item};
    return true;
}

bool memory_scene_remove(struct memory_scene *scene, enum memory_key key, struct span field,
                         struct memory_log *log)
{
    if (!reserve(log)) {
        return false;
    }
    struct memory_item *removed = memory_table_remove(&scene->tables[key], field);
    if (removed != NULL) {
        log->changes[log->count++] =
            (struct memory_change){.scene = scene, .key = key, .before = removed};
    }
    return true;
}

static void undo(const struct memory_change *change)
{
    struct memory_table *table = &change->scene->tables[change->key];
    struct memory_item *undone;
    if (change->before != NULL) {
        bool put = memory_table_put(table, change->before, &undone);
        assert(put);
        (void)put;
    } else {
        undone = memory_table_remove(table, memory_item_key(change->after));
    }
    assert(undone == change->after);
    free(undone);
}

void memory_log_undo(struct memory_log *log)
{
    while (log->count > 0) {
        log->count--;
        undo(&log->changes[log->count]);
    }
    memory_log_clear(log);
}

void memory_log_clear(struct memory_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->changes[i].before);
    }
    free(log->changes);
    *log = (struct memory_log){0};
}
