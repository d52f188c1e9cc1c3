/* Section 4: one attempt of a batch on a scene (model.h). */
#include <stdlib.h>

#include "tests/model/model.h"

/* What this very attempt did to an element, which some rules ask for. */
struct model_note {
    bool was_present; /* before this batch */
    uint64_t version_before;
    bool is_added_here, is_removed_here;
};

/* An element as an operation meets it. */
struct local {
    const struct model_element *element; /* NULL: unknown */
    const struct model_note *note;       /* NULL: untouched so far */
};

enum action { ACTION_APPLY, ACTION_KEEP_LOCAL, ACTION_NOT_FOUND };

struct decision {
    enum action action;
    const char *reason; /* NULL: no conflict */
};

static bool is_present(const struct model_element *element)
{
    return element != NULL && !element->is_removed;
}

static bool is_out_of_retries(const struct model_run *run)
{
    return run->attempt >= run->settings->retries_max;
}

/* Who wins where the operation is older than what is stored. */
static enum action stale_action(const struct model_run *run, bool is_older)
{
    const bool is_retry = run->attempt > 0;
    const bool applies = run->batch->strategy == MODEL_REMOTE_WINS && !(is_retry && is_older);
    return applies ? ACTION_APPLY : ACTION_KEEP_LOCAL;
}

static struct decision decide_against_base(const struct model_run *run, uint64_t version_before,
                                           uint64_t base_version, bool is_older)
{
    struct decision decision = {.action = ACTION_APPLY};
    if (base_version == version_before) {
        return decision;
    }
    decision.reason = "ConcurrentModification";
    switch (run->batch->strategy) {
    case MODEL_LAST_WRITE_WINS:
        decision.action = is_older ? ACTION_KEEP_LOCAL : ACTION_APPLY;
        break;
    case MODEL_LOCAL_WINS:
        decision.action = ACTION_KEEP_LOCAL;
        break;
    case MODEL_REMOTE_WINS:
    case MODEL_MERGE:
        decision.action = stale_action(run, is_older);
        break;
    }
    return decision;
}

static struct decision decide_add(const struct model_run *run, const struct local *local,
                                  uint64_t t_ms)
{
    const struct model_element *const element = local->element;
    if (element == NULL) {
        return (struct decision){.action = ACTION_APPLY};
    }
    if (element->is_removed) {
        const bool is_own = local->note != NULL && local->note->is_removed_here;
        if (t_ms > element->timestamp_ms || (t_ms == element->timestamp_ms && is_own)) {
            return (struct decision){.action = ACTION_APPLY};
        }
        return (struct decision){.action = stale_action(run, t_ms < element->timestamp_ms),
                                 .reason = "StaleTimestamp"};
    }
    if (t_ms < element->timestamp_ms) {
        return (struct decision){.action = stale_action(run, true), .reason = "StaleTimestamp"};
    }
    const bool applies = run->batch->strategy != MODEL_LOCAL_WINS;
    return (struct decision){.action = applies ? ACTION_APPLY : ACTION_KEEP_LOCAL,
                             .reason = "ElementAlreadyExists"};
}

static struct decision decide_update(const struct model_run *run,
                                     const struct model_element *element, uint64_t t_ms)
{
    if (element == NULL) {
        return (struct decision){.action = ACTION_NOT_FOUND, .reason = "ElementNotFound"};
    }
    const bool is_older = t_ms < element->timestamp_ms;
    if (element->is_removed) {
        return is_older
                   ? (struct decision){.action = ACTION_KEEP_LOCAL, .reason = "StaleTimestamp"}
                   : (struct decision){.action = ACTION_NOT_FOUND, .reason = "ElementNotFound"};
    }
    if (is_older) {
        return (struct decision){.action = stale_action(run, true), .reason = "StaleTimestamp"};
    }
    return (struct decision){.action = ACTION_APPLY};
}

static struct decision decide_remove(const struct model_run *run,
                                     const struct model_element *element, uint64_t t_ms)
{
    if (!is_present(element)) {
        return (struct decision){.action = ACTION_NOT_FOUND, .reason = "ElementNotFound"};
    }
    return decide_update(run, element, t_ms);
}

