#include "tests/model/value.h"

#include <math.h>
#include <stdlib.h>

#define INTEGRAL_REAL_MAX 9007199254740992.0 /* 2^53: above it not every integer is a double */

struct cursor {
    const uint8_t *at, *end;
};

/* What the first bytes of a value say. */
struct head {
    enum value_type type;
    bool boolean;
    uint64_t natural;
    int64_t negative;
    double real;
    uint64_t body_bytes; /* STR, BIN, EXTENSION */
    uint64_t item_count; /* ARRAY, MAP: values that follow, keys included */
};

static bool take(struct cursor *cursor, uint64_t size, struct span *out)
{
    if ((uint64_t)(cursor->end - cursor->at) < size) {
        return false;
    }
    *out = span_make(cursor->at, (size_t)size);
    cursor->at += size;
    return true;
}

static bool take_big_endian(struct cursor *cursor, unsigned size, uint64_t *number)
{
    struct span bytes;
    if (!take(cursor, size, &bytes)) {
        return false;
    }
    *number = 0;
    for (unsigned i = 0; i < size; i++) {
        *number = *number << 8 | bytes.data[i];
    }
    return true;
}

static bool take_real(struct cursor *cursor, unsigned size, struct head *head)
{
    uint64_t bits;
    if (!take_big_endian(cursor, size, &bits)) {
        return false;
    }
    head->type = VALUE_REAL;
    if (size == 4) {
        const uint32_t narrow = (uint32_t)bits;
        float single;
        memcpy(&single, &narrow, sizeof(single));
        head->real = (double)single;
    } else {
        memcpy(&head->real, &bits, sizeof(head->real));
    }
    return true;
}

static void set_signed(struct head *head, int64_t number)
{
    head->type = number < 0 ? VALUE_NEGATIVE : VALUE_NATURAL;
    head->natural = number < 0 ? 0 : (uint64_t)number;
    head->negative = number < 0 ? number : 0;
}

static bool take_signed(struct cursor *cursor, unsigned size, struct head *head)
{
    uint64_t bits;
    if (!take_big_endian(cursor, size, &bits)) {
        return false;
    }
    const uint64_t sign = UINT64_C(1) << (size * 8 - 1);
    int64_t number = (int64_t)(bits & (sign - 1));
    if ((bits & sign) != 0) {
        number += size == 8 ? INT64_MIN : -(int64_t)sign;
    }
    set_signed(head, number);
    return true;
}

static bool take_unsigned(struct cursor *cursor, unsigned size, struct head *head)
{
    head->type = VALUE_NATURAL;
    return take_big_endian(cursor, size, &head->natural);
}

static bool take_body(struct cursor *cursor, unsigned size, enum value_type type, struct head *head)
{
    head->type = type;
    if (!take_big_endian(cursor, size, &head->body_bytes)) {
        return false;
    }
    head->body_bytes += type == VALUE_EXTENSION ? 1 : 0;
    return true;
}

static bool take_count(struct cursor *cursor, unsigned size, enum value_type type,
                       struct head *head)
{
    head->type = type;
    if (!take_big_endian(cursor, size, &head->item_count)) {
        return false;
    }
    head->item_count *= type == VALUE_MAP ? 2 : 1;
    return true;
}

/* The one-byte forms that carry their value or their length. */
static void read_short(uint8_t byte, struct head *head)
{
    if (byte <= 0x7f || byte >= 0xe0) {
        set_signed(head, byte <= 0x7f ? byte : byte - 256);
    } else if (byte <= 0x8f) {
        head->type = VALUE_MAP;
        head->item_count = 2 * (byte & UINT64_C(0x0f));
    } else if (byte <= 0x9f) {
        head->type = VALUE_ARRAY;
        head->item_count = byte & 0x0f;
    } else {
        head->type = VALUE_STR;
        head->body_bytes = byte & 0x1f;
    }
}

