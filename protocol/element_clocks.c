#include "protocol/element_clocks.h"

#include "protocol/element_change.h"
#include "protocol/element_place.h"

enum { FRESH_CAPACITY_MIN = 16 };

/** Clocks on their way to what they are after an operation. */
struct noting {
    struct clocks *clocks;
    struct change_rules rules;
    uint64_t time_ms;
    size_t bytes_left; /* for new entries */
    bool is_full;
    struct clock_entry *fresh; /* new entries, in no order */
    size_t fresh_count, fresh_capacity;
};

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element's clocks");
}

static bool reserve_fresh(struct noting *noting)
{
    if (noting->fresh_count < noting->fresh_capacity) {
        return true;
    }
    size_t capacity = noting->fresh_capacity == 0 ? FRESH_CAPACITY_MIN : 2 * noting->fresh_capacity;
    struct clock_entry *fresh = arena_alloc_array(noting->rules.arena, capacity, sizeof *fresh);
    if (fresh == NULL) {
        (void)out_of_memory(noting->rules.error);
        return false;
    }
    if (noting->fresh_count > 0) {
        memcpy(fresh, noting->fresh, noting->fresh_count * sizeof *fresh);
    }
    noting->fresh = fresh;
    noting->fresh_capacity = capacity;
    return true;
}

/** Adds an entry for a place that has none of its own. Long keys above many others would make
 * pointers without end: where they are more than the clocks may take, no more are made. */
static bool add_entry(struct noting *noting, const struct element_path *path, uint64_t time_ms)
{
    if (noting->is_full || path->pointer_bytes > noting->bytes_left) {
        noting->is_full = true;
        return true;
    }
    if (!reserve_fresh(noting)) {
        return false;
    }
    struct span pointer = element_path_pointer(path, noting->rules.arena);
    if (span_is_absent(pointer)) {
        return out_of_memory(noting->rules.error);
    }
    noting->bytes_left -= path->pointer_bytes;
    noting->fresh[noting->fresh_count++] =
        (struct clock_entry){.pointer = pointer, .time_ms = time_ms};
    return true;
}

/** Takes the new entries in among the old ones, without those that were dropped. */
static bool finish(struct noting *noting, uint64_t latest_ms)
{
    struct clocks *clocks = noting->clocks;
    if (noting->is_full) {
        *clocks = (struct clocks){.add_ms = clocks->add_ms, .floor_ms = latest_ms};
        return true;
    }
    if (noting->fresh_count == 0) {
        return true; /* clocks_encode() passes over what was dropped */
    }
    size_t count = clocks->count + noting->fresh_count;
    struct clock_entry *entries = arena_alloc_array(noting->rules.arena, count, sizeof *entries);
    if (entries == NULL) {
        return out_of_memory(noting->rules.error);
    }
    clocks_sort(noting->fresh, noting->fresh_count);
    size_t old = 0;
    size_t fresh = 0;
    size_t merged = 0;
    while (old < clocks->count || fresh < noting->fresh_count) {
        bool takes_old =
            fresh == noting->fresh_count ||
            (old < clocks->count && element_pointer_compare(clocks->entries[old].pointer,
                                                            noting->fresh[fresh].pointer) < 0);
        const struct clock_entry *next =
            takes_old ? &clocks->entries[old++] : &noting->fresh[fresh++];
        if (!next->is_dropped) {
            entries[merged++] = *next;
        }
    }
    clocks->entries = entries;
    clocks->count = merged;
    return true;
}

/* ---- One place ---- */

/** Gives the leaves below that go by the add's clock an entry that says so, but for those that what
 * is above them makes as late as `until_ms`. The element's id is none of its leaves. */
static bool list_leaves(struct noting *noting, struct span map, struct clock_range range,
                        uint64_t above_ms, const struct element_path *path, uint64_t until_ms)
{
    struct wire_cursor cursor = wire_cursor_of(map);
    for (uint32_t left = wire_advance_map(&cursor); left > 0 && !noting->is_full; left--) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        struct element_path below = element_path_make(path, pair.key);
        struct clock_range part = clocks_below(range, &below);
        const struct clock_entry *own = clocks_own(part, &below);
        bool has_memory = true;
        if (!element_is_leaf(pair.value)) {
            uint64_t own_ms = own != NULL && own->time_ms > above_ms ? own->time_ms : above_ms;
            has_memory = list_leaves(noting, pair.value, part, own_ms, &below, until_ms);
        } else if (own == NULL && above_ms < until_ms &&
                   !(path == NULL && span_equal(pair.key, element_fields.names[ELEMENT_ID]))) {
            has_memory = add_entry(noting, &below, noting->clocks->add_ms);
        }
        if (!has_memory) {
            return false;
        }
    }
    return true;
}

