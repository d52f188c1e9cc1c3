/* Scenes as sorted lists, and batches on their way (model.h). */
#include <stdlib.h>

#include "tests/model/model.h"

void model_element_free(struct model_element *element)
{
    if (element != NULL) {
        pool_free(&element->pool);
        free(element);
    }
}

/* Where the element is, or where it would have to come. */
static size_t find_place(const struct model_scene *scene, struct span id, bool *is_there)
{
    size_t low = 0;
    size_t high = scene->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct span other = scene->elements[middle]->id;
        const size_t shorter = other.size < id.size ? other.size : id.size;
        int order = memcmp(other.data, id.data, shorter);
        order = order != 0 ? order : (other.size > id.size) - (other.size < id.size);
        if (order == 0) {
            *is_there = true;
            return middle;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    *is_there = false;
    return low;
}

struct model_element *model_scene_find(const struct model_scene *scene, struct span id)
{
    bool is_there;
    const size_t place = find_place(scene, id, &is_there);
    return is_there ? scene->elements[place] : NULL;
}

void model_scene_put(struct model_scene *scene, struct model_element *element)
{
    bool is_there;
    const size_t place = find_place(scene, element->id, &is_there);
    if (is_there) {
        model_element_free(scene->elements[place]);
        scene->elements[place] = element;
        return;
    }
    if (scene->count == scene->room) {
        scene->room = scene->room * 2 + 8;
        scene->elements = grown(scene->elements, scene->room, sizeof(struct model_element *));
    }
    memmove(scene->elements + place + 1, scene->elements + place,
            (scene->count - place) * sizeof(struct model_element *));
    scene->elements[place] = element;
    scene->count++;
}

void model_scene_free(struct model_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        model_element_free(scene->elements[i]);
    }
    free(scene->elements);
    *scene = (struct model_scene){0};
}

void model_run_init(struct model_run *run, const struct model_batch *batch,
                    const struct model_settings *settings, uint64_t arrival_ms)
{
    *run = (struct model_run){.batch = batch, .settings = settings, .arrival_ms = arrival_ms};
    run->verdicts = calloc(batch->operation_count + 1, sizeof(*run->verdicts));
    if (run->verdicts == NULL) {
        abort();
    }
}

void model_run_free(struct model_run *run)
{
    free(run->verdicts);
    *run = (struct model_run){0};
}

struct model_counts model_run_counts(const struct model_run *run)
{
    struct model_counts counts = {0};
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        counts.synced += verdict->standing == MODEL_SYNCED;
        counts.failed += verdict->standing == MODEL_FAILED;
        counts.pending += verdict->standing == MODEL_PENDING;
        counts.conflicts += verdict->has_conflict;
        counts.clamped += verdict->is_clamped;
    }
    return counts;
}
