/**
 * What two versions of an element differ in, field by field, named by JSON Pointer (RFC 6901).
 *
 * Meaning counts, not bytes: the order of keys and the width of a number make no difference; an
 * integer and a float do. An array is one value. Lifetime: fields view the values and the arena.
 * Threading: stateless. Cost: O(bytes) expected; nothing where the bytes are equal.
 */
#ifndef SCENESYNC_WORKER_VERIFY_DIFF_H
#define SCENESYNC_WORKER_VERIFY_DIFF_H

#include "protocol/arena.h"

enum { VERIFY_FIELDS_MAX = 16 };

struct verify_field {
    struct span name;             /* a JSON Pointer into the element, or a name without a slash */
    struct span stored, expected; /* MessagePack; absent: not there */
};

struct verify_fields {
    struct arena *arena;
    struct verify_field items[VERIFY_FIELDS_MAX]; /* the first of them */
    size_t count;                                 /* all of them */
};

/** Adds a field. False: out of memory. */
__attribute__((warn_unused_result)) bool verify_fields_add(struct verify_fields *fields,
                                                           struct span name, struct span stored,
                                                           struct span expected);

/** Adds a field with a number on either side where they differ. */
__attribute__((warn_unused_result)) bool verify_fields_compare(struct verify_fields *fields,
                                                               const char *name, uint64_t stored,
                                                               uint64_t expected);

/** A number as MessagePack, in the arena; absent: out of memory. */
struct span verify_fields_number(struct verify_fields *fields, uint64_t number);

/** Adds what differs between two strictly checked values. */
__attribute__((warn_unused_result)) bool
verify_fields_diff(struct verify_fields *fields, struct span stored, struct span expected);

#endif
