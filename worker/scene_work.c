#include "worker/scene_work.h"

#include "worker/scene_decide.h"

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene's share of the cycle");
}

/* Gives every delivery the known record of its identity: equal fields share one. */
static bool index_records(struct scene_work *work, struct arena *arena)
{
    work->known = arena_alloc_array(arena, work->delivery_count, sizeof(struct known_record));
    if (!span_index_init(&work->fields, work->delivery_count, arena) || work->known == NULL) {
        return false;
    }
    for (size_t i = 0; i < work->delivery_count; i++) {
        struct delivery *delivery = work->deliveries[i];
        delivery->known_index = span_index_number(&work->fields, delivery->field);
    }
    return true;
}

/* Room for a delivery's elements, which its operations are applied to. */
static bool make_elements(struct delivery *delivery, struct arena *arena)
{
    if (delivery->elements == NULL) {
        delivery->elements =
            arena_alloc_array(arena, delivery->batch.operation_count, sizeof(struct element *));
    }
    return delivery->elements != NULL;
}

/* Finds the elements that a delivery's operations name; false where one is not in memory. */
static bool find_elements(struct scene *scene, struct delivery *delivery, struct arena *arena)
{
    if (!make_elements(delivery, arena)) {
        return false; /* as the read will find */
    }
    for (uint32_t i = 0; i < delivery->batch.operation_count; i++) {
        struct span id = delivery->batch.operations[i].id;
        if (span_is_absent(id)) {
            continue;
        }
        struct element *element =
            scene->is_complete ? scene_note(scene, id) : scene_find(scene, id);
        if (element == NULL || !element->is_loaded || element->is_unreadable) {
            return false; /* what was unreadable may have been repaired since */
        }
        delivery->elements[i] = element;
    }
    return true;
}

/* Whether all deliveries' elements and positions stand in the cache and no delivery looks like one
 * that came before: then the commit's own check of the records will do, without a read. */
static bool is_all_in_cache(struct scene_work *work, struct arena *arena)
{
    struct scene *scene = work->scene;
    if (!scene->is_loaded) {
        return false;
    }
    for (size_t i = 0; i < work->delivery_count; i++) {
        struct delivery *delivery = work->deliveries[i];
        const struct store_position *position =
            scene_position(work->scene, delivery->position_name);
        bool is_ahead = position != NULL && position->is_read &&
                        (!position->known || delivery->source.offset > position->offset);
        if (delivery->batch.retry != NULL || !is_ahead || !find_elements(scene, delivery, arena)) {
            return false;
        }
    }
    return true;
}

bool scene_work_init(struct scene_work *work, struct scene *scene, struct delivery **deliveries,
                     size_t delivery_count, const struct work_context *context, struct error *error)
{
    *work = (struct scene_work){
        .scene = scene,
        .deliveries = deliveries,
        .delivery_count = delivery_count,
        .mode = WORK_APPLY,
        .epoch = store_epoch(context->store),
    };
    if (!index_records(work, context->arena)) {
        return out_of_memory(error);
    }
    if (context->is_too_large) {
        work->mode = WORK_FAIL;
        error_set(&work->reason, ERROR_STORE_ERROR,
                  "the batch's elements take more memory than a whole cycle may use; send the "
                  "operations in smaller batches");
        work->state = WORK_READ;
    }
    return true;
}

/* Looks into the cache as late as can be: what it finds is still at hand when it is decided on. */
static void begin(struct scene_work *work, const struct work_context *context)
{
    work->state = WORK_READ;
    if (work->epoch != store_epoch(context->store)) {
        scene_forget(work->scene, false); /* cached under a connection that is gone */
    } else if (is_all_in_cache(work, context->arena)) {
        work->state = WORK_DECIDE;
        work->since_epoch = work->epoch;
    }
    if (work->state == WORK_READ) {
        context->stats->scenes_read++;
    } else {
        context->stats->scenes_cached++;
    }
}

/* Lists the elements that the deliveries still open name and that are not in memory, or could not
 * be read when they were asked for. */
