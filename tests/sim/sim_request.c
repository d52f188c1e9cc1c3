#include "tests/sim/sim_request.h"

#include <assert.h>
#include <stdlib.h>

enum { ARENA_BYTES_MAX = 256 << 20 };

static struct sim_request *make(enum sim_request_kind kind)
{
    struct sim_request *request = calloc(1, sizeof *request);
    assert(request != NULL);
    request->kind = kind;
    arena_init(&request->arena, ARENA_BYTES_MAX);
    return request;
}

void sim_request_free(struct sim_request *request)
{
    arena_deinit(&request->arena);
    free(request);
}

static struct span copy(struct arena *arena, struct span bytes)
{
    if (span_is_absent(bytes)) {
        return bytes;
    }
    struct span copied = arena_copy(arena, bytes);
    assert(!span_is_absent(copied));
    return copied;
}

static void *copy_array(struct arena *arena, const void *items, size_t count, size_t item_size)
{
    void *copied = arena_alloc_array(arena, count, item_size);
    assert(copied != NULL);
    if (count > 0) {
        memcpy(copied, items, count * item_size);
    }
    return copied;
}

static struct span *copy_spans(struct arena *arena, const struct span *spans, size_t count)
{
    struct span *copied = copy_array(arena, spans, count, sizeof *spans);
    for (size_t i = 0; i < count; i++) {
        copied[i] = copy(arena, copied[i]);
    }
    return copied;
}

static struct store_position *copy_positions(struct arena *arena,
                                             const struct store_position *positions, size_t count)
{
    struct store_position *copied = copy_array(arena, positions, count, sizeof *positions);
    for (size_t i = 0; i < count; i++) {
        copied[i].name = copy(arena, copied[i].name);
        copied[i].mark = copy(arena, copied[i].mark);
    }
    return copied;
}

struct sim_request *sim_request_make_load(struct scene_load *load)
{
    struct sim_request *request = make(SIM_REQUEST_LOAD);
    struct arena *arena = &request->arena;
    request->asked_load = load;
    request->load = *load;
    request->load.arena = arena;
    request->load.session_id = copy(arena, load->session_id);
    request->load.element_ids = copy_spans(arena, load->element_ids, load->element_count);
    request->load.record_fields = copy_spans(arena, load->record_fields, load->record_count);
    request->load.positions = copy_positions(arena, load->positions, load->position_count);
    load->status = STORE_IN_FLIGHT;
    return request;
}

struct sim_request *sim_request_make_commit(struct scene_commit *commit)
{
    struct sim_request *request = make(SIM_REQUEST_COMMIT);
    struct arena *arena = &request->arena;
    request->asked_commit = commit;
    request->commit = *commit;
    request->commit.arena = arena;
    request->commit.session_id = copy(arena, commit->session_id);
    request->commit.settled_offsets = copy(arena, commit->settled_offsets);
    struct element_write *elements =
        copy_array(arena, commit->elements, commit->element_count, sizeof *elements);
    for (size_t i = 0; i < commit->element_count; i++) {
        elements[i].id = copy(arena, elements[i].id);
        elements[i].head = copy(arena, elements[i].head);
        elements[i].value = copy(arena, elements[i].value);
    }
    struct record_write *records =
        copy_array(arena, commit->records, commit->record_count, sizeof *records);
    for (size_t i = 0; i < commit->record_count; i++) {
        records[i].field = copy(arena, records[i].field);
        records[i].value = copy(arena, records[i].value);
    }
    request->commit.elements = elements;
    request->commit.records = records;
    request->commit.positions = copy_positions(arena, commit->positions, commit->position_count);
    commit->status = STORE_IN_FLIGHT;
    return request;
}

struct sim_request *sim_request_make_watermark(struct watermark_request *watermark)
{
    struct sim_request *request = make(SIM_REQUEST_WATERMARK);
    struct arena *arena = &request->arena;
    request->asked_watermark = watermark;
    request->watermark = *watermark;
    request->watermark.arena = arena;
    request->watermark.entries =
        copy_array(arena, watermark->entries, watermark->count, sizeof *watermark->entries);
    for (size_t i = 0; i < watermark->count; i++) {
        struct watermark_entry *entry = &request->watermark.entries[i];
        entry->name = copy(arena, entry->name);
        entry->expected = copy(arena, entry->expected);
        entry->value = copy(arena, entry->value);
    }
    watermark->status = STORE_IN_FLIGHT;
    return request;
}

