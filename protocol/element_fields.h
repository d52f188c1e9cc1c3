/**
 * The fields of an element that the protocol knows (protocol.md section 3): their names, which
 * values they take, how a value is stored, what stands in for a missing one. Private to element*.c.
 *
 * Threading: stateless. Cost: as said at each function.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_FIELDS_H
#define SCENESYNC_PROTOCOL_ELEMENT_FIELDS_H

#include "protocol/buffer.h"
#include "protocol/limits.h"
#include "protocol/wire_scan.h"

/* The order of each enumeration is the order in which defaults are written. */
enum element_field {
    ELEMENT_ID,
    ELEMENT_KIND,
    ELEMENT_TRANSFORM,
    ELEMENT_INTERACTIVE,
    ELEMENT_SELECTED,
    ELEMENT_PARENT,
    ELEMENT_FIELD_COUNT /* a field that the protocol does not know */
};

enum transform_field {
    TRANSFORM_X,
    TRANSFORM_Y,
    TRANSFORM_WIDTH,
    TRANSFORM_HEIGHT,
    TRANSFORM_ROTATION,
    TRANSFORM_Z_INDEX,
    TRANSFORM_FIELD_COUNT
};

/** The names behind one of the enumerations. */
struct field_set {
    const struct span *names;
    unsigned count;
};

extern const struct field_set element_fields, transform_fields;

/* What follows is inline, because it runs for every key of every element and change. */

static inline bool key_is(struct span key, const char *name, size_t size)
{
    return key.size == size && memcmp(key.data, name, size) == 0;
}

/** The field of an element that has this key. By size, since no two names have the same. */
static inline enum element_field element_field_of(struct span key)
{
    switch (key.size) {
    case 2:
        return key_is(key, "id", 2) ? ELEMENT_ID : ELEMENT_FIELD_COUNT;
    case 4:
        return key_is(key, "kind", 4) ? ELEMENT_KIND : ELEMENT_FIELD_COUNT;
    case 6:
        return key_is(key, "parent", 6) ? ELEMENT_PARENT : ELEMENT_FIELD_COUNT;
    case 8:
        return key_is(key, "selected", 8) ? ELEMENT_SELECTED : ELEMENT_FIELD_COUNT;
    case 9:
        return key_is(key, "transform", 9) ? ELEMENT_TRANSFORM : ELEMENT_FIELD_COUNT;
    case 11:
        return key_is(key, "interactive", 11) ? ELEMENT_INTERACTIVE : ELEMENT_FIELD_COUNT;
    default:
        return ELEMENT_FIELD_COUNT;
    }
}

/** The same for a transform's. */
static inline enum transform_field transform_field_of(struct span key)
{
    switch (key.size) {
    case 1:
        return *key.data == 'x'   ? TRANSFORM_X
               : *key.data == 'y' ? TRANSFORM_Y
                                  : TRANSFORM_FIELD_COUNT;
    case 5:
        return key_is(key, "width", 5) ? TRANSFORM_WIDTH : TRANSFORM_FIELD_COUNT;
    case 6:
        return key_is(key, "height", 6) ? TRANSFORM_HEIGHT : TRANSFORM_FIELD_COUNT;
    case 7:
        return key_is(key, "z_index", 7) ? TRANSFORM_Z_INDEX : TRANSFORM_FIELD_COUNT;
    case 8:
        return key_is(key, "rotation", 8) ? TRANSFORM_ROTATION : TRANSFORM_FIELD_COUNT;
    default:
        return TRANSFORM_FIELD_COUNT;
    }
}

/** The place of `key` in the set, or the set's count for a field that the protocol does not know.
 */
static inline unsigned field_find(const struct field_set *set, struct span key)
{
    return set == &element_fields ? (unsigned)element_field_of(key)
                                  : (unsigned)transform_field_of(key);
}

/** A key with its value, as they stand in a checked map. */
struct element_pair {
    const uint8_t *start; /* of the key */
    struct span key;      /* the key's text */
    struct span value;    /* the value's bytes */
};

/** Where the key ends, and the value begins. */
static inline const uint8_t *element_key_end(const struct element_pair *pair)
{
    return pair->key.data + pair->key.size;
}

/** Where the pair ends. */
static inline const uint8_t *element_pair_end(const struct element_pair *pair)
{
    return pair->value.data + pair->value.size;
}

/** Reads the pair at the cursor into `pair` and moves behind it. Checked bytes only. */
static inline void element_read_pair(struct wire_cursor *cursor, struct element_pair *pair)
{
    pair->start = cursor->at;
    pair->key = wire_advance_text(cursor);
    pair->value = wire_advance_whole(cursor);
}

/** Appends the bytes from `from` up to `until`. */
static inline void element_append_run(struct buffer *out, const uint8_t *from, const uint8_t *until)
{
    buffer_append(out, from, (size_t)(until - from));
}

/** What becomes of a value of the transform. */
enum transform_verdict {
    TRANSFORM_REFUSED, /* an add may not have it: no finite number, or no integral z_index */
    TRANSFORM_KEPT,    /* it is stored byte for byte */
    TRANSFORM_CLAMPED  /* another value, or another encoding, is stored */
};

enum transform_verdict transform_judge(enum transform_field field, struct span raw);

/** Appends a value that is clamped as it is stored. */
void transform_value_write(enum transform_field field, struct span raw, struct buffer *out);

/** Appends key and default of a field. */
void transform_default_write(enum transform_field field, struct buffer *out);

/** The same for `transform`, `interactive`, `selected` and `parent`, the fields that have one. */
void element_default_write(enum element_field field, struct buffer *out);

/**
 * Checks what holds for `kind` before and after a change: a map with a str `type`, and a text
 * `data.content` within limits->text_bytes_max. `kind` may be absent. O(pairs). Fails with
 * ERROR_INVALID_OPERATION.
 */
__attribute__((warn_unused_result)) bool
element_check_kind(struct span kind, const struct limits *limits, struct error *error);

/**
 * Whether a change of the kind, a map, may make one invalid that is valid: then it has to be looked
 * at afterwards. It may where it puts something else in the place of the type, or a text in that of
 * the content; most do not even have the bytes for a text that is too long. O(pairs).
 */
bool element_may_spoil_kind(struct span change, const struct limits *limits);

/**
 * Ends a document that was appended from `start` on: fails, and takes it back, where the buffer
 * failed (ERROR_OUT_OF_MEMORY) or the document is too large (ERROR_ELEMENT_TOO_LARGE).
 */
__attribute__((warn_unused_result)) bool
element_finish(struct buffer *out, size_t start, const struct limits *limits, struct error *error);

/** Fails with ERROR_OUT_OF_MEMORY. */
bool element_fail_memory(struct error *error);

/** Takes back what was appended from `start` on, and a failure with it. */
void element_take_back(struct buffer *out, size_t start);

#endif
