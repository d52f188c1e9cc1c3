#include "tests/support/process_fixture.h"

#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

struct process_fixture process_fixture;

void process_fixture_begin(void)
{
    process_fixture.scene = scene_at_version(5);
    process_fixture.context = process_context_default();
}

void process_fixture_end(void)
{
    scene_destroy(process_fixture.scene);
}

void expect_sound(const struct sync_result *result, uint32_t operation_count)
{
    cr_expect_eq(result->synced_count + result->failed_count + result->pending_count,
                 operation_count);
    cr_expect_eq(result->conflict_count, result->conflict_entry_count);
    cr_expect_eq(result->failure_entry_count, result->failed_count + result->pending_count);
    cr_expect_eq(result->final, result->pending_count == 0);
    cr_expect_eq(result->final, result->next_attempt_at_ms == 0);
    cr_expect_eq(sync_result_is_success(result),
                 result->failed_count == 0 && result->pending_count == 0);
    cr_expect_eq(result->attempt_version_count, result->attempts);
    cr_expect_eq(result->attempt_versions[result->attempts - 1], result->scene_version);
    for (uint32_t i = 1; i < result->failure_entry_count; i++) {
        cr_expect_lt(result->failures[i - 1].index, result->failures[i].index);
    }
    for (uint32_t i = 0; i < result->conflict_entry_count; i++) {
        const struct conflict_entry *conflict = &result->conflicts[i];
        const struct failure_entry *failure = failure_at(result, conflict->index);
        cr_expect(i == 0 || result->conflicts[i - 1].index < conflict->index);
        cr_expect_eq(conflict->resolved, failure == NULL || !failure->pending);
        /* Each body stands once. */
        cr_expect(failure == NULL || conflict->body.kind == BODY_ABSENT);
    }
}

struct sync_result process(const struct batch *batch)
{
    struct sync_result result =
        batch_process(process_fixture.scene, batch, &process_fixture.context);
    expect_sound(&result, batch->retry == NULL ? batch->operation_count : batch->retry->total);
    return result;
}

void expect_body(struct body body, const char *json)
{
    cr_expect_eq(body.kind, BODY_PRESENT);
    cr_expect(span_equal(body.raw, message_of(json)), "not the bytes of %s", json);
}
