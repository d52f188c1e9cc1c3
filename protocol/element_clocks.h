/**
 * Keeping an element's clocks true: what an operation that is applied does to them (protocol.md
 * section 4, "per property").
 *
 * Clocks are taken as clocks_decode() gave them and changed in place; clocks_encode() ends it.
 * Lifetime: entries may view the document, the operation and the arena. Threading: stateless. Cost:
 * O(stored pairs of the maps that are changed + clocks + changes, the new ones sorted); recursion
 * follows the nesting of the changes.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_CLOCKS_H
#define SCENESYNC_PROTOCOL_ELEMENT_CLOCKS_H

#include "protocol/clocks.h"

/** An operation, or that part of one, that is written to an element. */
struct element_edit {
    struct span document; /* the element as it was */
    struct span content;  /* an update's changes, or the element of an add that is merged */
    bool is_add;
    uint64_t time_ms;
};

/** The clocks of an element as a checked add (`element`, as received) makes it: what it leaves to
 * defaults was never written. Fails with ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool
element_clocks_of_add(struct span element, uint64_t time_ms, struct arena *arena,
                      struct clocks *out, struct error *error);

/**
 * Notes that all of `edit` is written. Clocks never go back. Where the new ones would take more
 * than `bytes_max` bytes they are folded (clocks_encode()), to `latest_ms`. Fails with
 * ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool
element_clocks_note(struct clocks *clocks, const struct element_edit *edit, size_t bytes_max,
                    uint64_t latest_ms, struct arena *arena, struct error *error);

/**
 * The add clock becomes `time_ms`, which is later: what had the old one without saying so in
 * `document`, the element as it is now, says so from here on. The same limit; the same failure.
 */
__attribute__((warn_unused_result)) bool
element_clocks_raise_add(struct clocks *clocks, struct span document, uint64_t time_ms,
                         size_t bytes_max, uint64_t latest_ms, struct arena *arena,
                         struct error *error);

#endif
