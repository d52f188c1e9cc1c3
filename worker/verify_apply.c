#include "worker/verify_apply.h"

#include "store/process.h"
#include "worker/verify_select.h"

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to rebuild a scene");
}

/* Whether a worker applied it: the position says so, or else its answer. */
static bool was_reached(const struct verify_apply *apply, const struct verify_record *record,
                        const struct verify_attempt *attempt)
{
    return record->offset <= apply->bound->position ||
           (attempt->heard != NULL && attempt->heard->first_sequence <= apply->answered_sequence);
}

/*
 * It has no result of its own, though all results are there and one behind it in its partition was
 * answered: then it was recognised, as a resend or under a used name. (A worker answers a partition
 * in order, also after a crash.)
 */
static bool was_passed_by(const struct verify_apply *apply, const struct verify_record *record,
                          const struct verify_attempt *attempt)
{
    if (attempt->heard != NULL || attempt->number > 1 || !apply->context->has_all_results) {
        return false;
    }
    const struct verify_result *heard = NULL;
    for (const struct verify_record *later = record->next; later != NULL && heard == NULL;
         later = later->next) {
        heard =
            verify_log_find_result(apply->context->log, later->partition->number, later->offset, 1);
    }
    return heard != NULL;
}

/* Whether the record changed nothing, by what can be told from it and the results. */
static bool is_nothing(const struct verify_apply *apply, const struct verify_record *record,
                       const struct verify_attempt *attempt)
{
    return attempt->delivery.refusal.code != ERROR_NONE || verify_attempt_was_refused(attempt) ||
           !was_reached(apply, record, attempt) || was_passed_by(apply, record, attempt);
}

bool verify_head_read(const struct verify_apply *apply, struct verify_model *model,
                      const struct verify_record *record, struct verify_head *out,
                      struct error *error)
{
    const struct verify_context *context = apply->context;
    struct verify_attempt attempt;
    arena_reset(context->arena);
    if (!verify_attempt_decode(record, context, &attempt, error)) {
        return false;
    }
    *out = (struct verify_head){.attempt = attempt.number, .time_ms = record->timestamp_ms};
    if (is_nothing(apply, record, &attempt)) {
        return true;
    }
    out->identity = verify_model_identity(model, attempt.delivery.field);
    out->heard = attempt.heard;
    out->surely_changed = attempt.surely_changed;
    const struct retry_section *retry = attempt.delivery.batch.retry;
    if (retry != NULL && retry->not_before_ms <= INT64_MAX &&
        (int64_t)retry->not_before_ms > out->time_ms) {
        out->time_ms = (int64_t)retry->not_before_ms;
    }
    return out->identity != NULL || out_of_memory(error);
}

enum verify_turn verify_head_turn(const struct verify_model *model, const struct verify_head *head)
{
    if (head->identity == NULL) {
        return VERIFY_TURN_ANY;
    }
    uint32_t applied = head->identity->attempt;
    if (head->attempt == 1) {
        return head->heard != NULL || applied == 0 ? VERIFY_TURN_READY : VERIFY_TURN_ANY;
    }
    if (applied >= head->attempt) {
        return VERIFY_TURN_ANY;
    }
    /* Where the first attempt may be gone from the log, the version will tell. */
    bool is_first_gone = applied == 0 && head->heard != NULL && !model->is_complete;
    return applied + 1 == head->attempt || is_first_gone ? VERIFY_TURN_READY : VERIFY_TURN_LATER;
}

/* What the worker made of it: the results know better than a model that forgets nothing. */
static enum verdict verdict_of(const struct verify_model *model,
                               const struct verify_identity *identity,
                               const struct verify_attempt *attempt)
{
    if (attempt->number == 1 && attempt->heard != NULL) {
        return VERDICT_NEW;
    }
    if (attempt->number > 1 && identity->attempt == 0 && attempt->heard != NULL &&
        !model->is_complete) {
        return VERDICT_NEW;
    }
    return verify_model_recognise(identity, attempt);
}

/* An attempt is the last one where its result leaves nothing pending, whatever the settings say
 * today. */
static uint32_t retries_max_of(const struct verify_attempt *attempt,
                               const struct settings *settings)
{
    if (!attempt->has_result) {
        return settings->retry_retries_max;
    }
    bool is_last = attempt->result.pending_count == 0;
    for (uint32_t i = 0; is_last && i < attempt->result.failure_entry_count; i++) {
        is_last = attempt->result.failures[i].code != ERROR_RETRY_TOO_LARGE;
    }
    return is_last ? attempt->number - 1 : attempt->number;
}