/** A clock holds for all that is below its place: entries there that are no later need not stand.
 */
static void drop_below(struct clock_range range, const struct clock_entry *own, uint64_t time_ms)
{
    for (size_t i = own != NULL ? 1 : 0; i < range.count; i++) {
        range.entries[i].is_dropped =
            range.entries[i].is_dropped || range.entries[i].time_ms <= time_ms;
    }
}

/** How a leaf is written. */
enum leaf_write { LEAF_STORE, LEAF_DELETE, LEAF_TOUCH /* an empty map into a map */ };

/** Notes the write of a leaf. */
static bool note_leaf(struct noting *noting, const struct element_place *place,
                      const struct element_path *path, enum leaf_write write)
{
    uint64_t add_ms = noting->clocks->add_ms;
    struct clock_entry *own = element_place_own(place, path);
    bool is_there = !span_is_absent(place->value);
    bool was_leaf = is_there && element_is_leaf(place->value);
    bool has_members = is_there && !was_leaf;
    bool is_leaf = write == LEAF_STORE || (write == LEAF_TOUCH && !has_members);
    uint64_t before_ms = own != NULL ? own->time_ms : was_leaf ? add_ms : 0;
    uint64_t time_ms = before_ms > noting->time_ms ? before_ms : noting->time_ms;

    if (has_members && write != LEAF_TOUCH && add_ms > time_ms &&
        !list_leaves(noting, place->value, place->range, place->above_ms, path, add_ms)) {
        return false;
    }
    if (!has_members || write != LEAF_TOUCH || time_ms >= add_ms) {
        drop_below(place->range, own, time_ms);
    }
    bool goes_by_add = is_leaf && time_ms == add_ms;
    if (own != NULL) {
        own->time_ms = time_ms;
        own->is_dropped = goes_by_add;
        return true;
    }
    bool goes_by_above = place->above_ms >= time_ms && (!is_leaf || place->above_ms >= add_ms);
    return goes_by_add || goes_by_above || add_entry(noting, path, time_ms);
}

/** Notes what becomes of the place itself where a map was merged into it. */
static bool note_container(struct noting *noting, const struct element_place *place,
                           const struct element_path *path, uint32_t pairs_after)
{
    uint64_t add_ms = noting->clocks->add_ms;
    struct clock_entry *own = element_place_own(place, path);
    if (own != NULL) {
        /* A clock that says "never written" says it of a leaf. */
        own->is_dropped = own->time_ms == 0 && pairs_after > 0;
        return true;
    }
    if (!span_is_absent(place->value) && element_is_leaf(place->value)) {
        /* A leaf that makes room for a map goes by the add's clock no more, but had it. */
        return pairs_after == 0 || place->above_ms >= add_ms || add_entry(noting, path, add_ms);
    }
    /* An empty map that nobody said: it was made, or is what is left. It was never written. */
    return pairs_after > 0 || place->above_ms >= add_ms || add_entry(noting, path, 0);
}

/* ---- The operation's maps ---- */

static bool note_map(struct noting *noting, enum element_role role,
                     const struct element_place *place, const struct element_path *path,
                     struct span content, uint32_t *pairs_after);

static bool note_change(struct noting *noting, const struct change *change,
                        const struct element_place *place, const struct element_path *path)
{
    switch (change->action) {
    case CHANGE_IGNORE:
        return true;
    case CHANGE_DELETE:
        return note_leaf(noting, place, path, LEAF_DELETE);
    case CHANGE_STORE_RAW:
    case CHANGE_STORE_NUMBER:
    case CHANGE_STORE_ID:
        return note_leaf(noting, place, path, LEAF_STORE);
    case CHANGE_MERGE:
        break;
    }
    if (wire_peek(change->pair.value).count == 0) {
        /* An add whose transform is empty leaves all of it to defaults. */
        return noting->rules.is_add || note_leaf(noting, place, path, LEAF_TOUCH);
    }
    uint32_t pairs_after = 0;
    return note_map(noting, change->role, place, path, change->pair.value, &pairs_after) &&
           note_container(noting, place, path, pairs_after);
}

/** Notes what a map of the operation writes below the place; gives the pairs that the place's map
 * has then. */