static bool read_long(struct cursor *cursor, uint8_t byte, struct head *head)
{
    switch (byte) {
    case 0xc0:
        head->type = VALUE_NIL;
        return true;
    case 0xc2:
    case 0xc3:
        head->type = VALUE_BOOL;
        head->boolean = byte == 0xc3;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_body(cursor, 1U << (byte - 0xc4), VALUE_BIN, head);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return take_body(cursor, 1U << (byte - 0xc7), VALUE_EXTENSION, head);
    case 0xca:
    case 0xcb:
        return take_real(cursor, 4U << (byte - 0xca), head);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_unsigned(cursor, 1U << (byte - 0xcc), head);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_signed(cursor, 1U << (byte - 0xd0), head);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        head->type = VALUE_EXTENSION;
        head->body_bytes = 1 + (UINT64_C(1) << (byte - 0xd4));
        return true;
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_body(cursor, 1U << (byte - 0xd9), VALUE_STR, head);
    case 0xdc:
    case 0xdd:
        return take_count(cursor, 2U << (byte - 0xdc), VALUE_ARRAY, head);
    case 0xde:
    case 0xdf:
        return take_count(cursor, 2U << (byte - 0xde), VALUE_MAP, head);
    default:
        return false; /* 0xc1, which is never used */
    }
}

static bool take_head(struct cursor *cursor, struct head *head)
{
    struct span byte;
    *head = (struct head){0};
    if (!take(cursor, 1, &byte)) {
        return false;
    }
    if (byte.data[0] >= 0xc0 && byte.data[0] <= 0xdf) {
        return read_long(cursor, byte.data[0], head);
    }
    read_short(byte.data[0], head);
    return true;
}

static bool is_container(enum value_type type)
{
    return type == VALUE_ARRAY || type == VALUE_MAP;
}

/* Goes on after one value: how many are left in each container that it may have closed. */
static void close_containers(const uint64_t *left, size_t *open)
{
    while (*open > 0 && left[*open - 1] == 0) {
        (*open)--;
    }
}

/* No recursion: a message may be nested as deep as it has bytes. */
bool value_measure(struct span bytes, size_t *size, uint32_t *depth)
{
    struct cursor cursor = {.at = bytes.data, .end = bytes.data + bytes.size};
    uint64_t *const left = grown(NULL, bytes.size + 1, sizeof(*left));
    size_t open = 0;
    bool is_whole = true;
    *depth = 0;
    do {
        struct head head;
        struct span body;
        is_whole = take_head(&cursor, &head) && take(&cursor, head.body_bytes, &body);
        if (open > 0) {
            left[open - 1]--;
        }
        if (is_whole && is_container(head.type)) {
            left[open++] = head.item_count;
            *depth = open > *depth ? (uint32_t)open : *depth;
        }
        close_containers(left, &open);
    } while (is_whole && open > 0);
    free(left);
    *size = (size_t)(cursor.at - bytes.data);
    return is_whole;
}

static struct value *read_one(struct cursor *cursor, struct pool *pool, unsigned depth);

static void append(struct value *container, struct value *item)
{
    if (container->last == NULL) {
        container->first = item;
    } else {
        container->last->next = item;
    }
    container->last = item;
    container->count++;
}

/* Up to `count` items or members; false where the bytes end before. */
static bool read_items(struct cursor *cursor, struct pool *pool, unsigned depth, uint64_t count,
                       struct value *container)
{
    for (uint64_t i = 0; i < count; i++) {
        struct value *key = NULL;
        if (container->type == VALUE_MAP) {
            key = read_one(cursor, pool, depth);
            i++;
            if (key == NULL) {
                return false;
            }
        }
        struct value *const item = read_one(cursor, pool, depth);
        if (item == NULL) {
            return false;
        }
        item->key = key;
        append(container, item);
    }
    return true;
}

static struct value *read_too_deep(struct cursor *cursor, struct pool *pool)
{
    size_t size;
    uint32_t depth;
    if (!value_measure(span_make(cursor->at, (size_t)(cursor->end - cursor->at)), &size, &depth)) {
        return NULL;
    }
    struct value *const value = pool_alloc(pool, sizeof(*value));
    value->type = VALUE_TOO_DEEP;
    value->raw = span_make(cursor->at, size);
    cursor->at += size;
    return value;
}

