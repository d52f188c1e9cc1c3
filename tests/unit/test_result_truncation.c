#include "protocol/result.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/results.h"

/* Leaves out the next thing in the protocol's order; false where nothing is left. A description
 * of its own, one step at a time, of what the encoder does at once. */
static bool leave_out_next(struct sync_result *result)
{
    for (uint32_t i = result->conflict_entry_count; i-- > 0;) {
        if (result->conflicts[i].body.kind != BODY_ABSENT) {
            result->conflicts[i].body.kind = BODY_ABSENT;
            return true;
        }
    }
    for (uint32_t i = result->failure_entry_count; i-- > 0;) {
        if (result->failures[i].body.kind != BODY_ABSENT) {
            result->failures[i].body.kind = BODY_ABSENT;
            return true;
        }
    }
    for (uint32_t i = result->failure_entry_count; i-- > 0;) {
        if (!span_is_absent(result->failures[i].message)) {
            result->failures[i].message = (struct span){NULL, 0};
            return true;
        }
    }
    if (result->conflict_entry_count > 0) {
        result->conflict_entry_count--;
        return true;
    }
    if (result->failure_entry_count > 0) {
        result->failure_entry_count--;
        return true;
    }
    return false;
}

/* For every limit from the whole size down: the encoder leaves out as much as the steps above need
 * to fit, neither more nor less. */
static void assert_truncates_step_by_step(struct sync_result *result, enum body_encoding bodies)
{
    struct sync_result steps = result_decoded(result_encoded(result, BODIES_AS_THEY_ARE, 0));
    struct span expected = result_encoded(result, bodies, 0);
    cr_assert(span_equal(result_encoded(result, bodies, expected.size), expected));
    size_t bytes_max = expected.size - 1;
    steps.truncated = true;
    bool more = true;
    while (more) {
        more = leave_out_next(&steps);
        expected = result_encoded(&steps, bodies, 0);
        if (expected.size <= bytes_max || !more) {
            cr_assert(span_equal(result_encoded(result, bodies, bytes_max), expected));
            cr_assert(span_equal(result_encoded(result, bodies, expected.size), expected));
            bytes_max = expected.size - 1;
        }
    }
    cr_assert(span_equal(result_encoded(result, bodies, 1), expected));
    cr_assert_lt(expected.size, 600);
}

Test(result_truncation, leaves_out_in_the_protocols_order)
{
    struct sync_result result = result_mixed();
    assert_truncates_step_by_step(&result, BODIES_AS_THEY_ARE);
    assert_truncates_step_by_step(&result, BODIES_MARKED);
}

Test(result_truncation, the_first_steps_are_these)
{
    const struct sync_result result = result_mixed();
    const size_t whole = result_encoded(&result, BODIES_AS_THEY_ARE, 0).size;
    /* One byte too large: the one body among the conflicts goes, which makes room for the mark. */
    struct sync_result cut = result_decoded(result_encoded(&result, BODIES_AS_THEY_ARE, whole - 1));
    cr_assert(cut.truncated);
    cr_assert_eq(cut.conflicts[0].body.kind, BODY_ABSENT);
    cr_assert_eq(cut.failures[2].body.kind, BODY_PRESENT);
    /* Then the bodies of failures from the highest index down. */
    cut = result_decoded(result_encoded(&result, BODIES_AS_THEY_ARE, test_scratch()->size - 1));
    cr_assert_eq(cut.failures[2].body.kind, BODY_ABSENT);
    cr_assert_eq(cut.failures[1].body.kind, BODY_NIL);
    cr_assert_eq(cut.failures[0].body.kind, BODY_PRESENT);
    /* At the end nothing is left but the counts. */
    cut = result_decoded(result_encoded(&result, BODIES_AS_THEY_ARE, 1));
    cr_assert_eq(cut.conflict_entry_count, 0);
    cr_assert_eq(cut.failure_entry_count, 0);
    cr_assert_eq(cut.conflict_count, 3);
    cr_assert_eq(cut.failed_count, 2);
    cr_assert_eq(cut.pending_count, 1);
}

Test(result_truncation, the_struct_stays_as_it_is)
{
    const struct sync_result result = result_mixed();
    const struct span whole = result_encoded(&result, BODIES_AS_THEY_ARE, 0);
    result_encoded(&result, BODIES_AS_THEY_ARE, 1);
    cr_assert(span_equal(result_encoded(&result, BODIES_AS_THEY_ARE, 0), whole));
}

Test(result_truncation, random_results_are_cut_exactly)
{
    uint64_t state = 7;
    for (int round = 0; round < 12; round++) {
        /* Arrays on both sides of 16 entries, where their heads grow. */
        struct sync_result result = result_random(40, &state);
        result.truncated = false;
        assert_truncates_step_by_step(&result, round % 2 == 0 ? BODIES_AS_THEY_ARE : BODIES_MARKED);
        result_random_free(&result);
        arena_reset(test_arena());
    }
}

Test(result_truncation, fits_a_buffer_that_could_not_hold_the_whole)
{
    struct buffer small;
    buffer_init(&small, 600);
    const struct sync_result result = result_mixed();
    sync_result_encode(&result, BODIES_AS_THEY_ARE, 600, &small);
    cr_assert_not(small.failed);
    cr_assert(result_decoded(buffer_span(&small)).truncated);
    buffer_deinit(&small);
}

Test(result_truncation, ten_thousand_entries_are_cut_in_one_go)
{
    struct sync_result result = result_plain();
    uint64_t state = 3;
    result_random_conflicts(&result, 10000, &state);
    result_random_failures(&result, 10000, &state);
    const struct span cut = result_encoded(&result, BODIES_AS_THEY_ARE, 921600);
    cr_assert_leq(cut.size, 921600);
    cr_assert_gt(cut.size, 921600 - 400);
    result.attempt_versions = NULL;
    result_random_free(&result);
}