static bool note_map(struct noting *noting, enum element_role role,
                     const struct element_place *place, const struct element_path *path,
                     struct span content, uint32_t *pairs_after)
{
    struct wire_cursor cursor = wire_cursor_of(content);
    uint32_t count = wire_advance_map(&cursor);
    struct element_level level;
    if (!element_level_open(noting->clocks, place, path, count, noting->rules.arena, &level)) {
        return out_of_memory(noting->rules.error);
    }
    uint32_t pairs = span_is_absent(level.map) ? 0 : wire_peek(level.map).count;
    for (uint32_t i = 0; i < count && !noting->is_full; i++) {
        struct change change;
        element_read_pair(&cursor, &change.pair);
        struct element_path below = element_path_make(path, change.pair.key);
        if (!change_decide(&noting->rules, role, &change)) {
            return false;
        }
        struct element_place member = element_level_find(&level, &below);
        bool was_there = !span_is_absent(member.value);
        if (!note_change(noting, &change, &member, &below)) {
            return false;
        }
        if (change.action == CHANGE_DELETE) {
            pairs -= was_there;
        } else if (change.action != CHANGE_IGNORE) {
            pairs += !was_there;
        }
    }
    *pairs_after = pairs;
    return true;
}

bool element_clocks_note(struct clocks *clocks, const struct element_edit *edit, size_t bytes_max,
                         uint64_t latest_ms, struct arena *arena, struct error *error)
{
    struct noting noting = {
        .clocks = clocks,
        .rules = {.is_add = edit->is_add, .arena = arena, .error = error},
        .time_ms = edit->time_ms,
        .bytes_left = bytes_max,
    };
    struct element_place top = element_place_top(edit->document, clocks);
    uint32_t ignored = 0;
    return note_map(&noting, ELEMENT_ROLE_TOP, &top, NULL, edit->content, &ignored) &&
           finish(&noting, latest_ms);
}

/* ---- The add clock ---- */

/** Drops entries of leaves that say what the new add clock says. */
static void drop_equal(struct span map, struct clock_range range, const struct element_path *path,
                       uint64_t time_ms)
{
    struct wire_cursor cursor = wire_cursor_of(map);
    for (uint32_t left = wire_advance_map(&cursor); left > 0 && range.count > 0; left--) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        struct element_path below = element_path_make(path, pair.key);
        struct clock_range part = clocks_below(range, &below);
        struct clock_entry *own = clocks_own(part, &below);
        if (!element_is_leaf(pair.value)) {
            drop_equal(pair.value, part, &below, time_ms);
        } else if (own != NULL && own->time_ms == time_ms) {
            own->is_dropped = true;
        }
    }
}

bool element_clocks_raise_add(struct clocks *clocks, struct span document, uint64_t time_ms,
                              size_t bytes_max, uint64_t latest_ms, struct arena *arena,
                              struct error *error)
{
    struct noting noting = {
        .clocks = clocks,
        .rules = {.arena = arena, .error = error},
        .bytes_left = bytes_max,
    };
    struct clock_range all = clocks_all(clocks);
    if (!list_leaves(&noting, document, all, clocks->floor_ms, NULL, time_ms)) {
        return false;
    }
    drop_equal(document, all, NULL, time_ms);
    clocks->add_ms = time_ms;
    return finish(&noting, latest_ms);
}

/* ---- A new element ---- */

/** Gives the fields of a map that an add does not say (nil says nothing) the clock 0. */
static bool list_unsaid(struct noting *noting, struct span map, const struct field_set *set,
                        unsigned first, const struct element_path *path)
{
    bool is_said[(size_t)ELEMENT_FIELD_COUNT + (size_t)TRANSFORM_FIELD_COUNT] = {false};
    struct wire_cursor cursor = wire_cursor_of(map);
    for (uint32_t left = wire_advance_map(&cursor); left > 0; left--) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        is_said[field_find(set, pair.key)] = !wire_is_nil(pair.value);
    }
    for (unsigned field = first; field < set->count; field++) {
        struct element_path below = element_path_make(path, set->names[field]);
        if (!is_said[field] && !add_entry(noting, &below, 0)) {
            return false;
        }
    }
    return true;
}

bool element_clocks_of_add(struct span element, uint64_t time_ms, struct arena *arena,
                           struct clocks *out, struct error *error)
{
    static const uint8_t empty_map[] = {0x80};
    struct clocks clocks = {.add_ms = time_ms};
    struct noting noting = {
        .clocks = &clocks,
        .rules = {.arena = arena, .error = error},
        .bytes_left = SIZE_MAX, /* there are ten fields with defaults */
    };
    if (time_ms > 0) {
        struct element_path path = element_path_make(NULL, element_fields.names[ELEMENT_TRANSFORM]);
        struct span transform = wire_map_find_optional(element, "transform");
        if (span_is_absent(transform)) {
            transform = span_make(empty_map, sizeof empty_map);
        }
        if (!list_unsaid(&noting, transform, &transform_fields, 0, &path) ||
            !list_unsaid(&noting, element, &element_fields, ELEMENT_INTERACTIVE, NULL)) {
            return false;
        }
    }
    if (!finish(&noting, 0)) {
        return false;
    }
    *out = clocks;
    return true;
}
