#include "protocol/wire_quick.h"

#include "protocol/big_endian.h"
#include "protocol/utf8.h"
#include "protocol/wire_scan.h"

enum {
    MAP_PAIRS_MAX = 32, /* each key is compared with those before it */
    OPEN_KEYS_MAX = 256,
    WORD_BYTES = 8
};

/** A key of a map that is open. */
struct key {
    uint64_t word; /* of its text */
    struct span text;
};

/** A container that is open. */
struct level {
    uint64_t left;   /* items or pairs still to come */
    struct key *key; /* a map's first one; NULL: an array */
};

/** Where the check stands. */
struct walk {
    const uint8_t *at, *end;
    struct level now;          /* the innermost container */
    struct level *outer;       /* those around it stand before this */
    struct level *deepest;     /* as far as `outer` ever went */
    const struct level *limit; /* as far as it may go */
    struct key *key;           /* the keys of all open maps stand before this */
    const struct key *key_limit;
};

/** The first 8 bytes of a text, or all of a shorter one, as a number; bytes up to `end` may be
 * looked at. */
static inline uint64_t word_of(struct span text, const uint8_t *end)
{
    if (end - text.data >= WORD_BYTES) {
        uint64_t word = big_endian_load_64(text.data);
        /* In two steps, for no number may be shifted by all of its bits. */
        return text.size >= WORD_BYTES ? word : word >> 8 >> (56 - 8 * text.size);
    }
    uint64_t word = 0;
    for (size_t i = 0; i < text.size; i++) {
        word = word << 8 | text.data[i];
    }
    return word;
}

/** Passes a value that is no container; false where it is cut off or not allowed. */
static inline bool pass(struct walk *walk, uint64_t size)
{
    if (size > (size_t)(walk->end - walk->at)) {
        return false;
    }
    walk->at += size;
    return true;
}

/** Passes a str; false where it is none, or cut off. */
static inline bool pass_text(struct walk *walk, struct span *text)
{
    if (walk->at == walk->end) {
        return false;
    }
    uint8_t lead = *walk->at;
    if (wire_lead_is_short_str(lead)) {
        *text = span_make(walk->at + 1, lead & 0x1fu);
        return pass(walk, 1 + text->size);
    }
    unsigned head = wire_head_size(lead);
    struct wire_extent extent = wire_measure(walk->at, (size_t)(walk->end - walk->at));
    *text = span_make(walk->at + head, (size_t)extent.size - head);
    return wire_lead_is_str(lead) && pass(walk, extent.size);
}

static inline bool take_key(struct walk *walk)
{
    struct span text;
    if (!pass_text(walk, &text)) {
        return false;
    }
    uint64_t word = word_of(text, walk->end);
    if ((word & UTF8_HIGH_BITS) != 0 || text.size > WORD_BYTES) {
        if (!utf8_is_valid(text) || wire_key_is_forbidden(text)) {
            return false;
        }
    }
    for (const struct key *earlier = walk->now.key; earlier < walk->key; earlier++) {
        if (earlier->word == word && span_equal(earlier->text, text)) {
            return false;
        }
    }
    walk->key->word = word;
    walk->key->text = text;
    walk->key++;
    return true;
}

static inline bool take_text(struct walk *walk)
{
    struct span text;
    if (!pass_text(walk, &text)) {
        return false;
    }
    bool is_ascii = text.size <= WORD_BYTES && (word_of(text, walk->end) & UTF8_HIGH_BITS) == 0;
    return is_ascii || utf8_is_valid(text);
}

/** Goes into a container. */
static inline bool open_level(struct walk *walk, uint8_t lead)
{
    struct wire_extent extent = wire_measure(walk->at, (size_t)(walk->end - walk->at));
    bool is_map = wire_lead_is_map(lead);
    uint64_t count = is_map ? extent.children / 2 : extent.children;
    if (!pass(walk, extent.size) || walk->outer == walk->limit ||
        (is_map && (count > MAP_PAIRS_MAX || count > (size_t)(walk->key_limit - walk->key)))) {
        return false;
    }
    *walk->outer++ = walk->now;
    walk->now = (struct level){.left = count, .key = is_map ? walk->key : NULL};
    if (walk->outer > walk->deepest) {
        walk->deepest = walk->outer;
    }
    return true;
}

static inline bool take_value(struct walk *walk)
{
    if (walk->at == walk->end) {
        return false;
    }
    uint8_t lead = *walk->at;
    if (wire_lead_is_str(lead)) {
        return take_text(walk);
    }
    if (wire_lead_is_container(lead)) {
        return open_level(walk, lead);
    }
    return !wire_lead_is_ext(lead) && lead != WIRE_LEAD_RESERVED &&
           pass(walk, wire_measure(walk->at, (size_t)(walk->end - walk->at)).size);
}

bool wire_quick_check(struct span message, struct wire_structure *out)
{
    struct level levels[WIRE_DEPTH_MAX];
    struct key keys[OPEN_KEYS_MAX];
    struct walk walk = {
        .at = message.data,
        .end = message.data + message.size,
        .now = {.left = 1},
        .outer = levels,
        .deepest = levels,
        .limit = levels + WIRE_DEPTH_MAX,
        .key = keys,
        .key_limit = keys + OPEN_KEYS_MAX,
    };
    for (;;) {
        if (walk.now.left > 0) {
            walk.now.left--;
            if ((walk.now.key != NULL && !take_key(&walk)) || !take_value(&walk)) {
                return false;
            }
        } else if (walk.outer > levels) {
            if (walk.now.key != NULL) {
                walk.key = walk.now.key;
            }
            walk.now = *--walk.outer;
        } else {
            break;
        }
    }
    if (walk.at < walk.end) {
        return false;
    }
    *out = (struct wire_structure){.depth = (uint32_t)(walk.deepest - levels), .is_strict = true};
    return true;
}
