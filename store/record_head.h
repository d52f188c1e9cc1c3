/**
 * The first line of a batch record, "<attempt> <topic>/<partition> <offset>\n": all of a record
 * that a store looks at (record.h; commit.lua reads it the same way).
 *
 * Lifetime: results view the record. Threading: stateless. Cost: O(length of the line).
 */
#ifndef SCENESYNC_STORE_RECORD_HEAD_H
#define SCENESYNC_STORE_RECORD_HEAD_H

#include "protocol/span.h"

struct record_head {
    uint32_t attempt;
    struct span partition_name; /* "<topic>/<partition>" */
    uint64_t offset;            /* at most INT64_MAX */
    struct span rest;           /* what stands behind the line */
};

/** Reads the line; false for an absent record and for bytes without such a line. */
__attribute__((warn_unused_result)) bool record_head_decode(struct span record,
                                                            struct record_head *out);

/** The attempt that a record starts with; 0 for an absent record and for other bytes. */
uint32_t record_head_attempt(struct span record);

/**
 * True while the record may be needed to publish its result again: the offset of its delivery is
 * not below its partition's in `settled_offsets` ("<topic>/<partition>=<offset> " …), or the
 * partition is not named there. False for bytes without such a line.
 */
bool record_head_is_unsettled(struct span record, struct span settled_offsets);

#endif
