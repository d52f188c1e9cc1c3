/* Trees that are searched, changed, written and compared (value.h). */
#include "tests/model/value.h"

#include <stdio.h>
#include <stdlib.h>

struct value *value_find_span(const struct value *map, struct span key)
{
    if (!value_is(map, VALUE_MAP)) {
        return NULL;
    }
    struct value *member = map->first;
    while (member != NULL &&
           !(member->key->type == VALUE_STR && span_equal(member->key->text, key))) {
        member = member->next;
    }
    return member;
}

struct value *value_find(const struct value *map, const char *key)
{
    return value_find_span(map, span_of_text(key));
}

struct value *value_find_given(const struct value *map, const char *key)
{
    struct value *const member = value_find(map, key);
    return value_is(member, VALUE_NIL) ? NULL : member;
}

static void write_byte(uint8_t *out, size_t *size, uint64_t byte)
{
    out[(*size)++] = (uint8_t)byte;
}

/* A head of one byte and a big-endian number of `bytes` behind it. */
static void write_number(uint8_t *out, size_t *size, uint8_t head, uint64_t number, unsigned bytes)
{
    write_byte(out, size, head);
    for (unsigned i = bytes; i > 0; i--) {
        write_byte(out, size, number >> (8 * (i - 1)) & 0xff);
    }
}

static void write_natural(uint8_t *out, size_t *size, uint64_t number)
{
    if (number <= 0x7f) {
        write_byte(out, size, number);
    } else if (number <= UINT8_MAX) {
        write_number(out, size, 0xcc, number, 1);
    } else if (number <= UINT16_MAX) {
        write_number(out, size, 0xcd, number, 2);
    } else if (number <= UINT32_MAX) {
        write_number(out, size, 0xce, number, 4);
    } else {
        write_number(out, size, 0xcf, number, 8);
    }
}

static void write_negative(uint8_t *out, size_t *size, int64_t number)
{
    if (number >= -32) {
        write_byte(out, size, (uint64_t)number & 0xff);
    } else if (number >= INT8_MIN) {
        write_number(out, size, 0xd0, (uint64_t)number, 1);
    } else if (number >= INT16_MIN) {
        write_number(out, size, 0xd1, (uint64_t)number, 2);
    } else if (number >= INT32_MIN) {
        write_number(out, size, 0xd2, (uint64_t)number, 4);
    } else {
        write_number(out, size, 0xd3, (uint64_t)number, 8);
    }
}

static void write_str_head(uint8_t *out, size_t *size, size_t length)
{
    if (length <= 31) {
        write_byte(out, size, 0xa0 | length);
    } else if (length <= UINT8_MAX) {
        write_number(out, size, 0xd9, length, 1);
    } else if (length <= UINT16_MAX) {
        write_number(out, size, 0xda, length, 2);
    } else {
        write_number(out, size, 0xdb, length, 4);
    }
}

static void write_map_head(uint8_t *out, size_t *size, size_t count)
{
    if (count <= 15) {
        write_byte(out, size, 0x80 | count);
    } else if (count <= UINT16_MAX) {
        write_number(out, size, 0xde, count, 2);
    } else {
        write_number(out, size, 0xdf, count, 4);
    }
}

enum { HEAD_BYTES_MAX = 9 };

static struct value *computed(struct pool *pool, enum value_type type)
{
    struct value *const value = pool_alloc(pool, sizeof(*value));
    value->type = type;
    value->is_computed = true;
    return value;
}

static void set_raw(struct value *value, struct pool *pool, const uint8_t *bytes, size_t size)
{
    value->raw = pool_copy(pool, span_make(bytes, size));
}

struct value *value_of_map(struct pool *pool)
{
    return computed(pool, VALUE_MAP);
}

struct value *value_of_nil(struct pool *pool)
{
    struct value *const value = computed(pool, VALUE_NIL);
    set_raw(value, pool, (const uint8_t[]){0xc0}, 1);
    return value;
}

struct value *value_of_bool(struct pool *pool, bool boolean)
{
    struct value *const value = computed(pool, VALUE_BOOL);
    value->boolean = boolean;
    set_raw(value, pool, (const uint8_t[]){boolean ? 0xc3 : 0xc2}, 1);
    return value;
}

struct value *value_of_integer(struct pool *pool, int64_t number)
{
    struct value *const value = computed(pool, number < 0 ? VALUE_NEGATIVE : VALUE_NATURAL);
    uint8_t bytes[HEAD_BYTES_MAX];
    size_t size = 0;
    if (number < 0) {
        value->negative = number;
        write_negative(bytes, &size, number);
    } else {
        value->natural = (uint64_t)number;
        write_natural(bytes, &size, (uint64_t)number);
    }
    set_raw(value, pool, bytes, size);
    return value;
}

/* Small whole numbers as integers, the rest as float64: how many bytes it takes is all that this
 * decides. */
struct value *value_of_real(struct pool *pool, double number)
{
    struct value *const value = computed(pool, VALUE_REAL);
    value->real = number;
    uint8_t bytes[HEAD_BYTES_MAX];
    size_t size = 0;
    uint64_t bits;
    if (number >= 0 && number <= 0x7f && (double)(uint64_t)number == number) {
        write_natural(bytes, &size, (uint64_t)number);
    } else {
        memcpy(&bits, &number, sizeof(bits));
        write_number(bytes, &size, 0xcb, bits, 8);
    }
    set_raw(value, pool, bytes, size);
    return value;
}

