#include "worker/watermark_judge.h"

#include <criterion/criterion.h>

/* One row: what is known of a partition, and what is to be made of it. */
struct row {
    const char *name;
    struct watermark_case known;
    struct watermark_judgement expected;
};

static void expect(const struct row *row)
{
    struct watermark_judgement got = watermark_judge(&row->known);
    cr_expect_eq(got.is_lost, row->expected.is_lost, "%s: is_lost", row->name);
    cr_expect_eq(got.is_recreated, row->expected.is_recreated, "%s: is_recreated", row->name);
    cr_expect_eq(got.start, row->expected.start, "%s: start %lld", row->name, (long long)got.start);
    cr_expect_eq(got.mark, row->expected.mark, "%s: mark %lld", row->name, (long long)got.mark);
    cr_expect_eq(got.replay_until, row->expected.replay_until, "%s: replay_until %lld", row->name,
                 (long long)got.replay_until);
    cr_expect_eq(got.lost_from, row->expected.lost_from, "%s: lost_from", row->name);
    cr_expect_eq(got.lost_until, row->expected.lost_until, "%s: lost_until", row->name);
}

static void expect_all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect(&rows[i]);
    }
}

Test(watermark_judge, starts_where_kafka_says_while_nothing_is_lost)
{
    static const struct row rows[] = {
        {"a new partition",
         {.found = -1, .committed = -1, .known = -1, .log_end = -1},
         {.start = -1, .mark = 0, .replay_until = -1}},
        {"assigned, nothing worked yet",
         {.found = 0, .committed = -1, .known = -1, .log_end = -1},
         {.start = -1, .mark = 0, .replay_until = -1}},
        {"the usual",
         {.found = 10, .committed = 10, .known = -1, .log_end = -1},
         {.start = 10, .mark = 10, .replay_until = -1}},
        {"a crash between the watermark and the offsets",
         {.found = 12, .committed = 10, .known = -1, .log_end = -1},
         {.start = 10, .mark = 12, .replay_until = -1}},
        {"another owner went on and lost the partition again",
         {.found = 15, .committed = 14, .known = 12, .log_end = -1},
         {.start = 14, .mark = 15, .replay_until = -1}},
        {"kafka has dropped the group's offsets",
         {.found = 12, .committed = -1, .known = -1, .log_end = 20},
         {.start = -1, .mark = 12, .replay_until = -1}},
        {"offset 0 is committed and the store empty",
         {.found = -1, .committed = 0, .known = -1, .log_end = -1},
         {.start = 0, .mark = 0, .replay_until = -1}},
    };
    expect_all(rows, sizeof rows / sizeof *rows);
}

Test(watermark_judge, replays_what_left_no_trace)
{
    static const struct row rows[] = {
        {"an older state of the store",
         {.found = 7, .committed = 10, .known = -1, .log_end = -1},
         {.is_lost = true,
          .lost_from = 7,
          .lost_until = 10,
          .start = 7,
          .mark = 7,
          .replay_until = 10}},
        {"an emptied store",
         {.found = -1, .committed = 10, .known = -1, .log_end = -1},
         {.is_lost = true,
          .lost_from = 0,
          .lost_until = 10,
          .start = 0,
          .mark = 0,
          .replay_until = 10}},
        {"noticed by the worker itself, ahead of what is committed",
         {.found = 7, .committed = 9, .known = 12, .log_end = -1},
         {.is_lost = true,
          .lost_from = 7,
          .lost_until = 12,
          .start = 7,
          .mark = 7,
          .replay_until = 12}},
        {"what is committed is behind even what is left",
         {.found = 7, .committed = 5, .known = 12, .log_end = -1},
         {.is_lost = true,
          .lost_from = 7,
          .lost_until = 12,
          .start = 5,
          .mark = 7,
          .replay_until = 12}},
        {"nothing committed yet",
         {.found = -1, .committed = -1, .known = 3, .log_end = -1},
         {.is_lost = true,
          .lost_from = 0,
          .lost_until = 3,
          .start = 0,
          .mark = 0,
          .replay_until = 3}},
    };
    expect_all(rows, sizeof rows / sizeof *rows);
}

Test(watermark_judge, leaves_accepted_losses)
{
    static const struct row rows[] = {
        {"an older state, accepted",
         {.found = 7, .committed = 10, .known = -1, .log_end = -1, .is_accepted = true},
         {.is_lost = true,
          .lost_from = 7,
          .lost_until = 10,
          .start = 10,
          .mark = 10,
          .replay_until = -1}},
        {"nothing to accept",
         {.found = 10, .committed = 10, .known = -1, .log_end = -1, .is_accepted = true},
         {.start = 10, .mark = 10, .replay_until = -1}},
    };
    expect_all(rows, sizeof rows / sizeof *rows);
}

Test(watermark_judge, starts_anew_with_a_topic_that_was_made_anew)
{
    static const struct row rows[] = {
        {"the old topic's watermark is beyond the new one's end",
         {.found = 5000, .committed = -1, .known = -1, .log_end = 20},
         {.is_recreated = true, .start = -1, .mark = 0, .replay_until = -1}},
        {"what stands at the end is no sign of it",
         {.found = 20, .committed = -1, .known = -1, .log_end = 20},
         {.start = -1, .mark = 20, .replay_until = -1}},
        {"nor is it while this worker knows better",
         {.found = 5000, .committed = -1, .known = 5000, .log_end = 20},
         {.start = -1, .mark = 5000, .replay_until = -1}},
    };
    expect_all(rows, sizeof rows / sizeof *rows);
}
