/**
 * The innermost step of everything that walks MessagePack: how far a value reaches, by its first
 * bytes. Inline, because it runs once per value of every message. Private to the walkers.
 *
 * Threading: stateless. Cost: one look-up for nearly every value.
 */
#ifndef SCENESYNC_PROTOCOL_WIRE_SCAN_H
#define SCENESYNC_PROTOCOL_WIRE_SCAN_H

#include <assert.h>

#include "protocol/big_endian.h"
#include "protocol/limits.h"
#include "protocol/wire.h"

/* How far nesting is followed; the few levels beyond the ceiling let a check see what is too deep.
 */
enum { WIRE_DEPTH_MAX = LIMITS_DEPTH_CEILING + 8 };

enum {
    WIRE_LEAD_RESERVED = 0xc1,
    WIRE_LEAD_NIL = 0xc0,
    WIRE_LEAD_DOUBLE = 0xcb,
    WIRE_LEAD_UINT_64 = 0xcf,
    WIRE_LEAD_STR_8 = 0xd9
};

/**
 * The size of a value by its lead byte, and the values that follow: a container's head, with its
 * children. 0 where the byte alone does not tell: where a length stands behind it, and for 0xc1,
 * which MessagePack never uses.
 */
extern const uint8_t wire_fixed_sizes[256];
extern const uint8_t wire_fixed_children[256];

/**
 * What type a value is, by its lead byte: an enum wire_type. WIRE_INT for every signed encoding,
 * also of a number that is not negative; anything for 0xc1.
 */
extern const uint8_t wire_types[256];

/** The width of the length behind a lead byte from 0xc0 to 0xdf; 0 where there is none. */
extern const uint8_t wire_length_widths[32];

/** How far a value reaches. Where it is cut off, `size` is more than what is left. */
struct wire_extent {
    uint64_t size;     /* bytes up to the next value: of a container, the head */
    uint64_t children; /* values that follow */
};

static inline bool wire_lead_is_str(uint8_t lead)
{
    return wire_types[lead] == WIRE_STR;
}

static inline bool wire_lead_is_map(uint8_t lead)
{
    return wire_types[lead] == WIRE_MAP;
}

static inline bool wire_lead_is_container(uint8_t lead)
{
    return (lead >= 0x80 && lead < 0xa0) || (lead >= 0xdc && lead < 0xe0);
}

static inline bool wire_lead_is_ext(uint8_t lead)
{
    return wire_types[lead] == WIRE_EXT;
}

/** Whether no map may have this key: JavaScript takes it for the object's prototype. */
static inline bool wire_key_is_forbidden(struct span key)
{
    static const char forbidden[] = "__proto__";
    return key.size == sizeof forbidden - 1 && memcmp(key.data, forbidden, key.size) == 0;
}

/** The size of a value's head: the lead byte and the length behind it. */
static inline unsigned wire_head_size(uint8_t lead)
{
    return lead >= 0xc0 && lead < 0xe0 ? 1u + wire_length_widths[lead - 0xc0] : 1u;
}

/** Measures a value whose lead byte does not tell its size. */
struct wire_extent wire_measure_open(const uint8_t *at, size_t left);

/** Measures the value at `at`, of which `left` bytes may be looked at, 1 at least. */
static inline struct wire_extent wire_measure(const uint8_t *at, size_t left)
{
    uint8_t lead = *at;
    uint8_t size = wire_fixed_sizes[lead];
    if (size > 0) {
        return (struct wire_extent){.size = size, .children = wire_fixed_children[lead]};
    }
    if (lead == WIRE_LEAD_STR_8 && left >= 2) { /* the texts of most elements */
        return (struct wire_extent){.size = 2u + at[1]};
    }
    return wire_measure_open(at, left);
}

/** Moves behind the value at the cursor, to the first child of a container. Checked bytes only. */
static inline struct wire_extent wire_advance(struct wire_cursor *cursor)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    assert(left > 0);
    struct wire_extent extent = wire_measure(cursor->at, left);
    assert(extent.size <= left);
    cursor->at += extent.size;
    return extent;
}

/** A map whose number of pairs stands in the lead byte, as those of nearly all do. */
static inline bool wire_lead_is_short_map(uint8_t lead)
{
    return (lead & 0xf0u) == 0x80u;
}

/** Moves behind the head of the map at the cursor and returns its pairs. Checked bytes only. */
static inline uint32_t wire_advance_map(struct wire_cursor *cursor)
{
    assert(cursor->at < cursor->end);
    if (wire_lead_is_short_map(*cursor->at)) {
        return *cursor->at++ & 0x0fu;
    }
    assert(wire_lead_is_map(*cursor->at));
    return (uint32_t)(wire_advance(cursor).children / 2);
}

/** A str whose length stands in the lead byte, as those of nearly all keys do. */
static inline bool wire_lead_is_short_str(uint8_t lead)
{
    return (lead & 0xe0u) == 0xa0u;
}

/** Moves behind the str at the cursor and returns its text. Checked bytes only. */
static inline struct span wire_advance_text(struct wire_cursor *cursor)
{
    assert(cursor->at < cursor->end);
    if (wire_lead_is_short_str(*cursor->at)) {
        struct span short_text = span_make(cursor->at + 1, *cursor->at & 0x1fu);
        cursor->at += 1 + short_text.size;
        assert(cursor->at <= cursor->end);
        return short_text;
    }
    const uint8_t *text = cursor->at + wire_head_size(*cursor->at);
    assert(wire_lead_is_str(*cursor->at));
    (void)wire_advance(cursor);
    return span_make(text, (size_t)(cursor->at - text));
}

/** wire_peek() for what it is called on most: the common encodings of texts and numbers are read
 * without a call. */
static inline struct wire_value wire_peek_inline(struct span raw)
{
    assert(raw.size > 0);
    uint8_t lead = *raw.data;
    if (wire_lead_is_short_str(lead)) {
        assert(raw.size > (lead & 0x1fu));
        return (struct wire_value){.type = WIRE_STR, .body = span_make(raw.data + 1, lead & 0x1fu)};
    }
    if (lead == WIRE_LEAD_UINT_64) {
        assert(raw.size > sizeof(uint64_t));
        return (struct wire_value){.type = WIRE_UINT, .uint = big_endian_load_64(raw.data + 1)};
    }
    return wire_peek(raw);
}

/** Moves behind the value at the cursor and all its children. Checked bytes only. */
static inline struct span wire_advance_whole(struct wire_cursor *cursor)
{
    const uint8_t *start = cursor->at;
    const uint8_t *at = start;
    uint64_t pending = 1;
    do {
        assert(at <
               cursor->end); /* so nothing is read behind it, and the last step is seen below */
        struct wire_extent extent = wire_measure(at, (size_t)(cursor->end - at));
        at += extent.size;
        pending += extent.children - 1;
    } while (pending > 0);
    assert(at <= cursor->end);
    cursor->at = at;
    return span_make(start, (size_t)(at - start));
}

/**
 * The same for a member of a container whose bytes the cursor was made of. The last one is all that
 * is left, so it is not walked through: often that is nearly everything.
 */
static inline struct span wire_advance_member(struct wire_cursor *cursor, bool is_last)
{
    if (!is_last) {
        return wire_advance_whole(cursor);
    }
    struct span value = span_make(cursor->at, (size_t)(cursor->end - cursor->at));
    cursor->at = cursor->end;
    return value;
}

#endif
