#include "worker/verify_diff.h"

#include "protocol/buffer.h"
#include "protocol/key_index.h"
#include "protocol/pack.h"
#include "protocol/wire.h"

enum { NUMBER_BYTES_MAX = 9, POINTER_BYTES_MAX = 1024 };

bool verify_fields_add(struct verify_fields *fields, struct span name, struct span stored,
                       struct span expected)
{
    if (fields->count < VERIFY_FIELDS_MAX) {
        struct span copy = arena_copy(fields->arena, name);
        if (span_is_absent(copy)) {
            return false;
        }
        fields->items[fields->count] =
            (struct verify_field){.name = copy, .stored = stored, .expected = expected};
    }
    fields->count++;
    return true;
}

struct span verify_fields_number(struct verify_fields *fields, uint64_t number)
{
    struct buffer packed;
    buffer_init(&packed, NUMBER_BYTES_MAX);
    pack_uint(&packed, number);
    struct span copy =
        packed.failed ? (struct span){0} : arena_copy(fields->arena, buffer_span(&packed));
    buffer_deinit(&packed);
    return copy;
}

bool verify_fields_compare(struct verify_fields *fields, const char *name, uint64_t stored,
                           uint64_t expected)
{
    if (stored == expected) {
        return true;
    }
    struct span a = verify_fields_number(fields, stored);
    struct span b = verify_fields_number(fields, expected);
    return !span_is_absent(a) && !span_is_absent(b) &&
           verify_fields_add(fields, span_of_text(name), a, b);
}

/* ---- Documents ---- */

/* Heads alone: containers by their count. */
static bool heads_are_equal(const struct wire_value *a, const struct wire_value *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case WIRE_NIL:
        return true;
    case WIRE_BOOL:
        return a->boolean == b->boolean;
    case WIRE_UINT:
        return a->uint == b->uint;
    case WIRE_INT:
        return a->sint == b->sint;
    case WIRE_FLOAT:
        return a->real == b->real;
    case WIRE_STR:
    case WIRE_BIN:
        return span_equal(a->body, b->body);
    case WIRE_ARRAY:
    case WIRE_MAP:
        return a->count == b->count;
    case WIRE_EXT:
        return a->ext_type == b->ext_type && span_equal(a->body, b->body);
    }
    return false;
}

/* Head by head: inside arrays the order of a map's keys counts. */
static bool values_are_equal(struct span a, struct span b)
{
    struct wire_cursor left = wire_cursor_of(a);
    struct wire_cursor right = wire_cursor_of(b);
    while (!wire_at_end(&left) && !wire_at_end(&right)) {
        struct wire_value x = wire_read(&left);
        struct wire_value y = wire_read(&right);
        if (!heads_are_equal(&x, &y)) {
            return false;
        }
    }
    return wire_at_end(&left) && wire_at_end(&right);
}

struct walk {
    struct verify_fields *fields;
    struct buffer pointer; /* to the value at hand */
};

/* The stored map, so that its values are found by key. */
struct stored_map {
    struct key_index index;
    struct span *keys, *values;
    bool *is_found;
    uint32_t count;
};

static bool index_map(struct span map, struct arena *arena, struct stored_map *out)
{
    struct wire_cursor cursor = wire_cursor_of(map);
    uint32_t count = wire_read(&cursor).count;
    *out = (struct stored_map){
        .keys = arena_alloc_array(arena, count, sizeof(struct span)),
        .values = arena_alloc_array(arena, count, sizeof(struct span)),
        .is_found = arena_alloc_array(arena, count, sizeof(bool)),
        .count = count,
    };
    if (out->keys == NULL || out->values == NULL || out->is_found == NULL ||
        !key_index_init(&out->index, map, count, arena)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        out->keys[i] = wire_read_text(&cursor);
        out->values[i] = wire_skip(&cursor);
        (void)!key_index_add(&out->index, out->keys[i], i); /* checked: each key once */
    }
    return true;
}

static void pointer_push(struct buffer *pointer, struct span key)
{
    buffer_append(pointer, "/", 1);
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] == '~' || key.data[i] == '/') {
            buffer_append(pointer, key.data[i] == '~' ? "~0" : "~1", 2);
        } else {
            buffer_append(pointer, &key.data[i], 1);
        }
    }
}

/* Very long pointers are cut: the buffer's failure ends with the next pop. */
static void pointer_pop(struct buffer *pointer, size_t size)
{
    pointer->size = size;
    pointer->failed = false;
}

static bool diff(struct walk *walk, struct span stored, struct span expected);

static bool diff_member(struct walk *walk, struct span key, struct span stored,
                        struct span expected)
{
    size_t size = walk->pointer.size;
    pointer_push(&walk->pointer, key);
    bool has_memory =
        span_is_absent(stored) || span_is_absent(expected)
            ? verify_fields_add(walk->fields, buffer_span(&walk->pointer), stored, expected)
            : diff(walk, stored, expected);
    pointer_pop(&walk->pointer, size);
    return has_memory;
}

static bool diff_maps(struct walk *walk, struct span stored, struct span expected)
{
    struct stored_map map;
    if (!index_map(stored, walk->fields->arena, &map)) {
        return false;
    }
    struct wire_cursor cursor = wire_cursor_of(expected);
    uint32_t count = wire_read(&cursor).count;
    for (uint32_t i = 0; i < count; i++) {
        struct span key = wire_read_text(&cursor);
        struct span value = wire_skip(&cursor);
        uint32_t place = 0;
        bool is_there = key_index_find(&map.index, key, &place);
        if (is_there) {
            map.is_found[place] = true;
        }
        if (!diff_member(walk, key, is_there ? map.values[place] : (struct span){0}, value)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < map.count; i++) {
        if (!map.is_found[i] && !diff_member(walk, map.keys[i], map.values[i], (struct span){0})) {
            return false;
        }
    }
    return true;
}

/* Recursion is bounded by the nesting that a stored value may have. */
static bool diff(struct walk *walk, struct span stored, struct span expected)
{
    if (span_equal(stored, expected)) {
        return true;
    }
    if (wire_peek(stored).type == WIRE_MAP && wire_peek(expected).type == WIRE_MAP) {
        return diff_maps(walk, stored, expected);
    }
    return values_are_equal(stored, expected) ||
           verify_fields_add(walk->fields, buffer_span(&walk->pointer), stored, expected);
}

bool verify_fields_diff(struct verify_fields *fields, struct span stored, struct span expected)
{
    struct walk walk = {.fields = fields};
    buffer_init(&walk.pointer, POINTER_BYTES_MAX);
    bool has_memory = diff(&walk, stored, expected);
    buffer_deinit(&walk.pointer);
    return has_memory;
}
