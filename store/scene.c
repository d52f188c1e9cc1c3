#include "store/scene.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "protocol/buffer.h"
#include "protocol/pack.h"
#include "store/heap_bytes.h"

enum {
    SCENE_SLOTS_FIRST = 16,
    DOCUMENT_CHECK_BYTES_MAX = 64 << 20 /* for key indexes; maps of few keys need none */
};

struct scene *scene_create(struct span session_id)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    uint8_t *id = malloc(session_id.size + 1);
    if (scene == NULL || id == NULL) {
        free(scene);
        free(id);
        return NULL;
    }
    memcpy(id, session_id.data, session_id.size);
    scene->session_id = span_make(id, session_id.size);
    scene->bytes = heap_bytes(sizeof(*scene)) + heap_bytes(session_id.size + 1);
    return scene;
}

static void element_destroy(struct element *element)
{
    free(element->document);
    free(element);
}

void scene_destroy(struct scene *scene)
{
    if (scene == NULL) {
        return;
    }
    for (size_t i = 0; i < scene->slot_count; i++) {
        if (scene->slots[i] != NULL) {
            element_destroy(scene->slots[i]);
        }
    }
    for (size_t i = 0; i < scene->position_count; i++) {
        free((void *)(uintptr_t)scene->positions[i].name.data);
    }
    free(scene->slots);
    free(scene->dirty);
    free(scene->positions);
    free((void *)(uintptr_t)scene->session_id.data);
    free(scene);
}

