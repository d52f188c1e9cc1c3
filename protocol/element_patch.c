#include "protocol/element.h"

#include <assert.h>

#include "protocol/element_change.h"
#include "protocol/key_index.h"
#include "protocol/pack.h"

enum { FEW_CHANGES_MAX = 6 };

/** What the changes of one map do. Changes that are ignored are not in it. */
struct plan {
    struct change few[FEW_CHANGES_MAX]; /* room for most; not cleared */
    struct change *changes;
    uint32_t count, matched_count, deleted_count;
    struct change *first_matched;
    bool is_indexed;
    struct key_index index;
};

struct merge {
    struct change_rules rules;
    struct buffer *out;
    struct span kind; /* what is merged into the element's kind; absent: nothing */
};

/** Takes up what the changes say, before the target is looked at. */
static bool make_plan(struct merge *merge, enum element_role role, struct span changes,
                      struct plan *plan)
{
    struct wire_cursor cursor = wire_cursor_of(changes);
    uint32_t pair_count = wire_advance_map(&cursor);
    plan->changes = plan->few;
    plan->count = 0;
    plan->matched_count = 0;
    plan->deleted_count = 0;
    plan->first_matched = NULL;
    plan->is_indexed = pair_count > KEY_INDEX_UNINDEXED_PAIRS_MAX;
    if (pair_count > FEW_CHANGES_MAX) {
        plan->changes = arena_alloc_array(merge->rules.arena, pair_count, sizeof *plan->changes);
    }
    if (plan->changes == NULL ||
        (plan->is_indexed &&
         !key_index_init(&plan->index, changes, pair_count, merge->rules.arena))) {
        return element_fail_memory(merge->rules.error);
    }
    for (uint32_t i = 0; i < pair_count; i++) {
        struct change *change = &plan->changes[plan->count];
        element_read_pair(&cursor, &change->pair);
        change->local_start = NULL;
        change->next_matched = NULL;
        if (!change_decide(&merge->rules, role, change)) {
            return false;
        }
        if (change->action == CHANGE_IGNORE) {
            continue;
        }
        if (role == ELEMENT_ROLE_TOP && key_is(change->pair.key, "kind", 4)) {
            merge->kind = change->pair.value;
        }
        bool is_new =
            !plan->is_indexed || key_index_add(&plan->index, change->pair.key, plan->count);
        assert(is_new); /* wire_check_strict() refuses a key that stands twice */
        (void)is_new;
        plan->count++;
    }
    return true;
}

static struct change *find_change(const struct plan *plan, struct span key)
{
    uint32_t i = 0;
    if (plan->is_indexed) {
        return key_index_find(&plan->index, key, &i) ? &plan->changes[i] : NULL;
    }
    while (i < plan->count && !span_equal(plan->changes[i].pair.key, key)) {
        i++;
    }
    return i < plan->count ? &plan->changes[i] : NULL;
}

/** Finds the target's pairs that the changes touch; stops early where all have met theirs. */
static void match_target(struct plan *plan, struct wire_cursor cursor, uint32_t pair_count)
{
    struct change **link = &plan->first_matched;
    for (uint32_t i = 0; i < pair_count && plan->matched_count < plan->count; i++) {
        struct element_pair pair;
        element_read_pair(&cursor, &pair);
        struct change *change = find_change(plan, pair.key);
        if (change != NULL) {
            change->local_start = pair.start;
            change->local_value = pair.value;
            *link = change;
            link = &change->next_matched;
            plan->matched_count++;
            plan->deleted_count += change->action == CHANGE_DELETE;
        }
    }
}

static uint32_t count_added(const struct plan *plan)
{
    uint32_t added = 0;
    if (plan->matched_count == plan->count) {
        return 0;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change *change = &plan->changes[i];
        added += change->action != CHANGE_DELETE && change->local_start == NULL;
    }
    return added;
}

static bool merge_map(struct merge *merge, enum element_role role, struct span target,
                      struct span changes, uint32_t depth);

/** Appends the new value of a key that is not deleted. */
static bool write_value(struct merge *merge, const struct change *change, uint32_t depth)
{
    switch (change->action) {
    case CHANGE_STORE_RAW:
        pack_raw(merge->out, change->pair.value);
        break;
    case CHANGE_STORE_NUMBER:
        transform_value_write(change->field, change->pair.value, merge->out);
        break;
    case CHANGE_STORE_ID:
        pack_str(merge->out, change->pair.value);
        break;
    case CHANGE_MERGE:
        return merge_map(merge, change->role,
                         change->local_start != NULL ? change->local_value : (struct span){0},
                         change->pair.value, depth + 1);
    case CHANGE_IGNORE:
    case CHANGE_DELETE:
        assert(false && "nothing is written for these");
    }
    return true;
}

