#include "protocol/pack.h"

#include "protocol/big_endian.h"

/* First bytes, as the specification names them. */
enum {
    TYPE_FIXMAP = 0x80,
    TYPE_FIXARRAY = 0x90,
    TYPE_NIL = 0xc0,
    TYPE_FALSE = 0xc2,
    TYPE_TRUE = 0xc3,
    TYPE_BIN_8 = 0xc4,
    TYPE_FLOAT_64 = 0xcb,
    TYPE_UINT_8 = 0xcc,
    TYPE_INT_8 = 0xd0,
    TYPE_STR_8 = 0xd9,
    TYPE_ARRAY_16 = 0xdc,
    TYPE_MAP_16 = 0xde
};

enum { HEAD_BYTES_MAX = 5, FIXARRAY_MAX = 15, FIXMAP_MAX = 15 };

static void put_byte(struct buffer *out, uint8_t byte)
{
    uint8_t *at = buffer_extend(out, 1);
    if (at != NULL) {
        *at = byte;
    }
}

static inline void put_number(struct buffer *out, uint8_t type, uint64_t number, unsigned size)
{
    uint8_t *at = buffer_extend(out, 1 + size);
    if (at != NULL) {
        at[0] = type;
        big_endian_store(at + 1, number, size);
    }
}

void pack_nil(struct buffer *out)
{
    put_byte(out, TYPE_NIL);
}

void pack_bool(struct buffer *out, bool value)
{
    put_byte(out, value ? TYPE_TRUE : TYPE_FALSE);
}

/* The types for 8, 16, 32 and 64 bits follow one another. */
void pack_uint(struct buffer *out, uint64_t value)
{
    if (value <= INT8_MAX) {
        put_byte(out, (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        put_number(out, TYPE_UINT_8, value, 1);
    } else if (value <= UINT16_MAX) {
        put_number(out, TYPE_UINT_8 + 1, value, 2);
    } else if (value <= UINT32_MAX) {
        put_number(out, TYPE_UINT_8 + 2, value, 4);
    } else {
        put_number(out, TYPE_UINT_8 + 3, value, 8);
    }
}

void pack_int(struct buffer *out, int64_t value)
{
    enum { FIXINT_MIN = -32 };
    if (value >= 0) {
        pack_uint(out, (uint64_t)value);
    } else if (value >= FIXINT_MIN) {
        put_byte(out, (uint8_t)value);
    } else if (value >= INT8_MIN) {
        put_number(out, TYPE_INT_8, (uint64_t)value, 1);
    } else if (value >= INT16_MIN) {
        put_number(out, TYPE_INT_8 + 1, (uint64_t)value, 2);
    } else if (value >= INT32_MIN) {
        put_number(out, TYPE_INT_8 + 2, (uint64_t)value, 4);
    } else {
        put_number(out, TYPE_INT_8 + 3, (uint64_t)value, 8);
    }
}

void pack_double(struct buffer *out, double value)
{
    uint64_t bits;
    _Static_assert(sizeof bits == sizeof value, "64 bits");
    memcpy(&bits, &value, sizeof bits);
    put_number(out, TYPE_FLOAT_64, bits, sizeof bits);
}

/** Bytes behind their length, for which `type_8` and the two behind it have 8, 16 and 32 bits. */
static void put_bytes(struct buffer *out, uint8_t type_8, struct span bytes)
{
    uint8_t head[HEAD_BYTES_MAX] = {type_8};
    unsigned length_size = 1;
    if (bytes.size > UINT32_MAX) { /* MessagePack has no longer ones */
        out->failed = true;
        return;
    }
    if (bytes.size > UINT16_MAX) {
        head[0] = (uint8_t)(type_8 + 2);
        length_size = 4;
    } else if (bytes.size > UINT8_MAX) {
        head[0] = (uint8_t)(type_8 + 1);
        length_size = 2;
    }
    big_endian_store(head + 1, bytes.size, length_size);
    uint8_t *at = buffer_extend(out, 1 + length_size + bytes.size);
    if (at != NULL) {
        memcpy(at, head, 1 + length_size);
        if (bytes.size > 0) {
            memcpy(at + 1 + length_size, bytes.data, bytes.size);
        }
    }
}

void pack_long_str(struct buffer *out, struct span text)
{
    put_bytes(out, TYPE_STR_8, text);
}

void pack_bin(struct buffer *out, struct span bytes)
{
    put_bytes(out, TYPE_BIN_8, bytes);
}

static void put_count(struct buffer *out, uint8_t type_16, uint32_t count)
{
    if (count <= UINT16_MAX) {
        put_number(out, type_16, count, 2);
    } else {
        put_number(out, (uint8_t)(type_16 + 1), count, 4);
    }
}

void pack_array(struct buffer *out, uint32_t count)
{
    if (count <= FIXARRAY_MAX) {
        put_byte(out, (uint8_t)(TYPE_FIXARRAY | count));
    } else {
        put_count(out, TYPE_ARRAY_16, count);
    }
}

void pack_map(struct buffer *out, uint32_t count)
{
    if (count <= FIXMAP_MAX) {
        put_byte(out, (uint8_t)(TYPE_FIXMAP | count));
    } else {
        put_count(out, TYPE_MAP_16, count);
    }
}

void pack_raw(struct buffer *out, struct span raw)
{
    buffer_append_span(out, raw);
}