/* The slot of the id, or the empty one where it would go. The table is never full. */
static size_t slot_of(struct element *const *slots, size_t slot_count, struct span id)
{
    size_t mask = slot_count - 1;
    size_t slot = (size_t)XXH3_64bits(id.data, id.size) & mask;
    while (slots[slot] != NULL && !span_equal(slots[slot]->id, id)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static bool scene_grow_slots(struct scene *scene)
{
    size_t count = scene->slot_count == 0 ? SCENE_SLOTS_FIRST : scene->slot_count * 2;
    struct element **slots = calloc(count, sizeof(struct element *));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < scene->slot_count; i++) {
        struct element *element = scene->slots[i];
        if (element != NULL) {
            slots[slot_of(slots, count, element->id)] = element;
        }
    }
    scene->bytes += heap_bytes(count * sizeof(struct element *)) -
                    heap_bytes(scene->slot_count * sizeof(struct element *));
    free(scene->slots);
    scene->slots = slots;
    scene->slot_count = count;
    return true;
}

struct element *scene_find(const struct scene *scene, struct span id)
{
    if (scene->slot_count == 0) {
        return NULL;
    }
    return scene->slots[slot_of(scene->slots, scene->slot_count, id)];
}

struct element *scene_note(struct scene *scene, struct span id)
{
    struct element *element = scene_find(scene, id);
    if (element != NULL) {
        return element;
    }
    if ((scene->used_slots + 1) * 4 > scene->slot_count * 3 && !scene_grow_slots(scene)) {
        return NULL;
    }
    /* The id stands behind the struct, in one allocation. */
    element = calloc(1, sizeof(*element) + id.size);
    if (element == NULL) {
        return NULL;
    }
    memcpy(element + 1, id.data, id.size);
    element->id = span_make(element + 1, id.size);
    element->is_loaded = scene->is_complete;
    scene->slots[slot_of(scene->slots, scene->slot_count, id)] = element;
    scene->used_slots++;
    scene->bytes += heap_bytes(sizeof(*element) + id.size);
    return element;
}

/* Notes what was read, unless an earlier look of this cycle is remembered already. */
static void element_keep_first_look(struct element *element)
{
    if (element->is_loaded && !element->has_first_look) {
        element->has_first_look = true;
        element->first_presence = element->presence;
        element->first_version = element->version;
        element->first_timestamp_ms = element->timestamp_ms;
    }
}

void scene_forget(struct scene *scene, bool keep_first_look)
{
    scene->is_loaded = false;
    scene->is_complete = false;
    scene->version =
        scene->committed_version; /* where nothing can be read, that is the latest known */
    scene->expiry_set_ms = 0;
    scene->dirty_count = 0;
    for (size_t i = 0; i < scene->position_count; i++) {
        scene->positions[i].is_read = false;
        scene->positions[i].known = false;
        scene->positions[i].offset = 0;
        scene->positions[i].timestamp_ms = 0;
    }
    for (size_t i = 0; i < scene->slot_count; i++) {
        struct element *element = scene->slots[i];
        if (element == NULL) {
            continue;
        }
        if (keep_first_look) {
            /* Of a changed element scene_touch() took the first look before its change. */
            element_keep_first_look(element);
        } else {
            element->has_first_look = false;
        }
        element->is_loaded = false;
        element->is_unreadable = false;
        element->is_dirty = false;
        element->batch_serial = 0;
        element->was_raced = false;
    }
}

void scene_forget_first_looks(struct scene *scene)
{
    for (size_t i = 0; i < scene->slot_count; i++) {
        if (scene->slots[i] != NULL) {
            scene->slots[i]->has_first_look = false;
            scene->slots[i]->was_raced = false;
        }
    }
}

/* Copies a document, and the clocks behind it, into the element's room, which only grows. */
static bool element_set_document(struct scene *scene, struct element *element, struct span value,
                                 size_t clocks_bytes)
{
    if (value.size > element->document_capacity) {
        uint8_t *room = realloc(element->document, value.size);
        if (room == NULL) {
            return false;
        }
        scene->bytes += heap_bytes(value.size) - heap_bytes(element->document_capacity);
        element->document = room;
        element->document_capacity = value.size;
    }
    memcpy(element->document, value.data, value.size);
    element->document_bytes = value.size - clocks_bytes;
    element->clocks_bytes = clocks_bytes;
    element->transform_at = 0;
    element->has_checked_kind = false;
    return true;
}

/* Other programs write elements too: what breaks the rules that patches rely on (string keys, each
 * once) is refused here, or it would be taken for a bug of this one. */
static bool content_check(const struct element_value *value, struct error *error)
{
    struct arena arena;
    arena_init(&arena, DOCUMENT_CHECK_BYTES_MAX);
    bool is_good = element_value_check(value, &arena, error);
    arena_deinit(&arena);
    return is_good;
}

bool scene_load_element(struct scene *scene, struct element *element, struct span value,
                        struct error *error)
{
    struct element_value decoded = {0};
    enum element_presence presence = ELEMENT_UNKNOWN;
    if (!span_is_absent(value)) {
        struct error cause;
        if (!element_value_decode(value, &decoded, &cause) || !content_check(&decoded, &cause)) {
            if (cause.code == ERROR_OUT_OF_MEMORY) {
                *error = cause;
                return false;
            }
            char quoted[ERROR_QUOTE_BYTES_MAX];
            return error_set(error, ERROR_STORE_ERROR, "element '%s' in the store: %s",
                             error_quote(element->id, quoted), cause.message);
        }
        presence = span_is_absent(decoded.document) ? ELEMENT_REMOVED : ELEMENT_PRESENT;
    }
    struct span content =
        span_make(decoded.document.data, decoded.document.size + decoded.clocks.size);
    if (presence == ELEMENT_PRESENT &&
        !element_set_document(scene, element, content, decoded.clocks.size)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a stored element");
    }
    element->presence = presence;
    element->version = decoded.version;
    element->timestamp_ms = decoded.timestamp_ms;
    element->is_indexed = presence == ELEMENT_REMOVED;
    element->is_loaded = true;
    element->is_unreadable = false;
    element->was_raced =
        element->has_first_look &&
        (element->first_presence != presence || element->first_version != decoded.version ||
         element->first_timestamp_ms != decoded.timestamp_ms);
    return true;
}

void scene_note_stored(struct scene *scene, uint64_t stored_count)
{
    if (stored_count == UINT64_MAX) {
        return; /* not asked for: it is as complete as it was */
    }
    uint64_t found = 0;
    bool may_be = scene->used_slots >= stored_count;
    for (size_t i = 0; may_be && i < scene->slot_count; i++) {
        const struct element *element = scene->slots[i];
        found += element != NULL && element->is_loaded &&
                 (element->presence != ELEMENT_UNKNOWN || element->is_unreadable);
    }
    scene->is_complete = may_be && found == stored_count;
}

void scene_mark_unreadable(struct element *element)
{
    element->presence = ELEMENT_UNKNOWN;
    element->version = 0;
    element->timestamp_ms = 0;
    element->is_loaded = true;
    element->is_unreadable = true;
}

struct store_position *scene_position(struct scene *scene, struct span name)
{
    for (size_t i = 0; i < scene->position_count; i++) {
        if (span_equal(scene->positions[i].name, name)) {
            return &scene->positions[i];
        }
    }
    if (scene->position_count == scene->position_capacity) {
        size_t capacity = scene->position_capacity == 0 ? 4 : scene->position_capacity * 2;
        struct store_position *grown =
            realloc(scene->positions, capacity * sizeof(struct store_position));
        if (grown == NULL) {
            return NULL;
        }
        scene->bytes += heap_bytes(capacity * sizeof(struct store_position)) -
                        heap_bytes(scene->position_capacity * sizeof(struct store_position));
        scene->positions = grown;
        scene->position_capacity = capacity;
    }
    uint8_t *copy = malloc(name.size + 1);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, name.data, name.size);
    scene->bytes += heap_bytes(name.size + 1);
    struct store_position *position = &scene->positions[scene->position_count++];
    *position = (struct store_position){.name = span_make(copy, name.size)};
    return position;
}

void scene_begin_batch(struct scene *scene)
{
    assert(scene->is_loaded);
    scene->batch_serial++;
    scene->changed_by_batch = false;
}

