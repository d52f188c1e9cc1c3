#include "protocol/element_place.h"

#include "protocol/element_fields.h"
#include "protocol/wire_scan.h"

bool element_is_leaf(struct span value)
{
    struct wire_value head = wire_peek(value);
    return head.type != WIRE_MAP || head.count == 0;
}

struct element_place element_place_top(struct span document, const struct clocks *clocks)
{
    return (struct element_place){
        .value = document, .range = clocks_all(clocks), .above_ms = clocks->floor_ms};
}

struct clock_entry *element_place_own(const struct element_place *place,
                                      const struct element_path *path)
{
    return path == NULL ? NULL : clocks_own(place->range, path);
}

/* Whether something below has no clock of its own, and so the add's. Recursion follows the nesting
 * of the stored element. */
static bool has_unlisted_leaf(struct span map, struct clock_range range,
                              const struct element_path *path)
{
    if (range.count == 0) {
        return true; /* a map that is no leaf has leaves */
    }
    struct wire_cursor cursor = wire_cursor_of(map);
    for (uint32_t left = wire_advance_map(&cursor); left > 0; left--) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        struct element_path below = element_path_make(path, pair.key);
        struct clock_range part = clocks_below(range, &below);
        if (element_is_leaf(pair.value) ? clocks_own(part, &below) == NULL
                                        : has_unlisted_leaf(pair.value, part, &below)) {
            return true;
        }
    }
    return false;
}

/* Whether the add's clock counts at the place. */
static bool has_add_clock(const struct element_place *place, const struct element_path *path)
{
    if (span_is_absent(place->value)) {
        return false;
    }
    return element_is_leaf(place->value) ? clocks_own(place->range, path) == NULL
                                         : has_unlisted_leaf(place->value, place->range, path);
}

uint64_t element_place_clock(const struct clocks *clocks, const struct element_place *place,
                             const struct element_path *path)
{
    uint64_t latest_ms = clocks_latest(place->range);
    if (latest_ms < place->above_ms) {
        latest_ms = place->above_ms;
    }
    return latest_ms < clocks->add_ms && has_add_clock(place, path) ? clocks->add_ms : latest_ms;
}

static bool index_members(struct element_level *level, uint32_t pair_count, struct arena *arena)
{
    level->values = arena_alloc_array(arena, pair_count, sizeof *level->values);
    if (level->values == NULL || !key_index_init(&level->index, level->map, pair_count, arena)) {
        return false;
    }
    struct wire_cursor cursor = wire_cursor_of(level->map);
    (void)wire_advance_map(&cursor);
    for (uint32_t i = 0; i < pair_count; i++) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        level->values[i] = pair.value;
        (void)!key_index_add(&level->index, pair.key, i); /* each key stands once */
    }
    level->is_indexed = true;
    return true;
}

bool element_level_open(const struct clocks *clocks, const struct element_place *place,
                        const struct element_path *path, uint32_t lookups, struct arena *arena,
                        struct element_level *out)
{
    const struct clock_entry *own = element_place_own(place, path);
    uint64_t own_ms = own != NULL ? own->time_ms : 0;
    *out = (struct element_level){.range = place->range, .above_ms = place->above_ms};
    if (!span_is_absent(place->value)) {
        if (own == NULL && element_is_leaf(place->value)) {
            own_ms = clocks->add_ms; /* what the add said stands in the way of all below */
        }
        if (wire_is_map(place->value)) {
            out->map = place->value;
        }
    }
    if (own_ms > out->above_ms) {
        out->above_ms = own_ms;
    }
    uint32_t pair_count = span_is_absent(out->map) ? 0 : wire_peek(out->map).count;
    return pair_count <= KEY_INDEX_UNINDEXED_PAIRS_MAX || lookups < 2 ||
           index_members(out, pair_count, arena);
}

static struct span find_member(const struct element_level *level, struct span key)
{
    if (span_is_absent(level->map)) {
        return level->map;
    }
    if (level->is_indexed) {
        uint32_t number;
        return key_index_find(&level->index, key, &number) ? level->values[number]
                                                           : (struct span){0};
    }
    struct wire_cursor cursor = wire_cursor_of(level->map);
    for (uint32_t left = wire_advance_map(&cursor); left > 0; left--) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        if (span_equal(pair.key, key)) {
            return pair.value;
        }
    }
    return (struct span){0};
}

struct element_place element_level_find(const struct element_level *level,
                                        const struct element_path *path)
{
    return (struct element_place){.value = find_member(level, path->key),
                                  .range = clocks_below(level->range, path),
                                  .above_ms = level->above_ms};
}
