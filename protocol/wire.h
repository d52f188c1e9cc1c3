/**
 * MessagePack read in place: a structural check of a whole message, then cursors over bytes that
 * passed it.
 *
 * Why not msgpack-c's unpacker: it allocates by the count a message claims (5 bytes can reserve
 * 512 MiB), reports deep nesting as out of memory, takes trailing bytes and duplicate keys as
 * success, and gives objects where the byte-exact preservation of protocol.md section 3 needs views
 * of the bytes. msgpack-c is the oracle of this module's tests.
 *
 * Lifetime: values are views into the message. Nothing allocates except wire_check_strict() for
 * maps of more than 16 keys (arena, up to 48 bytes per key). Threading: stateless. Cost: one pass
 * per call, two for a structural check of bytes that break a rule; no recursion.
 */
#ifndef SCENESYNC_PROTOCOL_WIRE_H
#define SCENESYNC_PROTOCOL_WIRE_H

#include "protocol/arena.h"
#include "protocol/error.h"

enum wire_type {
    WIRE_NIL,
    WIRE_BOOL,
    WIRE_UINT, /* a non-negative integer, in any encoding */
    WIRE_INT,  /* a negative integer */
    WIRE_FLOAT,
    WIRE_STR,
    WIRE_BIN,
    WIRE_ARRAY,
    WIRE_MAP,
    WIRE_EXT
};

/** One value's head. For a container the children follow at the cursor. */
struct wire_value {
    enum wire_type type;
    int8_t ext_type; /* EXT */
    union {
        bool boolean;
        uint64_t uint;
        int64_t sint;
        double real;    /* a float32 widened exactly */
        uint32_t count; /* ARRAY: items; MAP: pairs */
    };
    struct span body; /* STR, BIN, EXT: the payload */
};

/** A place in checked bytes. Reading past the end or unchecked bytes is a bug and asserts. */
struct wire_cursor {
    const uint8_t *at, *end;
};

struct wire_structure {
    uint32_t depth; /* deepest nesting of containers: 0 for a scalar, 1 for {} */
    /* The whole message passes wire_check_strict() too, so none of its values has to be checked
     * again. False: it does not, or nobody looked so far. */
    bool is_strict;
};

/**
 * Checks that `message` is exactly one well-formed MessagePack value: no reserved byte, nothing cut
 * off, no count beyond what the remaining bytes could hold, nothing behind it, not empty. Any
 * depth is accepted, in constant memory: nesting beyond LIMITS_DEPTH_CEILING + 8 is reported as
 * that number. Fails with ERROR_NOT_MESSAGEPACK and a message that names the byte offset.
 */
__attribute__((warn_unused_result)) bool
wire_check_structure(struct span message, struct wire_structure *out, struct error *error);

struct wire_cursor wire_cursor_of(struct span checked);
bool wire_at_end(const struct wire_cursor *cursor);

/** Reads the head at the cursor and moves behind it (to the first child of a container). */
struct wire_value wire_read(struct wire_cursor *cursor);

/** Reads a str and returns its text. Cheaper than wire_read(); anything but a str is a bug. */
struct span wire_read_text(struct wire_cursor *cursor);

/** Moves over one whole value, children included, and returns its bytes. */
struct span wire_skip(struct wire_cursor *cursor);

/** The head of the value that `raw` holds. */
struct wire_value wire_peek(struct span raw);

bool wire_is_nil(struct span raw);
bool wire_is_map(struct span raw);
bool wire_is_bool(struct span raw);
bool wire_is_str(struct span raw);

/**
 * The rules that hold inside operations and sections (protocol.md section 2, "Throughout the
 * protocol"): map keys are strings, unique, never `__proto__`; strings are valid UTF-8; no
 * extension types. `raw` is one structurally checked value. On failure sets the given `code` and a
 * message that names the place as a JSON Pointer below `raw` and, for extension types that
 * msgpackr writes (0x72 'r' records, 0x00 undefined), the cure (`useRecords: false`,
 * `encodeUndefinedAsNil: true`). ERROR_OUT_OF_MEMORY where the arena is exhausted.
 */
__attribute__((warn_unused_result)) bool
wire_check_strict(struct span raw, struct arena *arena, enum error_code code, struct error *error);

/** The same for the value at the cursor, which then moves behind it; on failure it stays. */
__attribute__((warn_unused_result)) bool wire_check_strict_next(struct wire_cursor *cursor,
                                                                struct arena *arena,
                                                                enum error_code code,
                                                                struct error *error);

/** Finds a key in a checked map. Returns the value's bytes, or an absent span. O(pairs). */
struct span wire_map_find_key(struct span map, struct span key);

static inline struct span wire_map_find(struct span map, const char *key)
{
    return wire_map_find_key(map, span_of_text(key));
}

/** As wire_map_find(), and a nil value counts as absent (protocol.md section 2). */
struct span wire_map_find_optional(struct span map, const char *key);

/**
 * protocol.md's *uint*: a non-negative integer, or a float with an integral value up to 2^53.
 * Returns false for anything else and leaves `out` alone.
 */
__attribute__((warn_unused_result)) bool wire_as_uint(const struct wire_value *value,
                                                      uint64_t *out);

/** The same for a timestamp: of a fraction the integral part counts. Negative, NaN: false. */
__attribute__((warn_unused_result)) bool wire_as_timestamp(const struct wire_value *value,
                                                           uint64_t *out);

/** A finite number of any encoding as a double; false for anything else. */
__attribute__((warn_unused_result)) bool wire_as_number(const struct wire_value *value,
                                                        double *out);

/** A type's name for messages: "nil", "a bool", "an integer", "a str", "a map" … Static. */
const char *wire_type_name(enum wire_type type);

#endif