static struct value *value_of_head(const struct head *head, struct pool *pool)
{
    struct value *const value = pool_alloc(pool, sizeof(*value));
    value->type = head->type;
    value->boolean = head->boolean;
    value->natural = head->natural;
    value->negative = head->negative;
    value->real = head->real;
    return value;
}

static struct value *read_one(struct cursor *cursor, struct pool *pool, unsigned depth)
{
    const struct cursor start = *cursor;
    struct head head;
    if (!take_head(cursor, &head)) {
        return NULL;
    }
    if (is_container(head.type) && depth == VALUE_DEPTH_MAX) {
        *cursor = start;
        return read_too_deep(cursor, pool);
    }
    struct value *const value = value_of_head(&head, pool);
    if (!take(cursor, head.body_bytes, &value->text) ||
        !read_items(cursor, pool, depth + 1, head.item_count, value)) {
        return NULL;
    }
    value->raw = span_make(start.at, (size_t)(cursor->at - start.at));
    return value;
}

struct value *value_read(struct span bytes, struct pool *pool)
{
    struct cursor cursor = {.at = bytes.data, .end = bytes.data + bytes.size};
    struct value *const value = read_one(&cursor, pool, 0);
    return cursor.at == cursor.end ? value : NULL;
}

struct value *value_read_prefix(struct span bytes, struct pool *pool)
{
    struct cursor cursor = {.at = bytes.data, .end = bytes.data + bytes.size};
    struct head head;
    if (!take_head(&cursor, &head) || head.type != VALUE_MAP) {
        return NULL;
    }
    struct value *const map = value_of_head(&head, pool);
    (void)read_items(&cursor, pool, 1, head.item_count, map);
    return map;
}

/* One character from `at`: its bytes, or 0 where it is not UTF-8. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    if (at[0] < 0x80) {
        return 1;
    }
    const size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || left < length) {
        return 0;
    }
    uint32_t point = at[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3fU);
    }
    const bool is_overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    const bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    return is_overlong || is_surrogate || point > 0x10ffff ? 0 : length;
}

bool span_is_utf8(struct span text)
{
    for (size_t at = 0; at < text.size;) {
        const size_t length = utf8_length(text.data + at, text.size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

static bool is_sound_key(const struct value *map, const struct value *member)
{
    const struct value *const key = member->key;
    return key->type == VALUE_STR && span_is_utf8(key->text) &&
           !span_equal_text(key->text, "__proto__") && value_find_span(map, key->text) == member;
}

bool value_is_sound(const struct value *value)
{
    if (value->type == VALUE_EXTENSION ||
        (value->type == VALUE_STR && !span_is_utf8(value->text))) {
        return false;
    }
    for (const struct value *item = value->first; item != NULL; item = item->next) {
        if ((value->type == VALUE_MAP && !is_sound_key(value, item)) || !value_is_sound(item)) {
            return false;
        }
    }
    return true;
}

bool value_is_text(const struct value *value, const char *text)
{
    return value_is(value, VALUE_STR) && span_equal_text(value->text, text);
}

bool value_as_timestamp(const struct value *value, uint64_t *number)
{
    if (value_is(value, VALUE_NATURAL)) {
        *number = value->natural;
        return true;
    }
    if (value_is(value, VALUE_REAL) && value->real >= 0 && value->real <= INTEGRAL_REAL_MAX) {
        *number = (uint64_t)value->real;
        return true;
    }
    return false;
}

bool value_as_uint(const struct value *value, uint64_t *number)
{
    return value_as_timestamp(value, number) &&
           (value->type == VALUE_NATURAL || floor(value->real) == value->real);
}

bool value_as_number(const struct value *value, double *number)
{
    if (value_is(value, VALUE_NATURAL)) {
        *number = (double)value->natural;
    } else if (value_is(value, VALUE_NEGATIVE)) {
        *number = (double)value->negative;
    } else if (value_is(value, VALUE_REAL) && isfinite(value->real)) {
        *number = value->real;
    } else {
        return false;
    }
    return true;
}