static bool request_elements(struct scene_work *work, const struct work_context *context)
{
    size_t count_max = 0;
    for (size_t i = work->begin; i < work->delivery_count; i++) {
        count_max += work->deliveries[i]->batch.operation_count;
    }
    struct span *ids = arena_alloc_array(context->arena, count_max, sizeof(struct span));
    work->load_elements = arena_alloc_array(context->arena, count_max, sizeof(struct element *));
    if (ids == NULL || work->load_elements == NULL) {
        return false;
    }
    size_t count = 0;
    for (size_t i = work->begin; i < work->delivery_count; i++) {
        struct delivery *delivery = work->deliveries[i];
        const struct batch *batch = &delivery->batch;
        if (!make_elements(delivery, context->arena)) {
            return false;
        }
        for (uint32_t k = 0; k < batch->operation_count; k++) {
            if (span_is_absent(batch->operations[k].id)) {
                continue;
            }
            struct element *element = scene_note(work->scene, batch->operations[k].id);
            if (element == NULL) {
                return false;
            }
            delivery->elements[k] = element;
            bool is_wanted = !element->is_loaded || element->is_unreadable;
            if (is_wanted && !element->is_requested) {
                element->is_requested = true;
                work->load_elements[count] = element;
                ids[count++] = element->id;
            }
        }
    }
    work->load.element_ids = ids;
    work->load.element_count = count;
    return true;
}

static bool request_positions(struct scene_work *work, const struct work_context *context)
{
    for (size_t i = work->begin; i < work->delivery_count; i++) {
        if (scene_position(work->scene, work->deliveries[i]->position_name) == NULL) {
            return false;
        }
    }
    size_t count = work->scene->position_count;
    struct store_position *positions =
        arena_alloc_array(context->arena, count, sizeof(struct store_position));
    if (positions == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        positions[i].name = work->scene->positions[i].name;
    }
    work->load.positions = positions;
    work->load.position_count = count;
    return true;
}

static bool submit_load(struct scene_work *work, const struct work_context *context)
{
    work->load = (struct scene_load){
        .session_id = work->scene->session_id,
        .record_fields = work->fields.spans,
        .record_count = work->fields.count,
        .arena = context->arena,
    };
    /* Where the data is refused, the records may still be readable: they must be, for what was
     * applied before must not be answered with a failure. */
    bool has_memory = work->mode == WORK_FAIL || request_elements(work, context);
    if (!has_memory || !request_positions(work, context)) {
        return false;
    }
    work->epoch = store_epoch(context->store);
    store_submit_load(context->store, &work->load);
    work->state = WORK_READING;
    return true;
}

bool scene_work_step(struct scene_work *work, const struct work_context *context,
                     struct error *error)
{
    if (work->state == WORK_BEGIN) {
        begin(work, context);
    }
    if (work->state == WORK_DECIDE && work->epoch != store_epoch(context->store)) {
        /* What was read under another connection may have been lost with it. */
        scene_forget(work->scene, false);
        work->state = WORK_READ;
    }
    if (work->state == WORK_READ) {
        return submit_load(work, context) || out_of_memory(error);
    }
    while (work->state == WORK_DECIDE) {
        if (!scene_decide(work, context, error)) {
            return false;
        }
    }
    return true;
}

/* Takes back what a commit that failed was to make known. */
static void forget_uncommitted(struct scene_work *work)
{
    for (size_t i = 0; i < work->fields.count; i++) {
        struct known_record *known = &work->known[i];
        if (known->is_uncommitted) {
            known->value = known->value_before;
            known->record = known->record_before;
            known->is_uncommitted = false;
        }
    }
}