struct value *value_of_text(struct pool *pool, struct span text)
{
    struct value *const value = computed(pool, VALUE_STR);
    uint8_t *const bytes = pool_alloc(pool, HEAD_BYTES_MAX + text.size);
    size_t size = 0;
    write_str_head(bytes, &size, text.size);
    if (text.size > 0) {
        memcpy(bytes + size, text.data, text.size);
    }
    value->text = span_make(bytes + size, text.size);
    value->raw = span_make(bytes, size + text.size);
    return value;
}

void value_set(struct value *map, struct value *key, struct value *member)
{
    struct value **place = &map->first;
    while (*place != NULL && !span_equal((*place)->key->text, key->text)) {
        place = &(*place)->next;
    }
    struct value *const old = *place;
    member->key = key;
    member->next = old == NULL ? NULL : old->next;
    *place = member;
    if (member->next == NULL) {
        map->last = member;
    }
    map->count += old == NULL ? 1 : 0;
    map->raw = (struct span){0};
}

void value_set_text(struct value *map, const char *key, struct value *member, struct pool *pool)
{
    value_set(map, value_of_text(pool, span_of_text(key)), member);
}

void value_unset(struct value *map, struct span key)
{
    struct value *before = NULL;
    for (struct value *member = map->first; member != NULL; member = member->next) {
        if (span_equal(member->key->text, key)) {
            *(before == NULL ? &map->first : &before->next) = member->next;
            map->last = member->next == NULL ? before : map->last;
            map->count--;
            map->raw = (struct span){0};
            return;
        }
        before = member;
    }
}

static struct value *copy_node(const struct value *value, struct pool *pool)
{
    struct value *const copy = pool_alloc(pool, sizeof(*copy));
    *copy = *value;
    copy->key = copy->first = copy->last = copy->next = NULL;
    if (value->type == VALUE_MAP) {
        copy->count = 0;
        copy->raw = (struct span){0};
        return copy;
    }
    copy->raw = pool_copy(pool, value->raw);
    if (!span_is_absent(value->text)) {
        copy->text =
            span_make(copy->raw.data + (value->text.data - value->raw.data), value->text.size);
    }
    return copy;
}

struct value *value_copy(const struct value *value, struct pool *pool)
{
    struct value *const copy = copy_node(value, pool);
    if (value->type != VALUE_MAP) {
        return copy;
    }
    struct value **place = &copy->first;
    for (const struct value *member = value->first; member != NULL; member = member->next) {
        *place = value_copy(member, pool);
        (*place)->key = copy_node(member->key, pool);
        copy->last = *place;
        copy->count++;
        place = &(*place)->next;
    }
    return copy;
}

size_t value_size(const struct value *value)
{
    if (value->type != VALUE_MAP) {
        return value->raw.size;
    }
    uint8_t head[HEAD_BYTES_MAX];
    size_t size = 0;
    write_map_head(head, &size, value->count);
    for (const struct value *member = value->first; member != NULL; member = member->next) {
        size += member->key->raw.size + value_size(member);
    }
    return size;
}

static void write_span(uint8_t *out, size_t *size, struct span bytes)
{
    memcpy(out + *size, bytes.data, bytes.size);
    *size += bytes.size;
}

static void write_value(const struct value *value, uint8_t *out, size_t *size)
{
    if (value->type != VALUE_MAP) {
        write_span(out, size, value->raw);
        return;
    }
    write_map_head(out, size, value->count);
    for (const struct value *member = value->first; member != NULL; member = member->next) {
        write_span(out, size, member->key->raw);
        write_value(member, out, size);
    }
}

struct span value_write(const struct value *value, struct pool *pool)
{
    uint8_t *const bytes = pool_alloc(pool, value_size(value));
    size_t size = 0;
    write_value(value, bytes, &size);
    return span_make(bytes, size);
}

static bool is_integer(const struct value *value)
{
    return value->type == VALUE_NATURAL || value->type == VALUE_NEGATIVE;
}

/* What was computed may be written in any way that says it. */
static bool says_the_same(const struct value *expected, const struct value *found)
{
    double a = 0;
    double b = 0;
    if (expected->type == VALUE_REAL) {
        return value_as_number(expected, &a) && value_as_number(found, &b) && a == b;
    }
    if (is_integer(expected)) {
        return is_integer(found) && expected->natural == found->natural &&
               expected->negative == found->negative;
    }
    return expected->type == found->type && expected->boolean == found->boolean &&
           span_equal(expected->text, found->text);
}

static bool is_same_leaf(const struct value *expected, const struct value *found)
{
    return expected->is_computed ? says_the_same(expected, found)
                                 : span_equal(expected->raw, found->raw);
}

static void name_path(char *path, size_t path_size, struct span key)
{
    char rest[128];
    (void)snprintf(rest, sizeof(rest), "%s", path);
    (void)snprintf(path, path_size, "%.*s%s%s", (int)(key.size > 64 ? 64 : key.size),
                   (const char *)key.data, rest[0] == '\0' ? "" : ".", rest);
}

bool value_is_same(const struct value *expected, const struct value *found, char *path,
                   size_t path_size)
{
    path[0] = '\0';
    if (expected->type != VALUE_MAP || found->type != VALUE_MAP) {
        return expected->type != VALUE_MAP && is_same_leaf(expected, found);
    }
    for (const struct value *member = expected->first; member != NULL; member = member->next) {
        const struct value *const other = value_find_span(found, member->key->text);
        path[0] = '\0';
        if (other == NULL || !value_is_same(member, other, path, path_size)) {
            name_path(path, path_size, member->key->text);
            return false;
        }
    }
    for (const struct value *member = found->first; member != NULL; member = member->next) {
        if (value_find_span(expected, member->key->text) == NULL) {
            name_path(path, path_size, member->key->text);
            return false;
        }
    }
    return expected->count == found->count;
}
