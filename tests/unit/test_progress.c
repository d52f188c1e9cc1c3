#include "worker/progress.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now_ms;
static struct progress progress;
static char reason[PROGRESS_REASON_BYTES_MAX];

static uint64_t read_now(void *context)
{
    (void)context;
    return now_ms;
}

static const struct clock test_clock = {.monotonic_ms = read_now, .wall_ms = read_now};

static void start(void)
{
    now_ms = 100000;
    cr_assert(progress_init(&progress, &test_clock));
}

static void stop(void)
{
    progress_deinit(&progress);
}

TestSuite(progress, .init = start, .fini = stop);

/* A worker that has joined its group and polled. */
static void join(void)
{
    progress_set_partitions(&progress, NULL, 0, true);
    progress_note(&progress, PROGRESS_IDLE);
    cr_assert(progress_is_ready(&progress, NULL));
}

static void expect_not_ready(const char *why)
{
    cr_expect_not(progress_is_ready(&progress, reason));
    cr_expect_not_null(strstr(reason, why), "\"%s\" does not say \"%s\"", reason, why);
    cr_expect_not(progress_is_ready(&progress, NULL), "a reason need not be asked for");
}

Test(progress, is_ready_once_it_has_polled_as_a_member)
{
    expect_not_ready("not in the consumer group yet");
    progress_note(&progress, PROGRESS_IDLE);
    expect_not_ready("not in the consumer group yet");
    cr_expect(progress_wants_partitions(&progress), "membership must be told");
    progress_set_partitions(&progress, NULL, 0, false);
    cr_expect(progress_wants_partitions(&progress));
    progress_set_partitions(&progress, NULL, 0, true);
    cr_expect_not(progress_wants_partitions(&progress));
    cr_expect(progress_is_ready(&progress, reason), "a share of nothing is a share");
}

/* A share of nothing may be one of a topic that is not there: until Kafka has told, none counts. */
Test(progress, is_ready_only_where_the_topic_that_is_watched_exists)
{
    progress_watch_topic(&progress, "scene.miss4");
    progress_note(&progress, PROGRESS_IDLE);
    progress_set_partitions(&progress, NULL, 0, true);
    expect_not_ready("not in the consumer group yet");
    progress_note_topic(&progress, false);
    expect_not_ready("topic scene.miss4 does not exist");
    progress_note_topic(&progress, true);
    cr_expect(progress_is_ready(&progress, reason));
    progress_note_topic(&progress, false);
    expect_not_ready("topic scene.miss4 does not exist");
    now_ms += PROGRESS_GRACE_MS;
    expect_not_ready("not got further for 5000 ms");
}

Test(progress, names_a_topic_that_is_missing_in_full)
{
    char topic[250] = "";
    memset(topic, 't', sizeof topic - 1);
    progress_watch_topic(&progress, topic);
    progress_note(&progress, PROGRESS_IDLE);
    progress_note_topic(&progress, false);
    expect_not_ready(" does not exist");
}

Test(progress, is_not_ready_without_a_sign_of_life)
{
    join();
    progress_note(&progress, PROGRESS_WORKING);
    now_ms += PROGRESS_GRACE_MS - 1;
    cr_expect(progress_is_ready(&progress, reason));
    now_ms += 1;
    expect_not_ready("not got further for 5000 ms, working");
    progress_note(&progress, PROGRESS_WORKING);
    cr_expect(progress_is_ready(&progress, reason));
}

/* Outages count from their first turn, and end with the first note of something else. */
Test(progress, is_not_ready_while_the_store_or_the_broker_is_away)
{
    static const enum progress_activity outages[] = {PROGRESS_STORE_AWAY, PROGRESS_BROKER_AWAY};
    static const char *const names[] = {"waiting for the store for 5000 ms",
                                        "waiting for kafka's acknowledgements for 5000 ms"};
    join();
    for (size_t i = 0; i < 2; i++) {
        progress_note(&progress, outages[i]);
        for (int turn = 0; turn < 5; turn++) {
            cr_expect(progress_is_ready(&progress, reason), "%s", reason);
            now_ms += PROGRESS_GRACE_MS / 5;
            progress_note(&progress, outages[i]);
        }
        expect_not_ready(names[i]);
        progress_note(&progress, PROGRESS_WORKING);
        cr_expect(progress_is_ready(&progress, reason));
    }
}

Test(progress, is_not_ready_while_kafka_does_not_answer)
{
    join();
    progress_note_broker(&progress, false);
    cr_expect(progress_is_ready(&progress, reason));
    now_ms += PROGRESS_GRACE_MS;
    progress_note_broker(&progress, false);
    progress_note(&progress, PROGRESS_IDLE);
    expect_not_ready("kafka has not answered for 5000 ms");
    progress_note_broker(&progress, true);
    cr_expect(progress_is_ready(&progress, reason));
}

Test(progress, is_never_ready_again_after_a_stall)
{
    join();
    cr_expect_not(progress_is_stalled(&progress));
    progress_set_stalled(&progress);
    cr_expect(progress_is_stalled(&progress));
    progress_note(&progress, PROGRESS_IDLE);
    expect_not_ready("stalled");
}

Test(progress, names_every_activity)
{
    for (int activity = PROGRESS_STARTING; activity <= PROGRESS_BROKER_AWAY; activity++) {
        cr_expect_str_not_empty(progress_activity_name((enum progress_activity)activity));
    }
}

Test(progress, gives_a_copy_of_the_table_that_was_told_last)
{
    struct progress_partition *copy = NULL;
    size_t count = 1;
    cr_assert(progress_copy_partitions(&progress, &copy, &count));
    cr_expect_null(copy);
    cr_expect_eq(count, 0);
    for (int32_t round = 1; round <= 2; round++) {
        progress_want_partitions(&progress);
        cr_expect(progress_wants_partitions(&progress));
        cr_expect_not(progress_has_told_partitions(&progress));
        struct progress_partition *table = calloc(2, sizeof *table);
        cr_assert_not_null(table);
        table[0] = (struct progress_partition){.topic = "t", .number = 0, .position = 7};
        table[1] = (struct progress_partition){.topic = "t", .number = round, .resting = true};
        progress_set_partitions(&progress, table, 2, true);
        cr_expect(progress_has_told_partitions(&progress));
        cr_assert(progress_copy_partitions(&progress, &copy, &count));
        cr_assert_eq(count, 2);
        cr_expect_neq(copy, table);
        cr_expect_eq(copy[0].position, 7);
        cr_expect_eq(copy[1].number, round);
        cr_expect(copy[1].resting);
        free(copy);
    }
}