/* Goes to the next, humbler way of dealing with what is left. */
static void work_degrade(struct scene_work *work, enum work_mode mode, const struct error *reason,
                         const struct work_context *context)
{
    struct log_line line;
    log_begin(&line, context->log, mode == WORK_GIVE_UP ? LOG_WARN : LOG_ERROR,
              mode == WORK_GIVE_UP ? "scene contended" : "scene refused by the store");
    log_span(&line, "session", work->scene->session_id);
    log_uint(&line, "batches", work->delivery_count - work->begin);
    log_text(&line, "reason", reason->message);
    log_end(&line);
    work->mode = mode;
    work->reason = *reason;
    work->reason.code = mode == WORK_GIVE_UP ? ERROR_CONCURRENT_MODIFICATION : ERROR_STORE_ERROR;
    scene_forget(work->scene, false);
    work->state = WORK_READ;
    if (mode == WORK_UNRECORDED) {
        forget_uncommitted(work); /* there will be no read to do so */
        work->state = WORK_DECIDE;
    }
}

static void work_failed(struct scene_work *work, const struct error *reason,
                        const struct work_context *context)
{
    bool records_may_work = work->mode == WORK_APPLY || work->mode == WORK_GIVE_UP;
    work_degrade(work, records_may_work ? WORK_FAIL : WORK_UNRECORDED, reason, context);
}

/* Takes the elements, in the order they were asked for. What is no element fails the operations on
 * it alone. */
static bool take_elements(struct scene_work *work, const struct work_context *context,
                          struct error *error)
{
    for (size_t i = 0; i < work->load.element_count; i++) {
        if (scene_load_element(work->scene, work->load_elements[i], work->load.element_values[i],
                               error)) {
            continue;
        }
        if (error->code == ERROR_OUT_OF_MEMORY) {
            return false;
        }
        struct log_line line;
        log_begin(&line, context->log, LOG_ERROR, "stored element unreadable");
        log_span(&line, "session", work->scene->session_id);
        log_text(&line, "error", error->message);
        log_end(&line);
        scene_mark_unreadable(work->load_elements[i]);
    }
    return true;
}

/* Takes what can be read of the records; one that cannot counts as absent, and fails the load. */
static bool take_records(struct scene_work *work, struct arena *arena, struct error *error)
{
    bool is_good = true;
    for (size_t i = 0; i < work->fields.count; i++) {
        struct known_record *known = &work->known[i];
        known->value = work->load.record_values[i];
        known->is_uncommitted = false;
        if (span_is_absent(known->value) ||
            record_decode(known->value, arena, &known->record, error)) {
            continue;
        }
        known->value = (struct span){0};
        is_good = false;
        if (error->code == ERROR_OUT_OF_MEMORY) {
            return false;
        }
    }
    return is_good;
}

static void take_positions(struct scene_work *work)
{
    for (size_t i = 0; i < work->load.position_count; i++) {
        struct store_position *position = &work->scene->positions[i];
        *position = (struct store_position){
            .name = position->name,
            .is_read = true,
            .known = work->load.positions[i].known,
            .offset = work->load.positions[i].offset,
            .timestamp_ms = work->load.positions[i].timestamp_ms,
        };
    }
}

/* Some elements came from the cache, the others from this load: they must be of one state. */
static bool is_cached_part_old(const struct scene_work *work)
{
    const struct scene *scene = work->scene;
    const struct scene_load *load = &work->load;
    return scene->is_loaded &&
           (scene->version != load->version || scene->token.size != load->token.size ||
            memcmp(scene->token.text, load->token.text, load->token.size) != 0);
}

/* Whether what was acknowledged in this cycle is gone. */
static bool has_gone_back(const struct scene_work *work)
{
    for (size_t i = 0; i < work->acknowledged_count; i++) {
        const struct store_position *acknowledged = &work->acknowledged[i];
        for (size_t k = 0; k < work->load.position_count; k++) {
            const struct store_position *found = &work->load.positions[k];
            if (span_equal(found->name, acknowledged->name) &&
                (!found->known || found->offset < acknowledged->offset)) {
                return true;
            }
        }
    }
    return false;
}

