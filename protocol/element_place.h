/**
 * Places in a stored element with the clocks that bear on them: what those who walk along an
 * operation's map see of the element beside it. Private to element_*.c.
 *
 * Lifetime: views of the document and the clocks; indexes of large maps in the arena. Threading:
 * stateless. Cost: per level O(pairs of the stored map), and O(key log clocks) per place.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_PLACE_H
#define SCENESYNC_PROTOCOL_ELEMENT_PLACE_H

#include "protocol/clocks.h"
#include "protocol/key_index.h"
#include "protocol/wire.h"

struct element_place {
    struct span value;        /* absent: nothing stands there */
    struct clock_range range; /* the clocks at the place and below it */
    uint64_t above_ms;        /* the latest of what is above it, the floor included */
};

/** The members of what stands in a place, to be looked up one by one. */
struct element_level {
    struct span map; /* absent: it has none */
    bool is_indexed;
    struct key_index index;
    struct span *values; /* of an indexed map, by number */
    struct clock_range range;
    uint64_t above_ms; /* for the members */
};

/** A value that is no map, or an empty one (protocol.md section 4). */
bool element_is_leaf(struct span value);

/** The element as a whole. */
struct element_place element_place_top(struct span document, const struct clocks *clocks);

/** The place's own clock, or NULL. */
struct clock_entry *element_place_own(const struct element_place *place,
                                      const struct element_path *path);

/**
 * The clock of a place: the latest write to it, above it or below it. `path` leads there. O(what
 * stands there and has clocks).
 */
uint64_t element_place_clock(const struct clocks *clocks, const struct element_place *place,
                             const struct element_path *path);

/** Opens the place (`path` NULL: the element) for about `lookups` look-ups. False: no memory. */
__attribute__((warn_unused_result)) bool element_level_open(const struct clocks *clocks,
                                                            const struct element_place *place,
                                                            const struct element_path *path,
                                                            uint32_t lookups, struct arena *arena,
                                                            struct element_level *out);

/** The member that `path`, one further, leads to. */
struct element_place element_level_find(const struct element_level *level,
                                        const struct element_path *path);

#endif
