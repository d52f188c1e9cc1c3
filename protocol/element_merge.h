/**
 * Which properties a stale operation writes (protocol.md section 4, "per property"): those of its
 * leaves whose clocks are not later than it.
 *
 * Lifetime: outputs view the operation or the arena. Threading: stateless. Cost: O(stored pairs of
 * the maps that the operation names + its bytes + the clocks at and below them); recursion follows
 * the nesting of the operation.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_MERGE_H
#define SCENESYNC_PROTOCOL_ELEMENT_MERGE_H

#include "protocol/element_clocks.h"

struct element_selection {
    struct span content; /* of the operation, what is written: changes, or a part of an element */
    uint32_t applied_count, kept_count; /* leaves */
    /* The leaves' pointers: MessagePack arrays of str, in the operation's order. Absent where
     * they would have taken more than there was room for. */
    struct span applied, kept;
};

/**
 * Selects from `edit` (an operation as a whole) by the clocks of the element. With nothing applied
 * `content` is an empty map and the lists are absent. `*list_bytes` is the room for both lists, and
 * then what is left of it. Fails with ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool
element_merge_select(const struct clocks *clocks, const struct element_edit *edit,
                     size_t *list_bytes, struct arena *arena, struct element_selection *out,
                     struct error *error);

#endif