/* The clock that a remove leaves on a tombstone, plus one; 0 where it changes nothing. */
static uint64_t lift_of(const struct verify_model *model, const struct verify_attempt *attempt,
                        const struct operation *operation, bool is_last)
{
    const struct element *element =
        operation->kind == OPERATION_REMOVE ? scene_find(model->scene, operation->id) : NULL;
    uint64_t timestamp_ms = operation->timestamp_ms < attempt->delivery.arrival_ms
                                ? operation->timestamp_ms
                                : attempt->delivery.arrival_ms;
    bool is_unknown = element == NULL || element->presence == ELEMENT_UNKNOWN;
    if (operation->kind != OPERATION_REMOVE || (is_unknown && !is_last)) {
        return 0;
    }
    bool is_lifted = is_unknown ||
                     (element->presence == ELEMENT_REMOVED && timestamp_ms > element->timestamp_ms);
    return is_lifted ? timestamp_ms + 1 : 0;
}

bool verify_apply_lift(const struct verify_apply *apply, const struct verify_model *model,
                       const struct verify_record *record, uint64_t *lift_ms, struct error *error)
{
    struct verify_attempt attempt;
    arena_reset(apply->context->arena);
    if (!verify_attempt_decode(record, apply->context, &attempt, error)) {
        return false;
    }
    bool is_last = retries_max_of(&attempt, apply->context->settings) < attempt.number;
    *lift_ms = 0;
    for (uint32_t i = 0; i < attempt.delivery.batch.operation_count; i++) {
        uint64_t lift = lift_of(model, &attempt, &attempt.delivery.batch.operations[i], is_last);
        *lift_ms = lift > *lift_ms ? lift : *lift_ms;
    }
    return true;
}

static bool run_engine(const struct verify_apply *apply, struct verify_model *model,
                       const struct verify_attempt *attempt, struct verify_selection *selection,
                       struct sync_result *result, struct error *error)
{
    const struct settings *settings = apply->context->settings;
    struct limits limits = settings->limits;
    if (!model->is_complete || attempt->has_result) {
        limits.elements_max = UINT32_MAX; /* the result says which operations met that limit */
    }
    if (attempt->has_result && attempt->number == 1) {
        selection->batch.strategy = attempt->result.strategy;
    }
    const struct process_context process = {
        .limits = &limits,
        .retries_max = retries_max_of(attempt, settings),
        .source = attempt->delivery.source,
        .arrival_ms = attempt->delivery.arrival_ms,
        .record_time_ms = attempt->delivery.record_time_ms,
        .arena = apply->context->arena,
        .scratch = apply->context->scratch,
    };
    return process_batch(model->scene, &selection->batch, &process, result, error);
}

/* Before the engine runs: the version that it raises, or leaves, is the one in the result. */
static void sync_version_before(struct verify_model *model, const struct verify_attempt *attempt)
{
    if (attempt->heard == NULL || attempt->heard->scene_version <= model->scene->version) {
        return;
    }
    uint64_t before = attempt->heard->scene_version - 1;
    /* Somebody else has raised it; or this is where a history without a beginning begins. */
    model->has_version_gap =
        model->has_version_gap || (model->is_version_known && before != model->scene->version);
    model->scene->version = before;
    model->is_version_known = true;
}

static void sync_version_after(struct verify_model *model, const struct verify_attempt *attempt)
{
    if (attempt->heard == NULL || attempt->heard->scene_version == model->scene->version) {
        return;
    }
    model->has_version_gap = true;
    if (attempt->heard->scene_version > model->scene->version) {
        model->scene->version = attempt->heard->scene_version;
    }
}

/* The identity is what the worker's batch record became. */
static bool remember(struct verify_model *model, struct verify_identity *identity,
                     const struct verify_record *record, const struct verify_attempt *attempt,
                     const struct verify_selection *selection, const struct sync_result *result)
{
    size_t pending_max = (size_t)result->pending_count + selection->pending_count;
    uint32_t *pending = arena_alloc_array(&model->arena, pending_max, sizeof(uint32_t));
    if (pending == NULL) {
        return false;
    }
    uint32_t count = 0;
    uint32_t left_out = 0;
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        if (!result->failures[i].pending) {
            continue;
        }
        while (left_out < selection->pending_count &&
               selection->pending[left_out] < result->failures[i].index) {
            pending[count++] = selection->pending[left_out++];
        }
        pending[count++] = result->failures[i].index;
    }
    while (left_out < selection->pending_count) {
        pending[count++] = selection->pending[left_out++];
    }
    if (attempt->number == 1) {
        identity->first = record;
        identity->fingerprint = attempt->delivery.fingerprint;
    }
    identity->attempt = attempt->number;
    identity->delivery = attempt->delivery.source;
    identity->pending = pending;
    identity->pending_count = count;
    identity->knows_requeue = attempt->has_result && !attempt->result.final;
    identity->not_before_ms = attempt->result.next_attempt_at_ms;
    identity->duration_ms = attempt->result.duration_ms;
    identity->synced_count = attempt->result.synced_count;
    return true;
}

