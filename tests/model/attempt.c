/* Section 4: one attempt of a batch on a scene (model.h). */
#include <assert.h>
#include <stdlib.h>

#include "tests/model/decide.h"

struct work {
    const struct model_scene *scene;
    const struct model_run *run;
    struct model_attempt *attempt;
    int64_t record_time_ms;
};

/* One operation, and what it meets. */
struct trial {
    struct work *work;
    const struct model_operation *operation;
    struct model_met met;
    uint64_t t_ms;
    struct model_verdict *verdict;
};

/* --- The attempt's own copies of what it changes --- */

static struct model_element *create_element(struct span id)
{
    struct model_element *const element = calloc(1, sizeof(*element));
    if (element == NULL) {
        abort();
    }
    element->id = pool_copy(&element->pool, id);
    return element;
}

static size_t find_changed(const struct model_attempt *attempt, struct span id)
{
    size_t i = 0;
    while (i < attempt->changed_count && !span_equal(attempt->changed[i]->id, id)) {
        i++;
    }
    return i;
}

static struct model_met find_met(const struct work *work, struct span id)
{
    const struct model_attempt *const attempt = work->attempt;
    const size_t place = find_changed(attempt, id);
    if (place < attempt->changed_count) {
        return (struct model_met){.element = attempt->changed[place],
                                  .note = &attempt->notes[place]};
    }
    return (struct model_met){.element = model_scene_find(work->scene, id)};
}

/* Takes `element` in the place of what was there; the note stays, or is made. */
static struct model_note *put_changed(struct work *work, struct model_element *element)
{
    struct model_attempt *const attempt = work->attempt;
    const size_t place = find_changed(attempt, element->id);
    attempt->has_changed = true;
    element->version = work->scene->version + 1;
    if (place < attempt->changed_count) {
        model_element_free(attempt->changed[place]);
        attempt->changed[place] = element;
        return &attempt->notes[place];
    }
    const struct model_element *const before = model_scene_find(work->scene, element->id);
    attempt->changed = grown(attempt->changed, place + 1, sizeof(struct model_element *));
    attempt->notes = grown(attempt->notes, place + 1, sizeof(*attempt->notes));
    attempt->changed[place] = element;
    attempt->notes[place] =
        (struct model_note){.version_before = before != NULL ? before->version : 0};
    attempt->changed_count++;
    return &attempt->notes[place];
}

