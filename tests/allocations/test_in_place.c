/* Updates written over stored documents while memory is refused: what they need is room in the list
 * of what to commit. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/allocations/refusing.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

enum { FULL_LIST = 16, ELEMENTS = FULL_LIST + 1 /* for which the list has to grow */ };

struct dragging {
    struct scene *scene;
    struct arena arena;
    struct sync_result result;
};

static void name_element(char name[16], unsigned i)
{
    (void)snprintf(name, 16, "e%u", i);
}

/** A batch that drags the elements from `first` up to before `end` to `x`, a digit. */
static struct batch drags(unsigned first, unsigned end, unsigned x)
{
    char operations[4096];
    size_t size = 0;
    for (unsigned i = first; i < end; i++) {
        int added = snprintf(operations + size, sizeof operations - size,
                             "%s{'op':'update','id':'e%u','changes':{'transform':{'x':%u.5}},"
                             "'timestamp':%u}",
                             i == first ? "" : ",", i, x, 100 + x);
        cr_assert(added > 0 && (size_t)added < sizeof operations - size);
        size += (size_t)added;
    }
    return batch_of_bytes(
        message_of_format("{'session_id':'s','batch_id':'b','operations':[%s]}", operations));
}

static bool process(struct dragging *dragging, const struct batch *batch, struct error *error)
{
    struct process_context context = process_context_default();
    context.arena = &dragging->arena;
    return process_batch(dragging->scene, batch, &context, &dragging->result, error);
}

/* Updates and commits elements that were just read: their kinds are known to be valid then. */
static void process_first(struct dragging *dragging, unsigned first, unsigned end)
{
    const struct scene_commit commit = {.token = {.size = 3, .text = "abc"}};
    const struct batch batch = drags(first, end, 1);
    struct error error;
    cr_assert(process(dragging, &batch, &error), "%s", error.message);
    scene_committed(dragging->scene, &commit);
}

static void load_elements(struct dragging *dragging)
{
    for (unsigned i = 0; i < ELEMENTS; i++) {
        char name[16];
        name_element(name, i);
        scene_with(dragging->scene, name, 3, 100, "{'kind':{'type':'T'},'transform':{'x':0.5}}");
    }
}

static void drag_prepare(void *context)
{
    struct dragging *const dragging = context;
    arena_init(&dragging->arena, (size_t)1 << 20);
    dragging->scene = scene_at_version(5);
    load_elements(dragging);
    process_first(dragging, 0, FULL_LIST);
    process_first(dragging, FULL_LIST, ELEMENTS);
    cr_assert_eq(dragging->scene->dirty_capacity, FULL_LIST);
}

static bool drag_work(void *context, struct error *error)
{
    static struct batch batch; /* decoded once: that is not the work */
    if (batch.operation_count == 0) {
        batch = drags(0, ELEMENTS, 2);
    }
    return process(context, &batch, error);
}

static void drag_verify(void *context, bool is_done)
{
    struct dragging *const dragging = context;
    struct scene *const scene = dragging->scene;
    const struct span expected = message_of("{'kind':{'type':'T'},'transform':{'x':2.5}}");
    if (!is_done) {
        struct error error;
        scene_forget(scene, false);
        cr_assert_eq(scene->dirty_count, 0);
        load_elements(dragging);
        scene->is_loaded = true;
        scene->version = 7;
        cr_assert(drag_work(dragging, &error), "%s", error.message);
    }
    cr_assert_eq(dragging->result.synced_count, ELEMENTS);
    cr_assert_eq(scene->version, 8);
    cr_assert_eq(scene->dirty_count, ELEMENTS);
    for (unsigned i = 0; i < ELEMENTS; i++) {
        char name[16];
        name_element(name, i);
        const struct element *const element = scene_get(scene, name);
        cr_assert(span_equal(element_document(element), expected));
        cr_assert_eq(element->timestamp_ms, 102);
        cr_assert_eq(element->transform_at != 0, is_done, "what is read again is copied");
    }
    scene_destroy(scene);
    arena_deinit(&dragging->arena);
}

Test(allocations, updates_in_place_are_applied_or_the_scene_can_be_read_again)
{
    struct dragging dragging;
    struct error error = {.code = ERROR_NONE};
    drag_prepare(&dragging);
    cr_assert(drag_work(&dragging, &error), "%s", error.message);
    drag_verify(&dragging, true);
    const struct trial trial = {drag_prepare, drag_work, drag_verify, &dragging};
    refuse_each(&trial, 2);
}
