#include "worker/scene_submit.h"

enum {
    /* A commit blocks Redis for everybody while it runs: keep it short. */
    COMMIT_ELEMENTS_MAX = 2000,
    COMMIT_BYTES_MAX = 4 << 20,
    DECIDE_MS_MAX = 500, /* then the cycle gets a turn to poll Kafka */
    TOKEN_BYTES = 16
};

bool scene_portion_begin(struct scene_portion *portion, const struct scene_work *work,
                         const struct work_context *context)
{
    size_t open_count = work->delivery_count - work->begin;
    size_t position_count = work->scene->position_count;
    *portion = (struct scene_portion){
        .records = arena_alloc_array(context->arena, open_count, sizeof(struct record_write)),
        .touched_positions = arena_alloc_array(context->arena, position_count, sizeof(bool)),
        .marks = arena_alloc_array(context->arena, position_count, sizeof(struct span)),
        .begun_ms = clock_monotonic_ms(context->clock),
    };
    return portion->records != NULL && portion->touched_positions != NULL && portion->marks != NULL;
}

bool scene_portion_is_full(const struct scene_work *work, const struct scene_portion *portion,
                           const struct clock *clock)
{
    return work->scene->dirty_count >= COMMIT_ELEMENTS_MAX ||
           portion->record_bytes >= COMMIT_BYTES_MAX ||
           clock_monotonic_ms(clock) - portion->begun_ms >= DECIDE_MS_MAX;
}

/* splitmix64 (Steele, Lea, Flood 2014): tokens must be unique, not secret. */
static uint64_t next_token(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* As hexadecimal digits. */
static struct store_token new_token(uint64_t *state)
{
    struct store_token token = {.size = TOKEN_BYTES};
    uint64_t bits = next_token(state);
    for (size_t i = TOKEN_BYTES; i > 0; i--) {
        token.text[i - 1] = "0123456789abcdef"[bits & 0xf];
        bits >>= 4;
    }
    return token;
}

/* The number behind the last '/' of "<topic>/<partition>"; at most 10 digits, since it came from
 * Kafka. */
static int32_t partition_of(struct span position_name)
{
    size_t at = position_name.size;
    while (at > 0 && position_name.data[at - 1] != '/') {
        at--;
    }
    int32_t number = 0;
    for (; at < position_name.size; at++) {
        number = number * 10 + (position_name.data[at] - '0');
    }
    return number;
}

/* The committed offsets of every partition that the scene is known to have batches from, not of
 * this commit's alone: it may be the one that decides which records are still needed, and of a
 * partition that is not named all are. Absent: no memory. */
static struct span settled_offsets(const struct scene_work *work,
                                   const struct work_context *context)
{
    const struct scene *scene = work->scene;
    buffer_clear(context->scratch);
    for (size_t i = 0; i < scene->position_count; i++) {
        int32_t partition = partition_of(scene->positions[i].name);
        bool is_listed = false;
        for (size_t k = 0; k < i && !is_listed; k++) {
            is_listed = partition_of(scene->positions[k].name) == partition;
        }
        if (!is_listed) {
            buffer_append_span(context->scratch, source_committed_text(context->source, partition));
            buffer_append(context->scratch, " ", 1);
        }
    }
    return context->scratch->failed ? (struct span){0}
                                    : arena_copy(context->arena, buffer_span(context->scratch));
}

static bool list_elements(struct scene_work *work, const struct work_context *context,
                          struct scene_commit *commit)
{
    const struct scene *scene = work->scene;
    struct element_write *writes =
        arena_alloc_array(context->arena, scene->dirty_count, sizeof(struct element_write));
    if (writes == NULL) {
        return false;
    }
    for (size_t i = 0; i < scene->dirty_count; i++) {
        /* The documents stay as they are until the commit is answered: nothing copies them here. */
        const struct element *element = scene->dirty[i];
        buffer_clear(context->scratch);
        struct span value = element_value_encode(element, context->scratch);
        writes[i] = (struct element_write){
            .id = element->id,
            .head = arena_copy(context->arena, buffer_span(context->scratch)),
            .value = value,
            .kind = ELEMENT_WRITE_PRESENT,
            .record_time_ms = element->tombstone_record_ms,
        };
        if (element->presence == ELEMENT_REMOVED) {
            writes[i].kind = ELEMENT_WRITE_TOMBSTONE;
        } else if (element->is_indexed) {
            writes[i].kind = ELEMENT_WRITE_REVIVED;
        }
        if (context->scratch->failed || span_is_absent(writes[i].head)) {
            return false;
        }
    }
    commit->elements = writes;
    commit->element_count = scene->dirty_count;
    return true;
}

static bool list_positions(const struct scene_work *work, const struct scene_portion *portion,
                           struct arena *arena, struct scene_commit *commit)
{
    const struct scene *scene = work->scene;
    struct store_position *positions =
        arena_alloc_array(arena, scene->position_count, sizeof(struct store_position));
    if (positions == NULL) {
        return false;
    }
    for (size_t i = 0; i < scene->position_count; i++) {
        if (portion->touched_positions[i]) {
            positions[commit->position_count] = scene->positions[i];
            positions[commit->position_count++].mark = portion->marks[i];
        }
    }
    commit->positions = positions;
    return true;
}

/* Whether the records of the scene live long enough as it is. If not, this commit sees to it:
 * should it fail, scene_forget() forgets that, too. */
static bool keeps_expiry(struct scene *scene, const struct scene_portion *portion,
                         const struct work_context *context, uint64_t now_ms)
{
    uint64_t slack_ms = context->settings->dedupe_window_ms / STORE_EXPIRY_SLACK_PARTS;
    if (scene->expiry_set_ms > 0 && now_ms - scene->expiry_set_ms < slack_ms) {
        return true;
    }
    if (portion->settled_count > 0) { /* without a record there may be no key that can expire */
        scene->expiry_set_ms = now_ms;
    }
    return false;
}

bool scene_submit(struct scene_work *work, const struct work_context *context,
                  const struct scene_portion *portion, struct error *error)
{
    struct scene *scene = work->scene;
    work->commit = (struct scene_commit){
        .session_id = scene->session_id,
        .checked = work->mode == WORK_APPLY,
        .expected_version = scene->committed_version,
        .expected_token = scene->token,
        .version = scene->version,
        .scene_element_count = scene->element_count,
        .updated_at_ms = portion->updated_at_ms,
        .records = portion->records,
        .record_count = portion->record_count,
        .settled_offsets = settled_offsets(work, context),
        .arena = context->arena,
    };
    work->commit_begun_ms = clock_monotonic_ms(context->clock);
    if (portion->record_count > 0) {
        work->commit.keeps_expiry = keeps_expiry(scene, portion, context, work->commit_begun_ms);
    }
    work->commit.token = new_token(context->token_state);
    if (span_is_absent(work->commit.settled_offsets) ||
        !list_elements(work, context, &work->commit) ||
        !list_positions(work, portion, context->arena, &work->commit)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a commit");
    }
    fault_reach(context->faults, FAULT_BEFORE_COMMIT);
    store_submit_commit(context->store, &work->commit);
    work->state = WORK_COMMITTING;
    return true;
}
