#include "worker/verify_model.h"

#include <stdlib.h>

enum { ARENA_BYTES_MAX = INT32_MAX, CAPACITY_FIRST = 16 };

bool verify_model_init(struct verify_model *model, struct span session_id)
{
    *model = (struct verify_model){.scene = scene_create(session_id)};
    arena_init(&model->arena, ARENA_BYTES_MAX);
    verify_index_init(&model->marks);
    verify_index_init(&model->identity_index);
    if (model->scene != NULL) {
        model->scene->is_loaded = true; /* as an empty store would answer */
    }
    return model->scene != NULL;
}

void verify_model_deinit(struct verify_model *model)
{
    verify_index_deinit(&model->marks);
    verify_index_deinit(&model->identity_index);
    free(model->identities);
    arena_deinit(&model->arena);
    scene_destroy(model->scene);
}

/* ---- Elements ---- */

struct element *verify_model_element(struct verify_model *model, struct span id)
{
    struct element *element = scene_note(model->scene, id);
    struct error error;
    if (element == NULL || element->is_loaded ||
        scene_load_element(model->scene, element, (struct span){0}, &error)) {
        return element;
    }
    return NULL;
}

bool verify_model_mark(struct verify_model *model, const struct element *element,
                       enum verify_mark mark)
{
    struct verify_index_entry *entry = verify_index_find(&model->marks, element->id);
    if (entry == NULL) {
        entry = verify_index_add(&model->marks, element->id, 0);
    }
    if (entry == NULL) {
        return false;
    }
    entry->number |= (uint32_t)mark;
    model->has_uncertain = model->has_uncertain || mark == VERIFY_UNCERTAIN;
    return true;
}

bool verify_model_has_mark(const struct verify_model *model, struct span id, enum verify_mark mark)
{
    const struct verify_index_entry *entry = verify_index_find(&model->marks, id);
    return entry != NULL && (entry->number & (uint32_t)mark) != 0;
}

bool verify_model_is_grounded(const struct verify_model *model, struct span id)
{
    return model->is_complete || verify_model_has_mark(model, id, VERIFY_GROUNDED);
}

bool verify_model_is_judged(const struct verify_model *model, struct span id)
{
    return verify_model_is_grounded(model, id) &&
           !verify_model_has_mark(model, id, VERIFY_UNCERTAIN);
}

bool verify_model_has_versions(const struct verify_model *model)
{
    return model->is_version_known && !model->has_version_gap && !model->has_guessed_order;
}

/* ---- Batches ---- */

/* Room for one more pointer. */
static bool reserve_identity(struct verify_model *model)
{
    if (model->identity_index.count < model->identity_capacity) {
        return true;
    }
    size_t capacity = model->identity_capacity == 0 ? CAPACITY_FIRST : model->identity_capacity * 2;
    struct verify_identity **grown =
        realloc(model->identities, capacity * sizeof(struct verify_identity *));
    if (grown == NULL) {
        return false;
    }
    model->identities = grown;
    model->identity_capacity = capacity;
    return true;
}

struct verify_identity *verify_model_identity(struct verify_model *model, struct span field)
{
    const struct verify_index_entry *entry = verify_index_find(&model->identity_index, field);
    if (entry != NULL) {
        return model->identities[entry->number];
    }
    uint32_t number = model->identity_index.count;
    struct verify_identity *identity = arena_alloc_array(&model->arena, 1, sizeof(*identity));
    struct span copy = arena_copy(&model->arena, field);
    if (identity == NULL || span_is_absent(copy) || !reserve_identity(model) ||
        verify_index_add(&model->identity_index, copy, number) == NULL) {
        return NULL;
    }
    model->identities[number] = identity;
    return identity;
}

enum verdict verify_model_recognise(const struct verify_identity *identity,
                                    const struct verify_attempt *attempt)
{
    /* Every record of the log comes once: none is behind. */
    static const struct store_position nowhere = {0};
    struct batch_record record = {
        .attempt = identity->attempt,
        .delivery = identity->delivery,
        .fingerprint = identity->fingerprint,
        .pending_indexes = identity->pending,
        .pending_count = identity->pending_count,
    };
    const struct retry_section *retry = attempt->delivery.batch.retry;
    if (retry != NULL) {
        bool knows = identity->knows_requeue;
        record.result = (struct sync_result){
            .next_attempt_at_ms = knows ? identity->not_before_ms : retry->not_before_ms,
            .duration_ms = knows ? identity->duration_ms : retry->duration_ms,
            .synced_count = knows ? identity->synced_count : retry->synced_count,
            .attempt_versions = retry->attempt_versions,
            .attempt_version_count = retry->attempt_version_count,
        };
    }
    struct recognition_case arrived = {
        .batch = &attempt->delivery.batch,
        .delivery = attempt->delivery.source,
        .record_timestamp_ms = attempt->record.timestamp_ms,
        .fingerprint = attempt->delivery.fingerprint,
        .record = identity->attempt == 0 ? NULL : &record,
        .position = &nowhere,
    };
    return recognise(&arrived);
}

/* ---- Tombstones ---- */

bool verify_model_may_be_dropped(const struct verify_model *model, const struct element *element,
                                 const struct settings *settings)
{
    struct store_retention retention = {.tombstone_retention_ms = settings->tombstone_retention_ms};
    return element->presence == ELEMENT_REMOVED &&
           (model->tombstone_count > settings->tombstones_max ||
            element->tombstone_record_ms <=
                store_tombstone_cutoff_ms(&retention, model->updated_at_ms));
}

void verify_model_settle(struct verify_model *model, int64_t record_time_ms)
{
    struct scene *scene = model->scene;
    for (size_t i = 0; i < scene->dirty_count; i++) {
        const struct element *element = scene->dirty[i];
        bool is_removed = element->presence == ELEMENT_REMOVED;
        if (is_removed && !element->is_indexed) {
            model->tombstone_count++;
        } else if (!is_removed && element->is_indexed) {
            model->tombstone_count -= model->tombstone_count > 0 ? 1 : 0;
        }
    }
    static const struct scene_commit none = {0};
    scene_committed(scene, &none);
    model->attempt_count++;
    if (record_time_ms > model->updated_at_ms) {
        model->updated_at_ms = record_time_ms;
    }
}
