#include "protocol/fields.h"

#include <assert.h>
#include <inttypes.h>

#include "protocol/wire_scan.h"

size_t fields_find_name(const struct field_name *names, size_t count, struct span key)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(span_make(names[i].text, names[i].size), key)) {
            return i;
        }
    }
    return count;
}

void fields_collect(struct span map, const struct field_name *names, size_t count,
                    struct span *values)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (struct span){NULL, 0};
    }
    struct wire_cursor cursor = wire_cursor_of(map);
    const uint32_t pairs = wire_advance_map(&cursor);
    for (uint32_t pair = 0; pair < pairs; pair++) {
        size_t found = count;
        if (wire_lead_is_str(*cursor.at)) {
            found = fields_find_name(names, count, wire_advance_text(&cursor));
        } else {
            (void)wire_advance_whole(&cursor);
        }
        const struct span value = wire_advance_member(&cursor, pair + 1 == pairs);
        if (found < count && span_is_absent(values[found])) {
            values[found] = value;
        }
    }
}

bool fields_is_absent(struct span raw)
{
    return span_is_absent(raw) || wire_is_nil(raw);
}

bool fields_open(struct fields *fields, struct span map)
{
    assert(fields->count <= FIELDS_COUNT_MAX);
    const struct wire_value head = wire_peek(map);
    if (head.type != WIRE_MAP) {
        fields->failed = true;
        return error_set(fields->error, fields->code, "%s must be a map, found %s", fields->where,
                         wire_type_name(head.type));
    }
    fields_collect(map, fields->names, fields->count, fields->values);
    return true;
}

bool fields_has(const struct fields *fields, size_t key)
{
    assert(key < fields->count);
    return !fields_is_absent(fields->values[key]);
}

void fields_fail(struct fields *fields, size_t key, const char *what)
{
    assert(key < fields->count);
    if (!fields->failed) {
        fields->failed = true;
        error_set(fields->error, fields->code, "%s: `%s` %s", fields->where,
                  fields->names[key].text, what);
    }
}

static void fields_fail_type(struct fields *fields, size_t key, const char *allowed)
{
    if (!fields->failed) {
        fields->failed = true;
        error_set(fields->error, fields->code, "%s: `%s` must be %s, found %s", fields->where,
                  fields->names[key].text, allowed,
                  wire_type_name(wire_peek(fields->values[key]).type));
    }
}

/* Whether there is a value to read; an absent one that is required fails. */
static bool fields_take(struct fields *fields, size_t key, struct wire_value *out)
{
    if (fields_has(fields, key)) {
        *out = wire_peek(fields->values[key]);
        return true;
    }
    if (fields->required) {
        fields_fail(fields, key, "is missing");
    }
    return false;
}

uint64_t fields_uint(struct fields *fields, size_t key, uint64_t max)
{
    struct wire_value value;
    uint64_t number = 0;
    if (!fields_take(fields, key, &value)) {
        return 0;
    }
    if (!wire_as_uint(&value, &number)) {
        fields_fail_type(fields, key, "a non-negative integer");
        return 0;
    }
    if (number > max && !fields->failed) {
        fields->failed = true;
        error_set(fields->error, fields->code,
                  "%s: `%s` is %" PRIu64 ", at most %" PRIu64 " is allowed", fields->where,
                  fields->names[key].text, number, max);
    }
    return number > max ? 0 : number;
}

uint32_t fields_uint32(struct fields *fields, size_t key)
{
    return (uint32_t)fields_uint(fields, key, UINT32_MAX);
}

bool fields_bool(struct fields *fields, size_t key)
{
    struct wire_value value;
    if (!fields_take(fields, key, &value)) {
        return false;
    }
    if (value.type != WIRE_BOOL) {
        fields_fail_type(fields, key, "a bool");
        return false;
    }
    return value.boolean;
}

struct span fields_str(struct fields *fields, size_t key)
{
    struct wire_value value;
    if (!fields_take(fields, key, &value)) {
        return (struct span){NULL, 0};
    }
    if (value.type != WIRE_STR) {
        fields_fail_type(fields, key, "a str");
        return (struct span){NULL, 0};
    }
    return value.body;
}

struct span fields_container(struct fields *fields, size_t key, enum wire_type type)
{
    struct wire_value value;
    if (!fields_take(fields, key, &value)) {
        return (struct span){NULL, 0};
    }
    if (value.type != type) {
        fields_fail_type(fields, key, wire_type_name(type));
        return (struct span){NULL, 0};
    }
    return fields->values[key];
}

uint64_t *fields_uint_array(struct fields *fields, size_t key, struct arena *arena, uint32_t *count)
{
    *count = 0;
    const struct span raw = fields_container(fields, key, WIRE_ARRAY);
    if (span_is_absent(raw)) {
        return NULL;
    }
    struct wire_cursor cursor = wire_cursor_of(raw);
    const uint32_t length = wire_read(&cursor).count;
    uint64_t *const items = arena_alloc_array(arena, length, sizeof *items);
    if (items == NULL) {
        fields->failed = true;
        error_set(fields->error, ERROR_OUT_OF_MEMORY, "%s: no memory for %" PRIu32 " numbers",
                  fields->where, length);
        return NULL;
    }
    for (uint32_t i = 0; i < length; i++) {
        const struct wire_value item = wire_peek(wire_skip(&cursor));
        if (!wire_as_uint(&item, &items[i])) {
            fields_fail(fields, key, "must hold non-negative integers only");
            return NULL;
        }
    }
    *count = length;
    return items;
}

void fields_adopt(struct fields *fields, bool ok)
{
    if (ok) {
        return;
    }
    fields->failed = true;
    if (fields->error != NULL && fields->error->code != ERROR_OUT_OF_MEMORY) {
        fields->error->code = fields->code;
    }
}
