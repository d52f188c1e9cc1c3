/**
 * What the store has for an element, read: `[version, timestamp, element]`, nil for a tombstone,
 * with the clocks as a 4th item where the element has some, or a bare map (store/README.md).
 * element_value_encode() (scene.h) writes it.
 *
 * Threading: stateless. Cost: O(bytes).
 */
#ifndef SCENESYNC_STORE_ELEMENT_VALUE_H
#define SCENESYNC_STORE_ELEMENT_VALUE_H

#include "protocol/arena.h"
#include "protocol/error.h"
#include "protocol/span.h"

/** Its parts: views of the value. */
struct element_value {
    uint64_t version, timestamp_ms;
    struct span document; /* absent: a tombstone */
    struct span clocks;   /* right behind the document; absent: it has none */
    bool is_strict;       /* both are known to pass wire_check_strict() */
};
__attribute__((warn_unused_result)) bool
element_value_decode(struct span value, struct element_value *out, struct error *error);

/**
 * Checks what a decoded value holds by the rules that the engine relies on: wire_check_strict() for
 * the document, the same and clocks_check() for the clocks. Fails with ERROR_STORE_ERROR, or
 * ERROR_OUT_OF_MEMORY where the arena, which key indexes go to, is exhausted.
 */
__attribute__((warn_unused_result)) bool
element_value_check(const struct element_value *value, struct arena *arena, struct error *error);

#endif