static uint64_t later(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

static uint64_t clock_of(const struct model_element *element)
{
    return element == NULL ? 0 : element->timestamp_ms;
}

static void put_document(const struct trial *trial, struct model_element *element)
{
    const struct model_met *const met = &trial->met;
    const bool is_new = !model_is_present(met->element);
    const bool was_added_here = met->note != NULL && met->note->is_added_here;
    element->timestamp_ms = later(clock_of(met->element), trial->t_ms);
    struct model_note *const note = put_changed(trial->work, element);
    note->is_added_here = was_added_here || is_new;
    note->is_removed_here = false;
    trial->work->attempt->element_count += is_new ? 1 : 0;
}

static void put_tombstone(const struct trial *trial)
{
    struct model_element *const tombstone = create_element(trial->operation->id);
    const bool was_present = model_is_present(trial->met.element);
    tombstone->is_removed = true;
    tombstone->timestamp_ms = later(clock_of(trial->met.element), trial->t_ms);
    tombstone->removed_at_ms = trial->work->record_time_ms;
    struct model_note *const note = put_changed(trial->work, tombstone);
    note->is_added_here = false;
    note->is_removed_here = true;
    trial->work->attempt->element_count -= was_present ? 1 : 0;
}

/* --- What becomes of an operation --- */

static bool is_out_of_retries(const struct model_run *run)
{
    return run->attempt >= run->settings->retries_max;
}

static void fail(struct model_verdict *verdict, const char *code, bool is_retryable)
{
    verdict->standing = MODEL_FAILED;
    verdict->code = code;
    verdict->is_retryable = is_retryable;
}

static void fail_retryable(const struct trial *trial, const char *code)
{
    fail(trial->verdict, code, true);
    if (is_out_of_retries(trial->work->run)) {
        trial->verdict->is_out_of_retries = true;
    } else {
        trial->verdict->standing = MODEL_PENDING;
    }
}

static void sync(struct model_verdict *verdict, const char *resolution)
{
    verdict->standing = MODEL_SYNCED;
    verdict->code = NULL;
    verdict->is_retryable = false;
    verdict->resolution = resolution; /* also of a conflict of an attempt before */
}

static const char *code_of_reason(const char *reason)
{
    if (strcmp(reason, "StaleTimestamp") == 0) {
        return "stale_timestamp";
    }
    return strcmp(reason, "ElementAlreadyExists") == 0 ? "element_already_exists"
                                                       : "concurrent_modification";
}

static void note_conflict(const struct trial *trial, const char *reason)
{
    struct model_verdict *const verdict = trial->verdict;
    verdict->has_conflict = true;
    verdict->reason = reason;
    verdict->resolution = "keep_local";
    verdict->local = verdict->met;
    verdict->stale_local_ms = verdict->met.timestamp_ms;
    verdict->stale_remote_ms = trial->t_ms;
}

static void keep_local(const struct trial *trial)
{
    fail(trial->verdict, code_of_reason(trial->verdict->reason), false);
}

static void settle_not_found(const struct trial *trial)
{
    const struct model_element *const tombstone = trial->met.element;
    const bool is_remove = trial->operation->kind == MODEL_REMOVE;
    if (is_remove && tombstone != NULL) {
        fail(trial->verdict, "element_removed", false);
        if (trial->t_ms > tombstone->timestamp_ms) {
            put_tombstone(trial);
        }
        return;
    }
    fail_retryable(trial, "element_not_found");
    if (trial->verdict->standing == MODEL_PENDING) {
        return;
    }
    if (is_remove) {
        put_tombstone(trial);
    } else if (tombstone != NULL) {
        trial->verdict->code = "element_removed";
        trial->verdict->is_retryable = false;
    }
}

/* It failed for another reason than its conflict, which is not told then. */
static void fail_otherwise(const struct trial *trial, const struct model_verdict *before,
                           const char *code)
{
    *trial->verdict = *before;
    fail(trial->verdict, code, false);
}

/* NULL, or why what is to be stored cannot be. */
static const char *check_document(const struct trial *trial, const struct value *document)
{
    const struct model_settings *const settings = trial->work->run->settings;
    if (!model_is_present(trial->met.element) &&
        trial->work->attempt->element_count >= settings->elements_max) {
        return "too_many_elements";
    }
    if (document == NULL) {
        return "invalid_operation";
    }
    return value_size(document) > settings->element_bytes_max ? "element_too_large" : NULL;
}

/* An add or an update that is applied: the whole of it. */
static struct model_element *make_applied(const struct trial *trial)
{
    const struct model_operation *const operation = trial->operation;
    const struct model_settings *const settings = trial->work->run->settings;
    const struct model_element *const before = trial->met.element;
    const bool is_add = operation->kind == MODEL_ADD;
    assert(is_add || before != NULL);
    struct model_element *const element = create_element(operation->id);
    struct pool pool = {0};
    element->document = is_add ? value_copy(operation->content, &element->pool)
                               : model_element_patched(before->document, operation->content,
                                                       settings, &element->pool);
    if (trial->work->run->batch->strategy == MODEL_MERGE ||
        (before != NULL && before->has_clocks)) {
        const struct value *const said =
            is_add ? operation->said : model_changes_heeded(operation->content, &pool);
        if (is_add) {
            element->has_clocks = true;
            element->add_clock_ms = trial->t_ms;
        } else {
            model_keep_clocks(element, before);
        }
        model_note_written(element, model_leaves_to_write(NULL, said, trial->t_ms, &pool),
                           trial->t_ms);
    }
    pool_free(&pool);
    return element;
}

/* One that is merged: those of its leaves whose clocks allow it. NULL: there are none. */
static struct model_element *make_merged(const struct trial *trial)
{
    const struct model_operation *const operation = trial->operation;
    const struct model_element *const before = trial->met.element;
    const bool is_add = operation->kind == MODEL_ADD;
    assert(before != NULL);
    struct pool pool = {0};
    const struct value *const said =
        is_add ? operation->said : model_changes_heeded(operation->content, &pool);
    const struct value *const leaves = model_leaves_to_write(before, said, trial->t_ms, &pool);
    struct model_element *element = NULL;
    if (leaves->count > 0) {
        element = create_element(operation->id);
        element->document = is_add
                                ? model_element_with(before->document, leaves, &element->pool)
                                : model_element_patched(before->document, leaves,
                                                        trial->work->run->settings, &element->pool);
        model_keep_clocks(element, before);
        if (is_add) {
            element->add_clock_ms = later(element->add_clock_ms, trial->t_ms);
        }
        model_note_written(element, leaves, trial->t_ms);
    }
    pool_free(&pool);
    return element;
}

static void settle_document(const struct trial *trial, const struct model_verdict *before,
                            bool is_merged)
{
    struct model_element *const element = is_merged ? make_merged(trial) : make_applied(trial);
    if (element == NULL) {
        keep_local(trial);
        return;
    }
    const char *const code = check_document(trial, element->document);
    if (code != NULL) {
        model_element_free(element);
        fail_otherwise(trial, before, code);
        return;
    }
    put_document(trial, element);
    sync(trial->verdict, is_merged ? "merge" : "keep_remote");
}

static void settle_applied(const struct trial *trial, const struct model_verdict *before)
{
    if (trial->operation->kind == MODEL_ADD || trial->operation->kind == MODEL_UPDATE) {
        settle_document(trial, before, false);
        return;
    }
    if (trial->operation->kind == MODEL_REMOVE) {
        put_tombstone(trial);
    }
    sync(trial->verdict, "keep_remote");
}

static void settle(const struct trial *trial)
{
    const struct model_verdict before = *trial->verdict;
    const struct model_decision decision =
        model_decide(trial->work->run, trial->operation, &trial->met, trial->t_ms);
    if (decision.reason != NULL) {
        note_conflict(trial, decision.reason);
    }
    switch (decision.action) {
    case MODEL_NOT_FOUND:
        settle_not_found(trial);
        break;
    case MODEL_KEEP_LOCAL:
        keep_local(trial);
        break;
    case MODEL_MERGE_LEAVES:
        settle_document(trial, &before, true);
        break;
    case MODEL_APPLY:
        settle_applied(trial, &before);
        break;
    }
}

static void settle_lost_races(const struct trial *trial)
{
    if (trial->operation->kind == MODEL_INTERACTION) {
        sync(trial->verdict, "keep_remote");
        return;
    }
    note_conflict(trial, "ConcurrentModification");
    fail_retryable(trial, "concurrent_modification");
}

static struct model_local local_of(const struct model_element *element)
{
    if (element == NULL) {
        return (struct model_local){0};
    }
    return (struct model_local){.version = element->version,
                                .timestamp_ms = element->timestamp_ms,
                                .is_removed = element->is_removed};
}

static void try_operation(struct work *work, const struct model_operation *operation,
                          bool lost_races, struct model_verdict *verdict)
{
    if (operation->kind == MODEL_INVALID) {
        fail(verdict, "invalid_operation", false);
        return;
    }
    struct trial trial = {.work = work, .operation = operation, .verdict = verdict};
    verdict->is_clamped = operation->timestamp_ms > work->run->arrival_ms;
    trial.t_ms = verdict->is_clamped ? work->run->arrival_ms : operation->timestamp_ms;
    if (operation->kind != MODEL_INTERACTION) {
        trial.met = find_met(work, operation->id);
    }
    verdict->met = local_of(trial.met.element);
    if (lost_races) {
        settle_lost_races(&trial);
    } else {
        settle(&trial);
    }
}

void model_attempt_decide(const struct model_scene *scene, const struct model_run *run,
                          int64_t record_time_ms, bool lost_races, struct model_attempt *attempt)
{
    const struct model_batch *const batch = run->batch;
    *attempt = (struct model_attempt){.element_count = scene->element_count};
    attempt->verdicts = grown(NULL, batch->operation_count, sizeof(*attempt->verdicts));
    struct work work = {
        .scene = scene, .run = run, .attempt = attempt, .record_time_ms = record_time_ms};
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        struct model_verdict *const verdict = &attempt->verdicts[i];
        *verdict = run->verdicts[i];
        if (verdict->standing == MODEL_PENDING) {
            verdict->attempt = run->attempt + 1;
            try_operation(&work, &batch->operations[i], lost_races, verdict);
        }
    }
    attempt->scene_version = scene->version + (attempt->has_changed ? 1 : 0);
}

static void free_changes(struct model_attempt *attempt)
{
    for (size_t i = 0; i < attempt->changed_count; i++) {
        model_element_free(attempt->changed[i]);
    }
    attempt->changed_count = 0;
}

void model_attempt_drop_changes(struct model_attempt *attempt, const struct model_scene *scene)
{
    free_changes(attempt);
    attempt->has_changed = false;
    attempt->scene_version = scene->version;
    attempt->element_count = scene->element_count;
}

void model_attempt_free(struct model_attempt *attempt)
{
    free_changes(attempt);
    free(attempt->changed);
    free(attempt->notes);
    free(attempt->verdicts);
    *attempt = (struct model_attempt){0};
}

void model_attempt_take(struct model_attempt *attempt, struct model_scene *scene,
                        struct model_run *run)
{
    for (size_t i = 0; i < attempt->changed_count; i++) {
        model_scene_put(scene, attempt->changed[i]);
    }
    attempt->changed_count = 0;
    scene->version = attempt->scene_version;
    scene->element_count = attempt->element_count;
    free(run->verdicts);
    run->verdicts = attempt->verdicts;
    run->attempt++;
    attempt->verdicts = NULL;
    model_attempt_free(attempt);
}
