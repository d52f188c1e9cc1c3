/**
 * The `retry` section of a requeued batch (protocol.md section 6): all that the next attempt must
 * know of the earlier ones.
 *
 * Lifetime: views and arena arrays. Threading: stateless.
 */
#ifndef SCENESYNC_PROTOCOL_RETRY_H
#define SCENESYNC_PROTOCOL_RETRY_H

#include "protocol/limits.h"
#include "protocol/result.h"

enum { RETRY_ATTEMPT_MAX = 1000 };

struct retry_section {
    uint32_t attempt; /* of the coming attempt: 2 for the first retry, up to RETRY_ATTEMPT_MAX */
    uint64_t not_before_ms;
    uint64_t arrival_ms;
    struct source source; /* first delivery */
    uint32_t total;       /* operations in the original batch */
    uint32_t *indexes;    /* original index per operation of this message, strictly ascending */
    uint32_t index_count;
    uint32_t synced_count, clamped_count; /* so far */
    uint64_t duration_ms;                 /* so far */
    uint64_t *attempt_versions;           /* attempt - 1 of them */
    uint32_t attempt_version_count;
    struct conflict_entry *conflicts; /* so far, ascending; bodies absent */
    uint32_t conflict_count;
    struct failure_entry *failures; /* settled ones, ascending; bodies where there was room */
    uint32_t failure_count;
};

/** Appends the section's map, keys in the order of the struct. */
void retry_section_encode(const struct retry_section *section, struct buffer *out);

/**
 * Reads and checks a section (structurally checked bytes): types, ranges, ascending indexes below
 * `total`, counts that add up (synced + settled failures + indexes = total, none of them listed
 * twice). Fails with ERROR_INVALID_RETRY naming the key, or ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool retry_section_decode(struct span raw, struct arena *arena,
                                                              struct retry_section *out,
                                                              struct error *error);

#endif
