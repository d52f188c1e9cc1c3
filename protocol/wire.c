#include "protocol/wire.h"

#include <assert.h>
#include <math.h>

#include "protocol/big_endian.h"
#include "protocol/wire_scan.h"

struct wire_cursor wire_cursor_of(struct span checked)
{
    assert(!span_is_absent(checked));
    return (struct wire_cursor){.at = checked.data, .end = checked.data + checked.size};
}

bool wire_at_end(const struct wire_cursor *cursor)
{
    return cursor->at == cursor->end;
}

static struct wire_value value_of_signed(const uint8_t *payload, unsigned width)
{
    uint64_t bits = big_endian_load(payload, width);
    uint64_t sign = UINT64_C(1) << (width * 8 - 1);
    if ((bits & sign) == 0) {
        return (struct wire_value){.type = WIRE_UINT, .uint = bits};
    }
    struct wire_value value = {.type = WIRE_INT};
    uint64_t extended = (bits ^ sign) - sign;
    memcpy(&value.sint, &extended, sizeof extended);
    return value;
}

static double load_float(const uint8_t *payload)
{
    uint32_t bits = (uint32_t)big_endian_load_32(payload);
    float real;
    memcpy(&real, &bits, sizeof real);
    return (double)real;
}

static struct wire_value value_of_ext(const uint8_t *payload, const uint8_t *end)
{
    struct wire_value value = {.type = WIRE_EXT,
                               .body = span_make(payload + 1, (size_t)(end - payload) - 1)};
    memcpy(&value.ext_type, payload, 1);
    return value;
}

/** The value with a lead byte from 0xc0 to 0xdf that stands from `at` to `end`, children apart. */
static struct wire_value read_wide(const uint8_t *at, const uint8_t *end, uint64_t children)
{
    const uint8_t *payload = at + wire_head_size(*at);
    struct span body = span_make(payload, (size_t)(end - payload));
    switch (*at) {
    case 0xc2:
    case 0xc3:
        return (struct wire_value){.type = WIRE_BOOL, .boolean = *at == 0xc3};
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return (struct wire_value){.type = WIRE_BIN, .body = body};
    case 0xca:
        return (struct wire_value){.type = WIRE_FLOAT, .real = load_float(payload)};
    case 0xcb:
        return (struct wire_value){.type = WIRE_FLOAT, .real = big_endian_load_double(payload)};
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return (struct wire_value){.type = WIRE_UINT,
                                   .uint = big_endian_load(payload, 1u << (*at - 0xcc))};
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return value_of_signed(payload, 1u << (*at - 0xd0));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return (struct wire_value){.type = WIRE_STR, .body = body};
    case 0xdc:
    case 0xdd:
        return (struct wire_value){.type = WIRE_ARRAY, .count = (uint32_t)children};
    case 0xde:
    case 0xdf:
        return (struct wire_value){.type = WIRE_MAP, .count = (uint32_t)(children / 2)};
    case 0xc0:
        return (struct wire_value){.type = WIRE_NIL};
    default:
        assert(
            *at !=
            WIRE_LEAD_RESERVED); /* no checked message has it; what is left are extension types */
        return value_of_ext(payload, end);
    }
}

struct wire_value wire_read(struct wire_cursor *cursor)
{
    const uint8_t *at = cursor->at;
    struct wire_extent extent = wire_advance(cursor);
    uint8_t lead = *at;
    if (lead < 0x80) {
        return (struct wire_value){.type = WIRE_UINT, .uint = lead};
    }
    if (lead < 0x90) {
        return (struct wire_value){.type = WIRE_MAP, .count = lead & 0x0fu};
    }
    if (lead < 0xa0) {
        return (struct wire_value){.type = WIRE_ARRAY, .count = lead & 0x0fu};
    }
    if (lead < 0xc0) {
        return (struct wire_value){.type = WIRE_STR, .body = span_make(at + 1, lead & 0x1fu)};
    }
    if (lead < 0xe0) {
        return read_wide(at, cursor->at, extent.children);
    }
    return (struct wire_value){.type = WIRE_INT, .sint = (int64_t)lead - 0x100};
}

struct span wire_read_text(struct wire_cursor *cursor)
{
    return wire_advance_text(cursor);
}

struct span wire_skip(struct wire_cursor *cursor)
{
    return wire_advance_whole(cursor);
}

struct wire_value wire_peek(struct span raw)
{
    struct wire_cursor cursor = wire_cursor_of(raw);
    return wire_read(&cursor);
}

bool wire_is_nil(struct span raw)
{
    assert(raw.size > 0);
    return *raw.data == WIRE_LEAD_NIL;
}

bool wire_is_map(struct span raw)
{
    assert(raw.size > 0);
    return wire_types[*raw.data] == WIRE_MAP;
}

bool wire_is_bool(struct span raw)
{
    assert(raw.size > 0);
    return wire_types[*raw.data] == WIRE_BOOL;
}

bool wire_is_str(struct span raw)
{
    assert(raw.size > 0);
    return wire_types[*raw.data] == WIRE_STR;
}

struct span wire_map_find_key(struct span map, struct span wanted)
{
    struct wire_cursor cursor = wire_cursor_of(map);
    uint32_t pairs = wire_advance_map(&cursor);
    for (uint32_t i = 0; i < pairs; i++) {
        bool is_wanted = false;
        if (wire_lead_is_str(*cursor.at)) {
            is_wanted = span_equal(wire_advance_text(&cursor), wanted);
        } else {
            (void)wire_advance_whole(&cursor);
        }
        struct span value = wire_advance_whole(&cursor);
        if (is_wanted) {
            return value;
        }
    }
    return (struct span){0};
}

struct span wire_map_find_optional(struct span map, const char *key)
{
    struct span value = wire_map_find(map, key);
    if (!span_is_absent(value) && wire_is_nil(value)) {
        return (struct span){0};
    }
    return value;
}

/* Above this a float does not hold every integer, so it may be a neighbour of what was meant. */
static const double exact_integer_max = 9007199254740992.0; /* 2^53 */

bool wire_as_timestamp(const struct wire_value *value, uint64_t *out)
{
    if (value->type == WIRE_UINT) {
        *out = value->uint;
        return true;
    }
    if (value->type == WIRE_FLOAT && value->real >= 0.0 && value->real <= exact_integer_max) {
        *out = (uint64_t)value->real;
        return true;
    }
    return false;
}

bool wire_as_uint(const struct wire_value *value, uint64_t *out)
{
    uint64_t integral;
    if (!wire_as_timestamp(value, &integral) ||
        (value->type == WIRE_FLOAT && (double)integral < value->real)) {
        return false;
    }
    *out = integral;
    return true;
}

bool wire_as_number(const struct wire_value *value, double *out)
{
    if (value->type == WIRE_UINT) {
        *out = (double)value->uint;
        return true;
    }
    if (value->type == WIRE_INT) {
        *out = (double)value->sint;
        return true;
    }
    if (value->type == WIRE_FLOAT && isfinite(value->real)) {
        *out = value->real;
        return true;
    }
    return false;
}

const char *wire_type_name(enum wire_type type)
{
    static const char *const names[] = {
        [WIRE_NIL] = "nil",         [WIRE_BOOL] = "a bool",
        [WIRE_UINT] = "an integer", [WIRE_INT] = "a negative integer",
        [WIRE_FLOAT] = "a float",   [WIRE_STR] = "a str",
        [WIRE_BIN] = "a bin",       [WIRE_ARRAY] = "an array",
        [WIRE_MAP] = "a map",       [WIRE_EXT] = "an extension type",
    };
    assert(type <= WIRE_EXT);
    return names[type];
}