/** Appends the target from `at` on, with the changes that met a pair of it in their places. */
static bool write_target(struct merge *merge, const struct plan *plan, const uint8_t *at,
                         const uint8_t *end, uint32_t depth)
{
    for (const struct change *change = plan->first_matched; change != NULL;
         change = change->next_matched) {
        const struct span *local = &change->local_value;
        bool deleted = change->action == CHANGE_DELETE;
        /* All since the last change at once, with this one's key unless it goes. */
        element_append_run(merge->out, at, deleted ? change->local_start : local->data);
        at = local->data + local->size;
        if (!deleted && !write_value(merge, change, depth)) {
            return false;
        }
    }
    element_append_run(merge->out, at, end);
    return true;
}

static bool write_added(struct merge *merge, const struct plan *plan, uint32_t depth)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change *change = &plan->changes[i];
        if (change->action == CHANGE_DELETE || change->local_start != NULL) {
            continue;
        }
        element_append_run(merge->out, change->pair.start, element_key_end(&change->pair));
        if (!write_value(merge, change, depth)) {
            return false;
        }
    }
    return true;
}

/**
 * Appends `target` with `changes` merged into it. A target that is absent or not a map counts as
 * the empty map, as RFC 7396 has it. Recursion follows the nesting of the changes.
 */
static bool merge_map(struct merge *merge, enum element_role role, struct span target,
                      struct span changes, uint32_t depth)
{
    static const uint8_t empty_map[] = {0x80};
    assert(depth < WIRE_DEPTH_MAX); /* wire_check_strict() refuses deeper ones */
    if (span_is_absent(target) || !wire_is_map(target)) {
        target = span_make(empty_map, sizeof empty_map);
    }
    struct plan plan;
    if (!make_plan(merge, role, changes, &plan)) {
        return false;
    }
    struct wire_cursor cursor = wire_cursor_of(target);
    uint32_t pair_count = wire_advance_map(&cursor);
    match_target(&plan, cursor, pair_count);

    uint32_t added_count = count_added(&plan);
    uint32_t count = pair_count - plan.deleted_count + added_count;
    const uint8_t *at = target.data;
    if (count != pair_count) {
        pack_map(merge->out, count);
        at = cursor.at;
    }
    return write_target(merge, &plan, at, cursor.end, depth) &&
           (added_count == 0 || write_added(merge, &plan, depth));
}

/**
 * Whether a change of the kind may make one invalid that is valid: then it has to be looked at
 * afterwards. It may where it puts something else in the place of the type, or a text in that of
 * the content; most do not even have the bytes for a text that is too long.
 */
static bool may_spoil_kind(struct span kind, const struct limits *limits)
{
    struct span type = wire_map_find(kind, "type");
    return (!span_is_absent(type) && !wire_is_str(type)) || kind.size > limits->text_bytes_max;
}

static bool patch(struct element_document document, struct span changes,
                  const struct limits *limits, const struct change_rules *rules, struct buffer *out)
{
    struct error *error = rules->error;
    struct merge merge = {.rules = *rules, .out = out};
    size_t start = out->size;
    if (out->failed) {
        return element_fail_memory(error);
    }
    if (!merge_map(&merge, ELEMENT_ROLE_TOP, document.bytes, changes, 0)) {
        element_take_back(out, start);
        return false;
    }
    if (!element_finish(out, start, limits, error)) {
        return false;
    }
    if (document.has_checked_kind &&
        (span_is_absent(merge.kind) || !may_spoil_kind(merge.kind, limits))) {
        return true;
    }
    struct span result = span_make(out->data + start, out->size - start);
    if (!element_check_kind(wire_map_find(result, "kind"), limits, error)) {
        element_take_back(out, start);
        return false;
    }
    return true;
}

bool element_patch(struct element_document document, struct span changes,
                   const struct limits *limits, struct arena *arena, struct buffer *out,
                   struct error *error)
{
    const struct change_rules rules = {.is_add = false, .arena = arena, .error = error};
    return patch(document, changes, limits, &rules, out);
}

bool element_patch_with_add(struct element_document document, struct span element,
                            const struct limits *limits, struct arena *arena, struct buffer *out,
                            struct error *error)
{
    const struct change_rules rules = {.is_add = true, .arena = arena, .error = error};
    return patch(document, element, limits, &rules, out);
}
