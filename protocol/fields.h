/**
 * The known keys of one map: collected in one pass, then read with checks.
 *
 * For maps whose keys are known beforehand (batches, operations, results, the retry section).
 * Unknown keys are passed over; of a repeated key the first value counts; nil counts as absent
 * (protocol.md section 2), save where the raw values are looked at. Failure sticks, so that a
 * decoder may read all fields in a row and ask once at the end. Lifetime: values are views.
 * Threading: stateless. Cost: O(bytes + pairs * names).
 */
#ifndef SCENESYNC_PROTOCOL_FIELDS_H
#define SCENESYNC_PROTOCOL_FIELDS_H

#include "protocol/wire.h"

enum { FIELDS_COUNT_MAX = 32 };

struct field_name {
    const char *text;
    size_t size; /* bytes, without the terminator */
};

#define FIELD_NAME(literal)                                                                        \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

struct fields {
    const char *where; /* which map it is, for messages: "retry", "a conflict" */
    const struct field_name *names;
    size_t count;                         /* at most FIELDS_COUNT_MAX */
    bool required;                        /* whether reading an absent field fails */
    enum error_code code;                 /* what a failure is called */
    struct error *error;                  /* may be NULL */
    bool failed;                          /* the first failure's message stands in `error` */
    struct span values[FIELDS_COUNT_MAX]; /* absent where the map has no such key */
};

/** The place of `key` among the names, or `count`. */
size_t fields_find_name(const struct field_name *names, size_t count, struct span key);

/** Fills `values` (count of them) with the raw values of the named keys of a checked map. */
void fields_collect(struct span map, const struct field_name *names, size_t count,
                    struct span *values);

/** True for an absent span and for nil. */
bool fields_is_absent(struct span raw);

/** Collects the fields of `map` by what stands in `fields` above `values`; fails (and sets
 * `failed`) where it is not a map. */
bool fields_open(struct fields *fields, struct span map);

bool fields_has(const struct fields *fields, size_t key);

/**
 * Each returns the field's value, or 0, false, an absent span where it is absent. What is of the
 * wrong type or above `max` sets `failed` and the message, and so does what is absent and required.
 */
uint64_t fields_uint(struct fields *fields, size_t key, uint64_t max);
uint32_t fields_uint32(struct fields *fields, size_t key);
bool fields_bool(struct fields *fields, size_t key);
struct span fields_str(struct fields *fields, size_t key);

/** The raw value of an array or a map, for a decoder of its own. */
struct span fields_container(struct fields *fields, size_t key, enum wire_type type);

/** Reads an array of uints into the arena; `*count` is its length, 0 where it is absent. */
uint64_t *fields_uint_array(struct fields *fields, size_t key, struct arena *arena,
                            uint32_t *count);

/** Takes over the failure of a nested decoder: its message, this map's code (OUT_OF_MEMORY stays).
 * `ok` true: nothing happens. */
void fields_adopt(struct fields *fields, bool ok);

/** Sets `failed` and "<where>: `<key>` <what>". */
void fields_fail(struct fields *fields, size_t key, const char *what);

#endif