uint64_t scene_end_batch(struct scene *scene)
{
    if (scene->changed_by_batch) {
        scene->version++;
    }
    return scene->version;
}

/* Before an element's change: remembers what the batch found, and lists it for the commit. */
static bool scene_touch(struct scene *scene, struct element *element)
{
    assert(element->is_loaded);
    if (!element->is_dirty) {
        if (scene->dirty_count == scene->dirty_capacity) {
            size_t capacity = scene->dirty_capacity == 0 ? 16 : scene->dirty_capacity * 2;
            struct element **grown = realloc(scene->dirty, capacity * sizeof(struct element *));
            if (grown == NULL) {
                return false;
            }
            scene->bytes += heap_bytes(capacity * sizeof(struct element *)) -
                            heap_bytes(scene->dirty_capacity * sizeof(struct element *));
            scene->dirty = grown;
            scene->dirty_capacity = capacity;
        }
        scene->dirty[scene->dirty_count++] = element;
        element->is_dirty = true;
        element_keep_first_look(element);
    }
    if (element->batch_serial != scene->batch_serial) {
        element->batch_serial = scene->batch_serial;
        element->version_before_batch = element->version;
        element->created_by_batch = false;
        element->removed_by_batch = false;
    }
    scene->changed_by_batch = true;
    element->version = scene->version + 1;
    return true;
}

bool scene_put(struct scene *scene, struct element *element, struct span value, size_t clocks_bytes,
               uint64_t timestamp_ms)
{
    if (!element_set_document(scene, element, value, clocks_bytes) ||
        !scene_touch(scene, element)) {
        return false;
    }
    element->has_checked_kind = true;
    if (element->presence != ELEMENT_PRESENT) {
        element->created_by_batch = true;
        scene->element_count++;
    }
    element->removed_by_batch = false;
    element->presence = ELEMENT_PRESENT;
    element->timestamp_ms = timestamp_ms;
    return true;
}

bool scene_put_in_place(struct scene *scene, struct element *element, uint64_t timestamp_ms)
{
    assert(element->presence == ELEMENT_PRESENT && element->has_checked_kind);
    if (!scene_touch(scene, element)) {
        return false;
    }
    element->timestamp_ms = timestamp_ms;
    return true;
}

bool scene_remove(struct scene *scene, struct element *element, uint64_t timestamp_ms,
                  int64_t record_time_ms)
{
    if (!scene_touch(scene, element)) {
        return false;
    }
    if (element->presence == ELEMENT_PRESENT) {
        scene->element_count -= scene->element_count > 0 ? 1 : 0;
    }
    element->removed_by_batch = true;
    element->created_by_batch = false;
    element->presence = ELEMENT_REMOVED;
    element->timestamp_ms = timestamp_ms;
    element->tombstone_record_ms = record_time_ms;
    return true;
}

uint64_t scene_version_before_batch(const struct scene *scene, const struct element *element)
{
    return element->batch_serial == scene->batch_serial ? element->version_before_batch
                                                        : element->version;
}

bool scene_created_by_batch(const struct scene *scene, const struct element *element)
{
    return element->batch_serial == scene->batch_serial && element->created_by_batch;
}

bool scene_removed_by_batch(const struct scene *scene, const struct element *element)
{
    return element->batch_serial == scene->batch_serial && element->removed_by_batch;
}

void scene_committed(struct scene *scene, const struct scene_commit *commit)
{
    for (size_t i = 0; i < scene->dirty_count; i++) {
        struct element *element = scene->dirty[i];
        element->is_dirty = false;
        element->has_first_look = false;
        element->was_raced = false;
        element->is_indexed = element->presence == ELEMENT_REMOVED;
    }
    scene->dirty_count = 0;
    scene->committed_version = scene->version;
    scene->token = commit->token;
    for (size_t i = 0; i < commit->dropped_count; i++) {
        struct element *element = scene_find(scene, commit->dropped[i]);
        if (element != NULL && element->presence == ELEMENT_REMOVED) {
            element->presence = ELEMENT_UNKNOWN;
            element->version = 0;
            element->timestamp_ms = 0;
            element->is_indexed = false;
        }
    }
}

struct span element_clocks(const struct element *element)
{
    return element->presence == ELEMENT_PRESENT && element->clocks_bytes > 0
               ? span_make(element->document + element->document_bytes, element->clocks_bytes)
               : (struct span){0};
}

struct span element_value_encode(const struct element *element, struct buffer *head)
{
    static const uint8_t nil[] = {0xc0};
    bool is_present = element->presence == ELEMENT_PRESENT;
    pack_array(head, is_present && element->clocks_bytes > 0 ? 4 : 3);
    pack_uint(head, element->version);
    pack_uint(head, element->timestamp_ms);
    return is_present
               ? span_make(element->document, element->document_bytes + element->clocks_bytes)
               : span_make(nil, sizeof nil);
}
