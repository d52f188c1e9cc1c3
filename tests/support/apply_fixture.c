#include "tests/support/apply_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/scenes.h"

void apply_fixture_begin(struct apply_fixture *fixture)
{
    scene_destroy(fixture->scene);
    arena_deinit(&fixture->work);
    arena_init(&fixture->work, SIZE_MAX);
    fixture->scene = scene_at_version(SCENE_VERSION);
    fixture->limits = limits_default();
    fixture->context = (struct apply_context){
        .limits = &fixture->limits,
        .strategy = STRATEGY_LAST_WRITE_WINS,
        .arrival_ms = TEST_NOW_MS,
        .record_time_ms = TEST_NOW_MS,
        .arena = test_arena(),
        .scratch = test_scratch(),
        .work = &fixture->work,
        .list_bytes = &fixture->list_bytes,
    };
    fixture->list_bytes = fixture->limits.result_bytes_max;
    scene_begin_batch(fixture->scene);
}

void apply_fixture_end(struct apply_fixture *fixture)
{
    arena_deinit(&fixture->work);
    scene_destroy(fixture->scene);
    fixture->scene = NULL;
}

struct outcome apply_fixture_apply(struct apply_fixture *fixture, const char *json)
{
    struct operation operation = operation_of(json);
    if (!span_is_absent(operation.id) && scene_find(fixture->scene, operation.id) == NULL) {
        char id[LIMITS_ID_BYTES_MAX + 1];
        (void)snprintf(id, sizeof(id), "%.*s", SPAN_ARGS(operation.id));
        scene_without(fixture->scene, id);
    }
    struct outcome outcome;
    struct error error;
    cr_assert(apply_operation(fixture->scene, scene_find(fixture->scene, operation.id), &operation,
                              &fixture->context, &outcome, &error),
              "%s", error.message);
    return outcome;
}

void outcome_expect_says(struct outcome outcome, const char *start)
{
    cr_expect(outcome.message.size > strlen(start) &&
                  memcmp(outcome.message.data, start, strlen(start)) == 0,
              "\"%.*s\" does not start with \"%s\"", SPAN_ARGS(outcome.message), start);
}