static bool mark_all(struct verify_model *model, const struct batch *batch, struct error *error)
{
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        if (span_is_absent(batch->operations[i].id)) {
            continue;
        }
        const struct element *element = verify_model_element(model, batch->operations[i].id);
        if (element == NULL || !verify_model_mark(model, element, VERIFY_UNCERTAIN)) {
            return out_of_memory(error);
        }
    }
    return true;
}

/* The store's position is behind what was answered: it lost this attempt. */
static bool note_lost(const struct verify_apply *apply, struct verify_model *model,
                      const struct verify_record *record)
{
    for (size_t i = 0; i < model->lost_count; i++) {
        if (model->lost[i].partition == record->partition) {
            model->lost[i].answered = record->offset;
            return true;
        }
    }
    struct verify_lost *lost =
        arena_alloc_array(&model->arena, model->lost_count + 1, sizeof(*lost));
    if (lost == NULL) {
        return false;
    }
    if (model->lost_count > 0) {
        memcpy(lost, model->lost, model->lost_count * sizeof(*lost));
    }
    lost[model->lost_count++] = (struct verify_lost){.partition = record->partition,
                                                     .position = apply->bound->position,
                                                     .answered = record->offset};
    model->lost = lost;
    return true;
}

/* The first attempt made the scene: whatever the log has no more was not about it. */
static void look_for_beginning(const struct verify_apply *apply, struct verify_model *model,
                               const struct verify_attempt *attempt)
{
    bool is_first = model->attempt_count == 0 && attempt->heard != NULL &&
                    apply->cut == apply->bound->lane->partition;
    if (is_first && (attempt->heard->scene_version == 0 ||
                     (attempt->heard->scene_version == 1 && attempt->surely_changed))) {
        model->is_complete = true;
        model->is_version_known = true;
    }
}

static bool apply_attempt(const struct verify_apply *apply, struct verify_model *model,
                          const struct verify_record *record, const struct verify_attempt *attempt,
                          struct verify_identity *identity, struct error *error)
{
    look_for_beginning(apply, model, attempt);
    struct verify_selection selection;
    if (!verify_select(model, attempt, apply->context, &selection, error)) {
        return false;
    }
    if (apply->is_guess) {
        model->has_guessed_order = true;
        if (!mark_all(model, &selection.batch, error)) {
            return false;
        }
    }
    struct sync_result result;
    sync_version_before(model, attempt);
    if (!run_engine(apply, model, attempt, &selection, &result, error)) {
        return false;
    }
    sync_version_after(model, attempt);
    bool is_lost = record->offset > apply->bound->position && selection.change_count > 0;
    if (!remember(model, identity, record, attempt, &selection, &result) ||
        (is_lost && !note_lost(apply, model, record))) {
        return out_of_memory(error);
    }
    verify_model_settle(model, attempt->delivery.record_time_ms);
    return true;
}

bool verify_apply_record(const struct verify_apply *apply, struct verify_model *model,
                         const struct verify_record *record, struct error *error)
{
    struct verify_attempt attempt;
    arena_reset(apply->context->arena);
    if (!verify_attempt_decode(record, apply->context, &attempt, error)) {
        return false;
    }
    if (is_nothing(apply, record, &attempt)) {
        return true;
    }
    struct verify_identity *identity = verify_model_identity(model, attempt.delivery.field);
    if (identity == NULL) {
        return out_of_memory(error);
    }
    switch (verdict_of(model, identity, &attempt)) {
    case VERDICT_NEW:
        return apply_attempt(apply, model, record, &attempt, identity, error);
    case VERDICT_RESENT:
    case VERDICT_REUSED:
        /* Where results are gone, a worker may have forgotten the batch and applied it again. */
        return apply->context->has_all_results || mark_all(model, &attempt.delivery.batch, error);
    case VERDICT_REDELIVERED:
    case VERDICT_STALE:
        break;
    }
    return true;
}

bool verify_apply_end(const struct verify_apply *apply, struct verify_model *model,
                      verify_is_cut is_cut, const void *is_cut_context, struct error *error)
{
    for (uint32_t i = 0; i < model->identity_index.count; i++) {
        const struct verify_identity *identity = model->identities[i];
        if (identity->pending_count == 0 || identity->first == NULL ||
            !is_cut(is_cut_context, identity->attempt, identity->delivery.partition)) {
            continue;
        }
        struct verify_attempt attempt;
        arena_reset(apply->context->arena);
        if (!verify_attempt_decode(identity->first, apply->context, &attempt, error) ||
            !mark_all(model, &attempt.delivery.batch, error)) {
            return false;
        }
    }
    return true;
}
