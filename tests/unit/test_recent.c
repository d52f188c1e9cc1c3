#include "worker/recent.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { MANY = 500, SECOND_MS = 1000 };

static struct recent *recent;
static struct recent_view view;

static void setup(void)
{
    recent = recent_create();
    cr_assert_not_null(recent);
}

static void teardown(void)
{
    recent_destroy(recent);
}

TestSuite(recent, .init = setup, .fini = teardown);

static void note(uint32_t failed_count, uint64_t scene_version, uint64_t wall_ms)
{
    const struct sync_result result = {
        .session_id = span_of_text("s"),
        .batch_id = span_of_text("b"),
        .final = true,
        .failed_count = failed_count,
        .scene_version = scene_version,
    };
    recent_note_result(recent, &result, wall_ms);
}

static size_t count_results(void)
{
    size_t count = 0;
    recent_read(recent, &view);
    while (count < RECENT_RESULTS && view.results[count].wall_ms > 0) {
        count++;
    }
    return count;
}

Test(recent, the_newest_comes_first)
{
    note(1, 1, SECOND_MS);
    note(1, 2, SECOND_MS);
    cr_assert_eq(count_results(), 2);
    cr_assert_eq(view.results[0].scene_version, 2);
    cr_assert_eq(view.results[1].scene_version, 1);
    cr_assert_str_eq(view.results[0].session_id, "s");
}

Test(recent, the_oldest_go)
{
    for (uint64_t i = 1; i <= MANY; i++) {
        note(1, i, SECOND_MS);
    }
    cr_assert_eq(count_results(), RECENT_RESULTS);
    cr_assert_eq(view.results[0].scene_version, MANY);
    cr_assert_eq(view.results[RECENT_RESULTS - 1].scene_version, MANY - RECENT_RESULTS + 1);
}

Test(recent, many_that_are_all_alike_do_not_push_out_a_failure)
{
    note(1, 7, SECOND_MS);
    for (uint64_t i = 1; i <= MANY; i++) {
        note(0, i, SECOND_MS);
    }
    const size_t count = count_results();
    cr_assert_lt(count, (size_t)RECENT_RESULTS);
    cr_assert_eq(view.results[count - 1].scene_version, 7);
    note(0, 1, 2 * SECOND_MS);
    cr_assert_eq(count_results(), count + 1, "the next second shows some again");
}

Test(recent, texts_are_cut)
{
    char text[2 * RECENT_TEXT_BYTES];
    memset(text, 'x', sizeof(text));
    const struct source source = {.topic = span_make(text, sizeof(text)), .partition = 3};
    recent_note_dead_letter(recent, &source, ERROR_NOT_A_MAP, span_make(text, sizeof(text)),
                            SECOND_MS);
    recent_read(recent, &view);
    cr_assert_eq(strlen(view.dead_letters[0].source), (size_t)RECENT_TEXT_BYTES - 1);
    cr_assert_eq(strlen(view.dead_letters[0].message), (size_t)RECENT_TEXT_BYTES - 1);
    cr_assert_eq(view.dead_letters[0].code, ERROR_NOT_A_MAP);
}

Test(recent, what_is_absent_is_empty)
{
    const struct source source = {0};
    recent_note_dead_letter(recent, &source, ERROR_NOT_A_MAP, (struct span){0}, SECOND_MS);
    recent_read(recent, &view);
    cr_assert_str_empty(view.dead_letters[0].message);
    recent_note_result(NULL, &(struct sync_result){0}, SECOND_MS);
}