/* --- Completion --- */

/* The worker's arena has a cap, as with the Redis store: then this request can never work. */
static bool give_values(const struct scene_load *from, struct scene_load *to)
{
    to->element_values = arena_alloc_array(to->arena, from->element_count, sizeof(struct span));
    to->record_values = arena_alloc_array(to->arena, from->record_count, sizeof(struct span));
    if (to->element_values == NULL || to->record_values == NULL) {
        return false;
    }
    for (size_t i = 0; i < from->element_count + from->record_count; i++) {
        bool is_element = i < from->element_count;
        struct span value =
            is_element ? from->element_values[i] : from->record_values[i - from->element_count];
        struct span given = span_is_absent(value) ? value : arena_copy(to->arena, value);
        if (span_is_absent(given) && !span_is_absent(value)) {
            return false;
        }
        *(is_element ? &to->element_values[i] : &to->record_values[i - from->element_count]) =
            given;
    }
    return true;
}

static void complete_load(struct sim_request *request)
{
    const struct scene_load *from = &request->load;
    struct scene_load *to = request->asked_load;
    to->error = from->error;
    to->status = from->status;
    if (from->status != STORE_DONE) {
        return;
    }
    to->version = from->version;
    to->token = from->token;
    to->scene_element_count = from->scene_element_count;
    to->stored_count = from->stored_count;
    for (size_t i = 0; i < from->position_count; i++) {
        to->positions[i].known = from->positions[i].known;
        to->positions[i].offset = from->positions[i].offset;
        to->positions[i].timestamp_ms = from->positions[i].timestamp_ms;
    }
    if (!give_values(from, to)) {
        error_set(&to->error, ERROR_OUT_OF_MEMORY, "no room in the arena for a scene's values");
        to->status = STORE_FAILED;
    }
}

static void complete_commit(struct sim_request *request)
{
    const struct scene_commit *from = &request->commit;
    struct scene_commit *to = request->asked_commit;
    to->error = from->error;
    to->dropped_count = from->dropped_count;
    for (size_t i = 0; i < from->dropped_count; i++) {
        to->dropped[i] = copy(to->arena, from->dropped[i]);
    }
    to->status = from->status;
}

static void complete_watermark(struct sim_request *request)
{
    const struct watermark_request *from = &request->watermark;
    struct watermark_request *to = request->asked_watermark;
    to->error = from->error;
    for (size_t i = 0; i < from->count; i++) {
        to->entries[i].found = copy(to->arena, from->entries[i].found);
    }
    to->status = from->status;
}

void sim_request_complete(struct sim_request *request)
{
    switch (request->kind) {
    case SIM_REQUEST_LOAD:
        complete_load(request);
        break;
    case SIM_REQUEST_COMMIT:
        complete_commit(request);
        break;
    case SIM_REQUEST_WATERMARK:
        complete_watermark(request);
        break;
    }
}

void sim_request_abandon(struct sim_request *request)
{
    switch (request->kind) {
    case SIM_REQUEST_LOAD:
        request->asked_load->status = STORE_UNKNOWN;
        break;
    case SIM_REQUEST_COMMIT:
        request->asked_commit->status = STORE_UNKNOWN;
        break;
    case SIM_REQUEST_WATERMARK:
        request->asked_watermark->status = STORE_UNKNOWN;
        break;
    }
}

/* --- Queues --- */

void sim_requests_push(struct sim_requests *queue, struct sim_request *request)
{
    request->next = NULL;
    if (queue->first == NULL) {
        queue->first = request;
    } else {
        queue->last->next = request;
    }
    queue->last = request;
}

struct sim_request *sim_requests_pop(struct sim_requests *queue)
{
    struct sim_request *first = queue->first;
    queue->first = first->next;
    return first;
}

void sim_requests_abandon(struct sim_requests *queue, bool is_freed)
{
    for (struct sim_request *request = queue->first; request != NULL;) {
        struct sim_request *next = request->next;
        sim_request_abandon(request);
        if (is_freed) {
            sim_request_free(request);
        }
        request = next;
    }
    if (is_freed) {
        queue->first = NULL;
    }
}