static bool take_load(struct scene_work *work, const struct work_context *context,
                      struct error *error)
{
    for (size_t i = 0; i < work->load.element_count; i++) {
        work->load_elements[i]->is_requested = false;
    }
    if (work->load.status == STORE_UNKNOWN ||
        (work->load.status == STORE_DONE && is_cached_part_old(work))) {
        scene_forget(work->scene, false);
        work->state = WORK_READ;
        return true;
    }
    struct error cause = work->load.error;
    bool is_good = work->load.status == STORE_DONE && take_elements(work, context, &cause) &&
                   take_records(work, context->arena, &cause);
    if (!is_good && cause.code == ERROR_OUT_OF_MEMORY) {
        *error = cause;
        return false;
    }
    if (!is_good) {
        work_failed(work, &cause, context);
        return true;
    }
    if (has_gone_back(work)) {
        work->state = WORK_DISOWNED;
        return true;
    }
    if (work->begin == 0) {
        work->since_epoch = work->epoch; /* nothing is done yet that rests on an earlier one */
    }
    struct scene *scene = work->scene;
    scene->is_loaded = true;
    scene->version = work->load.version;
    scene->committed_version = work->load.version;
    scene->token = work->load.token;
    scene->element_count = work->load.scene_element_count;
    scene_note_stored(scene, work->load.stored_count);
    take_positions(work);
    work->has_read = true;
    work->state = WORK_DECIDE;
    return true;
}

/* The check failed. Where the scene came from the cache this was no race: it was simply old. */
static void commit_refused(struct scene_work *work, const struct work_context *context)
{
    if (!work->has_read) {
        scene_forget(work->scene, false);
        work->state = WORK_READ;
        return;
    }
    context->stats->commit_races++;
    work->lost_races++;
    if (work->mode == WORK_APPLY &&
        work->lost_races >= context->settings->store_commit_attempts_max) {
        struct error reason;
        error_set(&reason, ERROR_CONCURRENT_MODIFICATION,
                  "concurrent modification: the scene was changed by others %u times in a row, "
                  "store.max_commit_attempts allows no more",
                  work->lost_races);
        work_degrade(work, WORK_GIVE_UP, &reason, context);
        return;
    }
    scene_forget(work->scene, true);
    work->has_first_looks = true;
    work->state = WORK_READ;
}

static void take_commit(struct scene_work *work, const struct work_context *context)
{
    switch (work->commit.status) {
    case STORE_DONE:
        context->stats->commits++;
        durations_note(&context->stats->commit, &durations_bounds_commit,
                       clock_monotonic_ms(context->clock) - work->commit_begun_ms);
        scene_committed(work->scene, &work->commit);
        work->acknowledged = work->commit.positions;
        work->acknowledged_count = work->commit.position_count;
        for (size_t i = 0; i < work->fields.count; i++) {
            work->known[i].is_uncommitted = false;
        }
        work->lost_races = 0;
        scene_decide_done(work, context);
        return;
    case STORE_REFUSED:
        commit_refused(work, context);
        return;
    case STORE_UNKNOWN:
        for (size_t i = work->begin; i < work->end; i++) {
            struct delivery *delivery = work->deliveries[i];
            delivery->was_sent = true;
            delivery->was_refused = delivery->verdict == VERDICT_REUSED;
        }
        scene_forget(work->scene, false);
        work->state = WORK_READ;
        return;
    case STORE_FAILED:
        work_failed(work, &work->commit.error, context);
        return;
    case STORE_DISOWNED:
        work->state = WORK_DISOWNED;
        return;
    case STORE_IN_FLIGHT:
        break;
    }
}

bool scene_work_complete(struct scene_work *work, const struct work_context *context,
                         struct error *error)
{
    if (work->state == WORK_READING && work->load.status != STORE_IN_FLIGHT) {
        return take_load(work, context, error);
    }
    if (work->state == WORK_COMMITTING && work->commit.status != STORE_IN_FLIGHT) {
        if (work->commit.status == STORE_FAILED && work->commit.error.code == ERROR_OUT_OF_MEMORY) {
            *error = work->commit.error; /* it never went out, and is nobody's fault */
            return false;
        }
        take_commit(work, context);
    }
    return true;
}

void scene_work_finish(struct scene_work *work)
{
    if (work->mode != WORK_APPLY) {
        scene_forget(work->scene, false);
    } else if (work->has_first_looks) {
        scene_forget_first_looks(work->scene);
    }
}
