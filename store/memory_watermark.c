#include "store/memory_watermark.h"

static struct span entry_of(const struct memory_scene *watermark, struct span name)
{
    return memory_scene_find(watermark, MEMORY_META, name);
}

static bool is_as_expected(const struct memory_scene *watermark,
                           const struct watermark_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct watermark_entry *entry = &request->entries[i];
        if (!span_equal(entry_of(watermark, entry->name), entry->expected)) {
            return false;
        }
    }
    return true;
}

static enum store_status refuse_memory(struct watermark_request *request)
{
    error_set(&request->error, ERROR_OUT_OF_MEMORY,
              "the watermark: the memory store or the arena is out of memory");
    return STORE_FAILED;
}

/** Copies what stands there; returns `status`, or STORE_FAILED where the arena has no room. */
static enum store_status tell_found(const struct memory_scene *watermark,
                                    struct watermark_request *request, enum store_status status)
{
    for (size_t i = 0; i < request->count; i++) {
        struct watermark_entry *entry = &request->entries[i];
        struct span there = entry_of(watermark, entry->name);
        entry->found = (struct span){0};
        if (span_is_absent(there)) {
            continue;
        }
        entry->found = arena_copy(request->arena, there);
        if (span_is_absent(entry->found)) {
            return refuse_memory(request);
        }
    }
    return status;
}

enum store_status memory_watermark_run(struct memory_scene *watermark,
                                       struct watermark_request *request, struct memory_log *log)
{
    if (!request->is_write) {
        return tell_found(watermark, request, STORE_DONE);
    }
    if (!is_as_expected(watermark, request)) {
        return tell_found(watermark, request, STORE_DISOWNED);
    }
    for (size_t i = 0; i < request->count; i++) {
        const struct watermark_entry *entry = &request->entries[i];
        if (!memory_scene_set(watermark, MEMORY_META, entry->name, entry->value, log)) {
            memory_log_undo(log);
            return refuse_memory(request);
        }
    }
    return STORE_DONE;
}

bool memory_watermark_bears(const struct memory_scene *watermark, const struct scene_commit *commit)
{
    for (size_t i = 0; i < commit->position_count; i++) {
        const struct store_position *position = &commit->positions[i];
        if (position->mark.size > 0 &&
            !span_equal(entry_of(watermark, position->name), position->mark)) {
            return false;
        }
    }
    return true;
}
