#include "worker/verify_compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/wire.h"

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to compare a scene");
}

/* An element in the store. */
struct stored_element {
    struct span id, raw;
    struct element_value value;
    bool is_readable;
    struct error reason; /* why it is not */
};

static int compare_ids(const void *left, const void *right)
{
    struct span a = ((const struct stored_element *)left)->id;
    struct span b = ((const struct stored_element *)right)->id;
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Reads the value as the worker would. False: out of memory. */
static bool read_element(struct stored_element *stored, struct arena *arena)
{
    stored->is_readable = element_value_decode(stored->raw, &stored->value, &stored->reason);
    if (stored->is_readable) {
        stored->is_readable = element_value_check(&stored->value, arena, &stored->reason);
    }
    return stored->is_readable || stored->reason.code != ERROR_OUT_OF_MEMORY;
}

static struct stored_element *read_elements(const struct verify_comparison *comparison)
{
    const struct scene_snapshot *snapshot = comparison->snapshot;
    struct stored_element *stored =
        arena_alloc_array(comparison->arena, snapshot->count, sizeof(*stored));
    for (size_t i = 0; stored != NULL && i < snapshot->count; i++) {
        stored[i].id = snapshot->ids[i];
        stored[i].raw = snapshot->values[i];
        if (!read_element(&stored[i], comparison->arena)) {
            return NULL;
        }
    }
    if (stored != NULL && snapshot->count > 1) {
        qsort(stored, snapshot->count, sizeof(*stored), compare_ids);
    }
    return stored;
}

static struct span document_of(const struct element *element)
{
    return element->presence == ELEMENT_PRESENT
               ? span_make(element->document, element->document_bytes)
               : span_make("\xC0", 1); /* nil: a tombstone */
}

static struct span stored_document(const struct stored_element *stored)
{
    if (!stored->is_readable) {
        return (struct span){0};
    }
    return span_is_absent(stored->value.document) ? span_make("\xC0", 1) : stored->value.document;
}

/* Says the difference, or counts the element as not judged. */
static void settle_element(const struct verify_comparison *comparison, struct span id,
                           enum verify_difference difference, const struct verify_fields *fields,
                           const char *reason)
{
    if (verify_model_is_judged(comparison->model, id)) {
        verify_report_difference(comparison->report, comparison->session_id, id, difference, fields,
                                 reason);
    } else {
        comparison->report->counts.elements_not_judged++;
    }
}

/* One field for all of them, where they differ. What an element had before the log begins is not
 * known, also where everything else of it is. */
static bool diff_clocks(const struct verify_comparison *comparison, struct span stored,
                        struct span expected, struct verify_fields *fields)
{
    struct verify_fields differing = {.arena = comparison->arena};
    bool has_both = !span_is_absent(stored) && !span_is_absent(expected);
    bool has_none = span_is_absent(stored) && span_is_absent(expected);
    if (!comparison->model->is_complete || has_none) {
        return true;
    }
    if (has_both && !verify_fields_diff(&differing, stored, expected)) {
        return false;
    }
    return (has_both && differing.count == 0) ||
           verify_fields_add(fields, span_of_text("clocks"), stored, expected);
}

static bool diff_element(const struct verify_comparison *comparison,
                         const struct stored_element *stored, const struct element *element,
                         struct verify_fields *fields)
{
    bool is_removed = element->presence == ELEMENT_REMOVED;
    struct span here = stored_document(stored);
    struct span there = document_of(element);
    bool has_memory = is_removed != span_is_absent(stored->value.document)
                          ? verify_fields_add(fields, span_make("", 0), here, there)
                          : verify_fields_diff(fields, here, there);
    has_memory =
        has_memory && verify_fields_compare(fields, "timestamp", stored->value.timestamp_ms,
                                            element->timestamp_ms);
    has_memory = has_memory && (is_removed || diff_clocks(comparison, stored->value.clocks,
                                                          element_clocks(element), fields));
    if (has_memory && verify_model_has_versions(comparison->model)) {
        has_memory =
            verify_fields_compare(fields, "version", stored->value.version, element->version);
    }
    return has_memory;
}

/* By what the store has, else by what the log makes. */
static void count_element(const struct verify_comparison *comparison, bool is_removed)
{
    struct verify_counts *counts = &comparison->report->counts;
    counts->removed += is_removed ? 1 : 0;
    counts->elements += is_removed ? 0 : 1;
}

/* An element that the store has. */
static bool compare_stored(const struct verify_comparison *comparison,
                           const struct stored_element *stored, struct error *error)
{
    struct verify_model *model = comparison->model;
    struct verify_fields fields = {.arena = comparison->arena};
    const struct element *element = scene_find(model->scene, stored->id);
    count_element(comparison, stored->is_readable && span_is_absent(stored->value.document));
    if (element != NULL && !verify_model_mark(model, element, VERIFY_SEEN)) {
        return out_of_memory(error);
    }
    if (!stored->is_readable) {
        settle_element(comparison, stored->id, VERIFY_UNREADABLE, &fields, stored->reason.message);
        return true;
    }
    if (!verify_model_is_grounded(model, stored->id)) {
        comparison->report->counts.elements_not_judged++;
        return true;
    }
    if (element == NULL || element->presence == ELEMENT_UNKNOWN) {
        if (!verify_fields_add(&fields, span_make("", 0), stored_document(stored),
                               (struct span){0})) {
            return out_of_memory(error);
        }
        settle_element(comparison, stored->id, VERIFY_UNEXPECTED, &fields, NULL);
        return true;
    }
    if (!diff_element(comparison, stored, element, &fields)) {
        return out_of_memory(error);
    }
    if (fields.count > 0) {
        settle_element(comparison, stored->id, VERIFY_DIFFERENT, &fields, NULL);
    }
    return true;
}

/* An element of the model that the store does not have. */
static bool compare_absent(const struct verify_comparison *comparison,
                           const struct element *element, struct error *error)
{
    struct verify_model *model = comparison->model;
    if (element->presence == ELEMENT_UNKNOWN || !verify_model_is_grounded(model, element->id) ||
        verify_model_has_mark(model, element->id, VERIFY_SEEN) ||
        verify_model_may_be_dropped(model, element, comparison->settings)) {
        return true;
    }
    struct verify_fields fields = {.arena = comparison->arena};
    count_element(comparison, element->presence == ELEMENT_REMOVED);
    if (!verify_fields_add(&fields, span_make("", 0), (struct span){0}, document_of(element))) {
        return out_of_memory(error);
    }
    settle_element(comparison, element->id, VERIFY_MISSING, &fields, NULL);
    return true;
}

/* ---- The scene as a whole ---- */

static bool report_count(const struct verify_comparison *comparison,
                         enum verify_difference difference, const uint64_t *stored,
                         const uint64_t *expected)
{
    struct verify_fields fields = {.arena = comparison->arena};
    struct span here = stored != NULL ? verify_fields_number(&fields, *stored) : (struct span){0};
    struct span there =
        expected != NULL ? verify_fields_number(&fields, *expected) : (struct span){0};
    if ((stored != NULL && span_is_absent(here)) || (expected != NULL && span_is_absent(there)) ||
        !verify_fields_add(&fields, span_of_text("element_count"), here, there)) {
        return false;
    }
    verify_report_difference(comparison->report, comparison->session_id, (struct span){0},
                             difference, &fields, NULL);
    return true;
}

static bool report_lost(const struct verify_comparison *comparison, const struct verify_lost *lost)
{
    struct verify_fields fields = {.arena = comparison->arena};
    char name[300];
    int length = snprintf(name, sizeof(name), "at:%.*s", SPAN_ARGS(lost->partition->name));
    struct span stored = {0};
    if (lost->position >= 0) {
        stored = verify_fields_number(&fields, (uint64_t)lost->position);
    }
    struct span answered = verify_fields_number(&fields, (uint64_t)lost->answered);
    if ((lost->position >= 0 && span_is_absent(stored)) || span_is_absent(answered) ||
        !verify_fields_add(&fields, span_make(name, (size_t)length), stored, answered)) {
        return false;
    }
    verify_report_difference(comparison->report, comparison->session_id, (struct span){0},
                             VERIFY_LOST_WRITES, &fields, NULL);
    return true;
}

/* Positions, the number of elements and the version. */
static bool compare_meta(const struct verify_comparison *comparison)
{
    const struct verify_model *model = comparison->model;
    const struct scene_snapshot *snapshot = comparison->snapshot;
    for (size_t i = 0; i < model->lost_count; i++) {
        if (!report_lost(comparison, &model->lost[i])) {
            return false;
        }
    }
    struct verify_fields fields = {.arena = comparison->arena};
    bool has_count = model->is_complete && !model->has_uncertain && model->lost_count == 0;
    if (has_count && !verify_fields_compare(&fields, "element_count", snapshot->element_count,
                                            model->scene->element_count)) {
        return false;
    }
    if (verify_model_has_versions(model) && model->lost_count == 0 &&
        !verify_fields_compare(&fields, "version", snapshot->version, model->scene->version)) {
        return false;
    }
    if (fields.count > 0) {
        verify_report_difference(comparison->report, comparison->session_id, (struct span){0},
                                 VERIFY_DIFFERENT, &fields, NULL);
    }
    return true;
}

static bool compare_elements(const struct verify_comparison *comparison,
                             const struct stored_element *stored, struct error *error)
{
    for (size_t i = 0; i < comparison->snapshot->count; i++) {
        if (!compare_stored(comparison, &stored[i], error)) {
            return false;
        }
    }
    const struct scene *scene = comparison->model->scene;
    for (size_t i = 0; i < scene->slot_count; i++) {
        if (scene->slots[i] != NULL && !compare_absent(comparison, scene->slots[i], error)) {
            return false;
        }
    }
    return true;
}

static bool compare_scene(const struct verify_comparison *comparison, bool is_there,
                          struct error *error)
{
    const struct verify_model *model = comparison->model;
    /* One line is enough for a scene that one side has nothing of. */
    if (!is_there) {
        return report_count(comparison, VERIFY_MISSING, NULL, &model->scene->element_count) ||
               out_of_memory(error);
    }
    uint64_t count = comparison->snapshot->count;
    if (model->attempt_count == 0 && model->is_complete) {
        return report_count(comparison, VERIFY_UNEXPECTED, &count, NULL) || out_of_memory(error);
    }
    const struct stored_element *stored = read_elements(comparison);
    if (stored == NULL || !compare_meta(comparison)) {
        return out_of_memory(error);
    }
    return compare_elements(comparison, stored, error);
}

bool verify_compare(const struct verify_comparison *comparison, struct error *error)
{
    const struct verify_model *model = comparison->model;
    struct verify_counts *counts = &comparison->report->counts;
    uint64_t differences_before = counts->differences;
    uint64_t not_judged_before = counts->elements_not_judged;
    bool is_there = comparison->snapshot->has_meta || comparison->snapshot->count > 0;
    if (!is_there && model->lost_count == 0) {
        return true; /* no worker has come to it yet, or nothing of it was ever accepted */
    }
    if (!compare_scene(comparison, is_there, error)) {
        return false;
    }
    counts->scenes++;
    if (counts->differences > differences_before) {
        counts->scenes_different++;
    } else if (counts->elements_not_judged > not_judged_before) {
        counts->scenes_not_judged++;
    } else {
        counts->scenes_equal++;
    }
    counts->versions_not_judged += verify_model_has_versions(model) ? 0 : 1;
    return true;
}
