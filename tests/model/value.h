/**
 * MessagePack as a plain tree, for the model and the ledger: every node knows the bytes it was read
 * from, so that what must stay untouched can be compared byte for byte.
 *
 * Written from the MessagePack specification, apart from the worker's reader. Lifetime: nodes live
 * in a pool and view the bytes they were read from. Threading: stateless. Cost: one node per value;
 * looking a key up goes through its map.
 */
#ifndef SCENESYNC_TESTS_MODEL_VALUE_H
#define SCENESYNC_TESTS_MODEL_VALUE_H

#include "tests/model/pool.h"

enum value_type {
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_NATURAL,  /* an integer from 0 up */
    VALUE_NEGATIVE, /* an integer below 0 */
    VALUE_REAL,
    VALUE_STR,
    VALUE_BIN,
    VALUE_EXTENSION,
    VALUE_ARRAY,
    VALUE_MAP,
    VALUE_TOO_DEEP /* a container below VALUE_DEPTH_MAX others: its bytes only */
};

enum { VALUE_DEPTH_MAX = 64 };

struct value {
    enum value_type type;
    bool is_computed; /* made by value_of_...(): what it says counts, not how it is written */
    bool boolean;
    uint64_t natural;
    int64_t negative;
    double real;
    struct span text;           /* STR, BIN: the body; EXTENSION: type and body */
    struct span raw;            /* its bytes; of a map that was changed: absent */
    struct value *key;          /* of a member of a map */
    struct value *first, *last; /* ARRAY, MAP: what is in it, linked by `next` */
    struct value *next;
    size_t count; /* ARRAY, MAP: items; members */
};

/** How many bytes the first value takes, and how deep it is nested (1: a container with nothing in
 * it; 0: no container). False where it is cut off or not MessagePack. */
bool value_measure(struct span bytes, size_t *size, uint32_t *depth);

/** Exactly one value, nothing behind it; else NULL. */
struct value *value_read(struct span bytes, struct pool *pool);

/** A map's members as far as they can be read of bytes that may be cut off or damaged; NULL where
 * it does not begin with a map. What follows the map is not looked at. */
struct value *value_read_prefix(struct span bytes, struct pool *pool);

/** Whether all maps and strings in it obey the protocol: keys are strs, unique and not __proto__,
 * strs are UTF-8, there are no extensions. */
bool value_is_sound(const struct value *value);

bool span_is_utf8(struct span text);

/** The member of this name, the first of several; NULL where there is none or `map` is no map. */
struct value *value_find(const struct value *map, const char *key);
struct value *value_find_span(const struct value *map, struct span key);
/** The same, NULL where the member is nil. */
struct value *value_find_given(const struct value *map, const char *key);

/** NULL is nothing. */
static inline bool value_is(const struct value *value, enum value_type type)
{
    return value != NULL && value->type == type;
}

bool value_is_text(const struct value *value, const char *text);

/** The protocol's uint: an integer, or a float without a fraction up to 2^53. */
bool value_as_uint(const struct value *value, uint64_t *number);
/** The same, of a fraction the integral part. */
bool value_as_timestamp(const struct value *value, uint64_t *number);
/** Any finite number. */
bool value_as_number(const struct value *value, double *number);

/** What the model makes itself. */
struct value *value_of_map(struct pool *pool);
struct value *value_of_text(struct pool *pool, struct span text);
struct value *value_of_integer(struct pool *pool, int64_t number);
struct value *value_of_real(struct pool *pool, double number);
struct value *value_of_bool(struct pool *pool, bool boolean);
struct value *value_of_nil(struct pool *pool);

/** Sets a member: replaces the one of that name, or comes last. `member` must be in no map yet. */
void value_set(struct value *map, struct value *key, struct value *member);
void value_set_text(struct value *map, const char *key, struct value *member, struct pool *pool);
/** Removes a member, where there is one of that name. */
void value_unset(struct value *map, struct span key);

/** A copy that views nothing outside of the pool. Arrays are copied as one value, bytes only. */
struct value *value_copy(const struct value *value, struct pool *pool);

/** The bytes it takes when written: what was received as it was, the rest as short as can be. */
size_t value_size(const struct value *value);
/** Writes them behind one another; the pool holds them. */
struct span value_write(const struct value *value, struct pool *pool);

/**
 * Whether `found` is what the model `expected`: maps have the same keys in any order, what was
 * received is equal byte by byte, what was computed says the same. Where not, `path` names the
 * first difference ("transform.x").
 */
bool value_is_same(const struct value *expected, const struct value *found, char *path,
                   size_t path_size);

#endif
