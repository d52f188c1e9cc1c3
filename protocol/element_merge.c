#include "protocol/element_merge.h"

#include <assert.h>

#include "protocol/element_change.h"
#include "protocol/element_place.h"
#include "protocol/pack.h"

enum {
    LIST_HEAD_BYTES_MAX = 5,
    POINTER_HEAD_BYTES_MAX = 5,
};

/** A leaf that was decided on. */
struct decided {
    struct decided *next;
    struct span pointer;
    bool is_applied;
};

struct selecting {
    const struct clocks *clocks;
    struct change_rules rules;
    uint64_t time_ms;
    uint8_t *to; /* where the next byte of the selected part goes */
    struct decided *first, **link;
    uint32_t applied_count, kept_count;
    size_t list_bytes, list_bytes_max;
    bool is_unlisted; /* no room for the lists */
};

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to merge an operation");
}

static void put(struct selecting *selecting, const uint8_t *from, const uint8_t *until)
{
    size_t size = (size_t)(until - from);
    memcpy(selecting->to, from, size);
    selecting->to += size;
}

/** Writes a count over a map's head, which has room for it: it had a count no lower. */
static void set_count(uint8_t *head, uint32_t count)
{
    size_t size = wire_head_size(*head);
    if (size == 1) {
        *head = (uint8_t)(0x80U | count);
    }
    for (size_t i = size; i > 1; i--) {
        head[i - 1] = (uint8_t)count;
        count >>= 8;
    }
}

/** Notes a leaf for the lists. */
static bool note_decided(struct selecting *selecting, const struct element_path *path,
                         bool is_applied)
{
    *(is_applied ? &selecting->applied_count : &selecting->kept_count) += 1;
    size_t size = path->pointer_bytes + POINTER_HEAD_BYTES_MAX;
    if (selecting->is_unlisted || size > selecting->list_bytes_max - selecting->list_bytes) {
        selecting->is_unlisted = true;
        return true;
    }
    struct decided *decided = arena_alloc(selecting->rules.arena, sizeof *decided);
    struct span pointer = element_path_pointer(path, selecting->rules.arena);
    if (decided == NULL || span_is_absent(pointer)) {
        return out_of_memory(selecting->rules.error);
    }
    *decided = (struct decided){.pointer = pointer, .is_applied = is_applied};
    selecting->list_bytes += size;
    *selecting->link = decided;
    selecting->link = &decided->next;
    return true;
}

static bool select_map(struct selecting *selecting, enum element_role role,
                       const struct element_place *place, const struct element_path *path,
                       struct span content, uint32_t *count);

/** Decides on one pair, of which a leaf is written whole or not at all. */
static bool select_pair(struct selecting *selecting, const struct change *change, struct span value,
                        const struct element_place *place, const struct element_path *path,
                        bool *is_selected)
{
    *is_selected = false;
    bool is_map = change->action == CHANGE_MERGE;
    bool is_empty_map = is_map && wire_peek(value).count == 0;
    if (change->action == CHANGE_IGNORE || (is_empty_map && selecting->rules.is_add)) {
        return true; /* the latter: a transform without fields, which leaves them to defaults */
    }
    uint8_t *start = selecting->to;
    put(selecting, change->pair.start, value.data);
    if (is_map && !is_empty_map) {
        uint32_t count = 0;
        if (!select_map(selecting, change->role, place, path, value, &count)) {
            return false;
        }
        *is_selected = count > 0;
    } else {
        *is_selected = selecting->time_ms >= element_place_clock(selecting->clocks, place, path);
        put(selecting, value.data, value.data + value.size);
        if (!note_decided(selecting, path, *is_selected)) {
            return false;
        }
    }
    if (!*is_selected) {
        selecting->to = start;
    }
    return true;
}

/** Selects from one map of the operation; gives how many of its pairs are written. */
static bool select_map(struct selecting *selecting, enum element_role role,
                       const struct element_place *place, const struct element_path *path,
                       struct span content, uint32_t *count)
{
    struct wire_cursor cursor = wire_cursor_of(content);
    uint32_t pair_count = wire_advance_map(&cursor);
    uint8_t *head = selecting->to;
    put(selecting, content.data, cursor.at);
    struct element_level level;
    if (!element_level_open(selecting->clocks, place, path, pair_count, selecting->rules.arena,
                            &level)) {
        return out_of_memory(selecting->rules.error);
    }
    *count = 0;
    for (uint32_t i = 0; i < pair_count; i++) {
        struct change change;
        element_read_pair(&cursor, &change.pair);
        struct span value = change.pair.value; /* deciding may put another in its place */
        if (!change_decide(&selecting->rules, role, &change)) {
            return false;
        }
        struct element_path below = element_path_make(path, change.pair.key);
        struct element_place member = element_level_find(&level, &below);
        bool is_selected = false;
        if (!select_pair(selecting, &change, value, &member, &below, &is_selected)) {
            return false;
        }
        *count += is_selected;
    }
    set_count(head, *count);
    return true;
}

static bool write_list(const struct selecting *selecting, bool is_applied, struct span *out)
{
    struct buffer list;
    uint32_t count = is_applied ? selecting->applied_count : selecting->kept_count;
    buffer_init(&list, selecting->list_bytes + LIST_HEAD_BYTES_MAX);
    pack_array(&list, count);
    for (const struct decided *decided = selecting->first; decided != NULL;
         decided = decided->next) {
        if (decided->is_applied == is_applied) {
            pack_str(&list, decided->pointer);
        }
    }
    *out = list.failed ? (struct span){0} : arena_copy(selecting->rules.arena, buffer_span(&list));
    buffer_deinit(&list);
    return !span_is_absent(*out) || out_of_memory(selecting->rules.error);
}

bool element_merge_select(const struct clocks *clocks, const struct element_edit *edit,
                          size_t *list_bytes, struct arena *arena, struct element_selection *out,
                          struct error *error)
{
    /* What is selected takes no more room than the whole. */
    uint8_t *selected = arena_alloc(arena, edit->content.size);
    struct selecting selecting = {
        .clocks = clocks,
        .rules = {.is_add = edit->is_add, .arena = arena, .error = error},
        .time_ms = edit->time_ms,
        .to = selected,
        .list_bytes_max = *list_bytes,
    };
    selecting.link = &selecting.first;
    if (selected == NULL) {
        return out_of_memory(error);
    }
    struct element_place top = element_place_top(edit->document, clocks);
    uint32_t count = 0;
    if (!select_map(&selecting, ELEMENT_ROLE_TOP, &top, NULL, edit->content, &count)) {
        return false;
    }
    struct element_selection selection = {
        .content = span_make(selected, (size_t)(selecting.to - selected)),
        .applied_count = selecting.applied_count,
        .kept_count = selecting.kept_count,
    };
    assert(selection.content.size <= edit->content.size);
    if (count > 0 && !selecting.is_unlisted) {
        if (!write_list(&selecting, true, &selection.applied) ||
            !write_list(&selecting, false, &selection.kept)) {
            return false;
        }
        *list_bytes -= selecting.list_bytes;
    }
    *out = selection;
    return true;
}
