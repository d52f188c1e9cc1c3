/**
 * An element's clocks: when each of its properties was written last (protocol.md section 4, "per
 * property"), as they are kept beside it in the store, and in memory in order.
 *
 * What is kept is what differs. A value that stands in the element and has no clock of its own has
 * the add's; so an element whose add said everything has that one clock. The stored form is a
 * MessagePack map, JSON Pointer -> milliseconds:
 *
 *     ""          the add clock; where it is missing, the element's timestamp
 *     "*"         the floor: nothing counts as written before; where it is missing, 0
 *     "/a/b"      the last write to what is there: a value, something that was deleted, or a map as
 *                 a whole. 0: never written, though it stands there: an add left it to its default
 *
 * The clock of a place is the latest of what is at, above and below it. A place that neither stands
 * in the element nor has a clock was never written: the floor.
 *
 * The floor is for elements whose history nobody knows: those that were written under other
 * strategies before merge met them, and those whose clocks outgrew their limit.
 *
 * Lifetime: decoded clocks view the stored bytes and the arena. Threading: plain data. Cost: O(n)
 * to read and to write, 32 bytes per clock in memory.
 */
#ifndef SCENESYNC_PROTOCOL_CLOCKS_H
#define SCENESYNC_PROTOCOL_CLOCKS_H

#include "protocol/arena.h"
#include "protocol/buffer.h"
#include "protocol/element_path.h"
#include "protocol/error.h"

struct clock_entry {
    struct span pointer;
    uint64_t time_ms;
    bool is_dropped; /* no longer wanted: passed over when the clocks are written */
};

struct clocks {
    uint64_t add_ms, floor_ms;
    struct clock_entry *entries; /* in the order of element_pointer_compare() */
    size_t count;
};

/** Entries that stand together: those at a place and below it. */
struct clock_range {
    struct clock_entry *entries;
    size_t count;
};

/**
 * Checks what the store has, a structurally checked value that passed wire_check_strict(): a map
 * from pointers as above to non-negative integers. Fails with ERROR_STORE_ERROR.
 */
__attribute__((warn_unused_result)) bool clocks_check(struct span stored, struct error *error);

/**
 * Reads checked clocks. Absent ones are those of an element that nobody kept any for: everything in
 * it counts as written at its timestamp. Fails with ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool clocks_decode(struct span stored, uint64_t timestamp_ms,
                                                       struct arena *arena, struct clocks *out,
                                                       struct error *error);

/**
 * Appends the stored form. Beyond `bytes_max` the clocks are folded into one floor, `latest_ms`,
 * the element's timestamp: then what is older than the whole element is kept out, as under
 * last_write_wins. Failure sticks in `out`.
 */
void clocks_encode(const struct clocks *clocks, size_t bytes_max, uint64_t latest_ms,
                   struct buffer *out);

/** All entries. */
struct clock_range clocks_all(const struct clocks *clocks);

/** The entries at a path and below it, out of those at and below the one above. O(key log n). */
struct clock_range clocks_below(struct clock_range range, const struct element_path *path);

/** The path's own entry in the range that clocks_below() gave for it, or NULL. */
struct clock_entry *clocks_own(struct clock_range range, const struct element_path *path);

/** The latest in the range; 0 where it is empty. O(n). */
uint64_t clocks_latest(struct clock_range range);

/** Sorts entries by their pointers. */
void clocks_sort(struct clock_entry *entries, size_t count);

#endif
