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

/** A document on its way into `out`. What needs no change is copied in runs. */
struct merge {
    struct change_rules rules;
    struct buffer *out;
    const uint8_t *at; /* what stands before it in the document has been dealt with */
    const uint8_t *end;
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
        change->pair.start = cursor.at;
        change->pair.key = wire_advance_text(&cursor);
        change->pair.value = wire_advance_member(&cursor, i + 1 == pair_count);
        change->local_start = NULL;
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

/**
 * Finds the target's pairs that the changes touch, from its first one at the cursor on. Stops where
 * all have met theirs; so the value that the last one meets is not even passed over.
 */
static void match_target(struct plan *plan, struct wire_cursor cursor, uint32_t pair_count)
{
    struct change **link = &plan->first_matched;
    uint32_t unmatched = plan->count;
    for (; pair_count > 0 && unmatched > 0; pair_count--) {
        const uint8_t *start = cursor.at;
        struct change *change = find_change(plan, wire_advance_text(&cursor));
        if (change == NULL) {
            (void)wire_advance_whole(&cursor);
            continue;
        }
        change->local_start = start;
        change->local_value = cursor.at;
        change->local_end = NULL;
        *link = change;
        link = &change->next_matched;
        plan->deleted_count += change->action == CHANGE_DELETE;
        unmatched--;
        if (unmatched > 0) {
            (void)wire_advance_whole(&cursor);
            change->local_end = cursor.at;
        }
    }
    *link = NULL;
    plan->matched_count = plan->count - unmatched;
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

/** Where the value that begins at `at` in the document ends. */
static const uint8_t *value_end(const struct merge *merge, const uint8_t *at)
{
    struct wire_cursor cursor = {.at = at, .end = merge->end};
    (void)wire_advance_whole(&cursor);
    return cursor.at;
}

/** Copies the document up to `until`. */
static void copy_until(struct merge *merge, const uint8_t *until)
{
    element_append_run(merge->out, merge->at, until);
    merge->at = until;
}

static bool merge_map(struct merge *merge, enum element_role role, const uint8_t *target,
                      struct span changes, uint32_t depth);
static bool write_map(struct merge *merge, enum element_role role, struct span changes,
                      uint32_t depth);

/** Appends the value that a key gets which is not deleted. */
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
        return write_map(merge, change->role, change->pair.value, depth + 1);
    case CHANGE_IGNORE:
    case CHANGE_DELETE:
        assert(false && "nothing is written for these");
    }
    return true;
}

/** Deals with a pair of the document that a change has met. */
static bool change_pair(struct merge *merge, const struct change *change, uint32_t depth)
{
    const uint8_t *value = change->local_value;
    if (change->action == CHANGE_MERGE && wire_lead_is_map(*value)) {
        return merge_map(merge, change->role, value, change->pair.value, depth + 1);
    }
    bool is_deleted = change->action == CHANGE_DELETE;
    copy_until(merge, is_deleted ? change->local_start : value);
    merge->at = change->local_end != NULL ? change->local_end : value_end(merge, value);
    return is_deleted || write_value(merge, change, depth);
}

/** Appends the pairs for the keys that the target does not have. */
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

/** Appends a map where the document has none: the changes merged into the empty one, as RFC 7396
 * has it. Recursion follows the nesting of the changes. */
static bool write_map(struct merge *merge, enum element_role role, struct span changes,
                      uint32_t depth)
{
    struct plan plan;
    assert(depth < WIRE_DEPTH_MAX); /* wire_check_strict() refuses deeper ones */
    if (!make_plan(merge, role, changes, &plan)) {
        return false;
    }
    pack_map(merge->out, count_added(&plan));
    return write_added(merge, &plan, depth);
}

/**
 * Merges the changes into the map at `target` in the document, and deals with that up to the last
 * pair that changes. Recursion follows the nesting of the changes.
 */
static bool merge_map(struct merge *merge, enum element_role role, const uint8_t *target,
                      struct span changes, uint32_t depth)
{
    struct plan plan;
    assert(depth < WIRE_DEPTH_MAX); /* wire_check_strict() refuses deeper ones */
    if (!make_plan(merge, role, changes, &plan)) {
        return false;
    }
    struct wire_cursor cursor = {.at = target, .end = merge->end};
    uint32_t pair_count = wire_advance_map(&cursor);
    match_target(&plan, cursor, pair_count);

    uint32_t added_count = count_added(&plan);
    uint32_t count = pair_count - plan.deleted_count + added_count;
    if (count != pair_count) {
        copy_until(merge, target);
        pack_map(merge->out, count);
        merge->at = cursor.at;
    }
    for (const struct change *change = plan.first_matched; change != NULL;
         change = change->next_matched) {
        if (!change_pair(merge, change, depth)) {
            return false;
        }
    }
    if (added_count == 0) {
        return true;
    }
    copy_until(merge, value_end(merge, target));
    return write_added(merge, &plan, depth);
}

static bool patch(struct element_document document, struct span changes,
                  const struct limits *limits, const struct change_rules *rules, struct buffer *out)
{
    struct error *error = rules->error;
    struct merge merge = {
        .rules = *rules,
        .out = out,
        .at = document.bytes.data,
        .end = document.bytes.data + document.bytes.size,
    };
    size_t start = out->size;
    if (out->failed) {
        return element_fail_memory(error);
    }
    if (!merge_map(&merge, ELEMENT_ROLE_TOP, document.bytes.data, changes, 0)) {
        element_take_back(out, start);
        return false;
    }
    copy_until(&merge, merge.end);
    if (!element_finish(out, start, limits, error)) {
        return false;
    }
    if (document.has_checked_kind &&
        (span_is_absent(merge.kind) || !element_may_spoil_kind(merge.kind, limits))) {
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