static struct decision decide(const struct model_run *run, const struct model_operation *operation,
                              const struct local *local, uint64_t t_ms)
{
    const bool is_added_here = local->note != NULL && local->note->is_added_here;
    if (operation->has_base_version && is_present(local->element) && !is_added_here) {
        const uint64_t before =
            local->note != NULL ? local->note->version_before : local->element->version;
        return decide_against_base(run, before, operation->base_version,
                                   t_ms < local->element->timestamp_ms);
    }
    switch (operation->kind) {
    case MODEL_ADD:
        return decide_add(run, local, t_ms);
    case MODEL_UPDATE:
        return decide_update(run, local->element, t_ms);
    case MODEL_REMOVE:
        return decide_remove(run, local->element, t_ms);
    case MODEL_INVALID:
    case MODEL_INTERACTION:
        break;
    }
    return (struct decision){.action = ACTION_APPLY};
}

/* --- The attempt's own copies of what it changes --- */

struct work {
    const struct model_scene *scene;
    const struct model_run *run;
    struct model_attempt *attempt;
    int64_t record_time_ms;
};

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

static struct local find_local(const struct work *work, struct span id)
{
    const struct model_attempt *const attempt = work->attempt;
    const size_t place = find_changed(attempt, id);
    if (place < attempt->changed_count) {
        return (struct local){.element = attempt->changed[place], .note = &attempt->notes[place]};
    }
    return (struct local){.element = model_scene_find(work->scene, id)};
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
    attempt->notes[place] = (struct model_note){
        .was_present = is_present(before), .version_before = before != NULL ? before->version : 0};
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

static void put_document(struct work *work, const struct model_operation *operation,
                         const struct local *local, struct model_element *element, uint64_t t_ms)
{
    const bool is_new = !is_present(local->element);
    const bool was_added_here = local->note != NULL && local->note->is_added_here;
    element->timestamp_ms = later(clock_of(local->element), t_ms);
    struct model_note *const note = put_changed(work, element);
    note->is_added_here = was_added_here || (operation->kind == MODEL_ADD && is_new);
    note->is_removed_here = false;
    work->attempt->element_count += is_new ? 1 : 0;
}

/* An applied add or update. Returns the code where it cannot be. */
static const char *store_document(struct work *work, const struct model_operation *operation,
                                  const struct local *local, uint64_t t_ms)
{
    const struct model_settings *const settings = work->run->settings;
    if (!is_present(local->element) && work->attempt->element_count >= settings->elements_max) {
        return "too_many_elements";
    }
    struct model_element *const element = create_element(operation->id);
    element->document = operation->kind == MODEL_ADD
                            ? value_copy(operation->content, &element->pool)
                            : model_element_patched(local->element->document, operation->content,
                                                    settings, &element->pool);
    const char *code = element->document == NULL ? "invalid_operation" : NULL;
    if (code == NULL && value_size(element->document) > settings->element_bytes_max) {
        code = "element_too_large";
    }
    if (code != NULL) {
        model_element_free(element);
        return code;
    }
    put_document(work, operation, local, element, t_ms);
    return NULL;
}

static void store_tombstone(struct work *work, const struct model_operation *operation,
                            const struct local *local, uint64_t t_ms)
{
    struct model_element *const tombstone = create_element(operation->id);
    const bool was_present = is_present(local->element);
    tombstone->is_removed = true;
    tombstone->timestamp_ms = later(clock_of(local->element), t_ms);
    tombstone->removed_at_ms = work->record_time_ms;
    struct model_note *const note = put_changed(work, tombstone);
    note->is_added_here = false;
    note->is_removed_here = true;
    work->attempt->element_count -= was_present ? 1 : 0;
}

/* --- What becomes of an operation --- */

static void fail(struct model_verdict *verdict, const char *code, bool is_retryable)
{
    verdict->standing = MODEL_FAILED;
    verdict->code = code;
    verdict->is_retryable = is_retryable;
}

static void fail_retryable(struct work *work, struct model_verdict *verdict, const char *code)
{
    fail(verdict, code, true);
    if (is_out_of_retries(work->run)) {
        verdict->is_out_of_retries = true;
    } else {
        verdict->standing = MODEL_PENDING;
    }
}

static const char *code_of_reason(const char *reason)
{
    if (strcmp(reason, "StaleTimestamp") == 0) {
        return "stale_timestamp";
    }
    return strcmp(reason, "ElementAlreadyExists") == 0 ? "element_already_exists"
                                                       : "concurrent_modification";
}

static void note_conflict(struct model_verdict *verdict, const struct decision *decision,
                          uint64_t t_ms)
{
    verdict->has_conflict = true;
    verdict->reason = decision->reason;
    verdict->resolution = decision->action == ACTION_APPLY ? "keep_remote" : "keep_local";
    verdict->local = verdict->met;
    verdict->stale_local_ms = verdict->met.timestamp_ms;
    verdict->stale_remote_ms = t_ms;
}

static void settle_not_found(struct work *work, const struct model_operation *operation,
                             const struct local *local, uint64_t t_ms,
                             struct model_verdict *verdict)
{
    const bool is_removed = local->element != NULL;
    if (operation->kind == MODEL_REMOVE && is_removed) {
        fail(verdict, "element_removed", false);
        if (t_ms > local->element->timestamp_ms) {
            store_tombstone(work, operation, local, t_ms);
        }
        return;
    }
    fail_retryable(work, verdict, "element_not_found");
    if (verdict->standing != MODEL_FAILED) {
        return;
    }
    if (operation->kind == MODEL_REMOVE) {
        store_tombstone(work, operation, local, t_ms);
    } else if (is_removed) {
        verdict->code = "element_removed";
        verdict->is_retryable = false;
    }
}

static void settle_applied(struct work *work, const struct model_operation *operation,
                           const struct local *local, uint64_t t_ms, struct model_verdict *verdict)
{
    const char *code = NULL;
    if (operation->kind == MODEL_REMOVE) {
        store_tombstone(work, operation, local, t_ms);
    } else if (operation->kind != MODEL_INTERACTION) {
        code = store_document(work, operation, local, t_ms);
    }
    if (code != NULL) {
        fail(verdict, code, false);
    } else {
        verdict->standing = MODEL_SYNCED;
        verdict->code = NULL;
        verdict->is_retryable = false;
        verdict->resolution = "keep_remote"; /* also of a conflict of an attempt before */
    }
}

static struct model_local met_of(const struct model_element *element)
{
    if (element == NULL) {
        return (struct model_local){0};
    }
    return (struct model_local){.version = element->version,
                                .timestamp_ms = element->timestamp_ms,
                                .is_removed = element->is_removed};
}

static void settle(struct work *work, const struct model_operation *operation,
                   struct model_verdict *verdict)
{
    const bool is_ahead = operation->timestamp_ms > work->run->arrival_ms;
    const uint64_t t_ms = is_ahead ? work->run->arrival_ms : operation->timestamp_ms;
    const struct local local =
        operation->kind == MODEL_INTERACTION ? (struct local){0} : find_local(work, operation->id);
    verdict->is_clamped = is_ahead;
    verdict->met = met_of(local.element);
    const struct decision decision = decide(work->run, operation, &local, t_ms);
    const struct model_verdict before = *verdict;
    if (decision.reason != NULL) {
        note_conflict(verdict, &decision, t_ms);
    }
    switch (decision.action) {
    case ACTION_NOT_FOUND:
        settle_not_found(work, operation, &local, t_ms, verdict);
        break;
    case ACTION_KEEP_LOCAL:
        fail(verdict, code_of_reason(decision.reason), false);
        break;
    case ACTION_APPLY:
        settle_applied(work, operation, &local, t_ms, verdict);
        if (verdict->standing == MODEL_FAILED) {
            /* It failed for another reason than the conflict, which is not told then. */
            const char *const code = verdict->code;
            *verdict = before;
            fail(verdict, code, false);
        }
        break;
    }
}

static void settle_lost_races(struct work *work, const struct model_operation *operation,
                              struct model_verdict *verdict)
{
    const struct decision decision = {.action = ACTION_KEEP_LOCAL,
                                      .reason = "ConcurrentModification"};
    const bool is_ahead = operation->timestamp_ms > work->run->arrival_ms;
    verdict->is_clamped = is_ahead;
    if (operation->kind == MODEL_INTERACTION) {
        verdict->standing = MODEL_SYNCED;
        return;
    }
    verdict->met = met_of(find_local(work, operation->id).element);
    note_conflict(verdict, &decision, operation->timestamp_ms);
    fail_retryable(work, verdict, "concurrent_modification");
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
        if (verdict->standing != MODEL_PENDING) {
            continue;
        }
        verdict->attempt = run->attempt + 1;
        if (batch->operations[i].kind == MODEL_INVALID) {
            fail(verdict, "invalid_operation", false);
        } else if (lost_races) {
            settle_lost_races(&work, &batch->operations[i], verdict);
        } else {
            settle(&work, &batch->operations[i], verdict);
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
