#include "worker/partition_ends.h"

#include <criterion/criterion.h>

/* A Kafka whose partition i ends at 100 + i and is led by broker i % BROKERS. */
enum { BROKERS = 3, ROWS_MAX = 10000, ANSWER_MS = 1000, INTERVAL_MS = 2000 };

static struct partition_ends ends;
static struct progress_partition partitions[ROWS_MAX];
static bool is_silent[BROKERS], is_refused[ROWS_MAX], has_no_leader[ROWS_MAX], is_away;
static uint64_t time_ms;
static size_t question_count;

static uint64_t monotonic_ms(void *context)
{
    (void)context;
    return time_ms;
}

static const struct clock test_clock = {.monotonic_ms = monotonic_ms};

static enum partition_ends_answer ask(void *context, struct partition_end *const *rows,
                                      size_t count)
{
    (void)context;
    question_count++;
    bool refuses = false;
    for (size_t i = 0; i < count; i++) {
        const int32_t number = rows[i]->number;
        if (is_away || is_silent[number % BROKERS] || has_no_leader[number]) {
            time_ms += ANSWER_MS;
            return PARTITION_ENDS_SILENT;
        }
        refuses = refuses || is_refused[number];
    }
    time_ms++;
    for (size_t i = 0; i < count && !refuses; i++) {
        rows[i]->end = 100 + rows[i]->number;
    }
    return refuses ? PARTITION_ENDS_REFUSED : PARTITION_ENDS_TOLD;
}

static bool find_leaders(void *context, struct partition_end *rows, size_t count)
{
    (void)context;
    time_ms += is_away ? ANSWER_MS : 1;
    for (size_t i = 0; i < count && !is_away; i++) {
        rows[i].leader = has_no_leader[rows[i].number] ? -1 : rows[i].number % BROKERS;
    }
    return !is_away;
}

static const struct partition_ends_kafka kafka = {
    .ask = ask, .find_leaders = find_leaders, .clock = &test_clock};

static void begin(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        partitions[i] = (struct progress_partition){.topic = "ops", .number = (int32_t)i};
    }
    time_ms = 1000000;
    cr_assert(partition_ends_set(&ends, partitions, count));
}

static void finish(void)
{
    partition_ends_deinit(&ends);
}

TestSuite(partition_ends, .fini = finish);

/* How many questions all rows take, each broker's and one more of them apart. */
static size_t questions_of_brokers(void)
{
    return BROKERS * (ends.count / BROKERS / PARTITION_ENDS_ASKED_MAX + 1) + 1;
}

/* Returns how long it took. */
static uint64_t look(bool *is_answered)
{
    time_ms += INTERVAL_MS;
    question_count = 0;
    const uint64_t begun_ms = time_ms;
    *is_answered = partition_ends_look(&ends, &kafka);
    return time_ms - begun_ms;
}

static void look_times(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_answered = false;
        (void)look(&is_answered);
    }
}

/* The age of the oldest end of a broker's partitions; UINT64_MAX where one was never told. */
static uint64_t oldest_of(int32_t broker)
{
    uint64_t oldest_ms = 0;
    for (size_t i = 0; i < ends.count; i++) {
        const struct partition_end *const row = &ends.rows[i];
        const uint64_t age_ms = row->end < 0 ? UINT64_MAX : time_ms - row->told_ms;
        if (row->number % BROKERS == broker && age_ms > oldest_ms) {
            oldest_ms = age_ms;
        }
    }
    return oldest_ms;
}

static size_t told_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < ends.count; i++) {
        count += ends.rows[i].end == 100 + ends.rows[i].number ? 1 : 0;
    }
    return count;
}

Test(partition_ends, one_question_where_all_is_well)
{
    bool is_answered = false;
    begin(9);
    (void)look(&is_answered);
    cr_assert(is_answered);
    cr_assert_eq(question_count, 1);
    cr_assert_eq(told_count(), 9);
}

Test(partition_ends, a_silent_broker_makes_no_other_old)
{
    bool is_answered = false;
    begin(ROWS_MAX);
    look_times(1);
    is_silent[1] = true;
    for (size_t i = 0; i < 10; i++) {
        const uint64_t took_ms = look(&is_answered);
        cr_assert(is_answered);
        cr_assert_lt(took_ms, (uint64_t)PARTITION_ENDS_LOOK_MS + ANSWER_MS);
        cr_assert_leq(question_count, questions_of_brokers());
    }
    cr_assert_lt(oldest_of(0), (uint64_t)2 * ANSWER_MS);
    cr_assert_lt(oldest_of(2), (uint64_t)2 * ANSWER_MS);
    cr_assert_gt(oldest_of(1), (uint64_t)10 * INTERVAL_MS);
    is_silent[1] = false;
    look_times(1);
    cr_assert_lt(oldest_of(1), (uint64_t)ANSWER_MS);
    look_times(1);
    cr_assert_eq(question_count, (size_t)ROWS_MAX / PARTITION_ENDS_ASKED_MAX, "all is well again");
}

Test(partition_ends, two_silent_brokers_make_the_third_old_for_one_look_at_most)
{
    begin(9);
    look_times(1);
    is_silent[0] = true;
    is_silent[1] = true;
    for (size_t i = 0; i < 10; i++) {
        look_times(1);
        cr_assert_lt(oldest_of(2), (uint64_t)3 * INTERVAL_MS);
    }
}

Test(partition_ends, partitions_without_a_leader_cost_no_time)
{
    bool is_answered = false;
    begin(9);
    has_no_leader[4] = true;
    look_times(1);
    cr_assert_lt(look(&is_answered), (uint64_t)ANSWER_MS);
    cr_assert_eq(told_count(), 8);
    cr_assert_eq(ends.rows[4].end, -1);
    has_no_leader[4] = false;
    look_times(1);
    cr_assert_eq(told_count(), 9);
}

Test(partition_ends, the_one_that_is_refused_is_found)
{
    begin(3000);
    is_refused[1000] = true;
    look_times(1);
    cr_assert_eq(told_count(), 2999);
    cr_assert_leq(question_count, (size_t)PARTITION_ENDS_QUESTIONS_MAX);
    look_times(1);
    cr_assert_leq(question_count, questions_of_brokers(), "it is known by now");
    cr_assert_lt(oldest_of(0), (uint64_t)ANSWER_MS);
}

Test(partition_ends, many_that_are_refused_are_found_a_few_at_a_time)
{
    begin(3000);
    for (size_t i = 0; i < 3000; i += 100) {
        is_refused[i] = true;
    }
    for (size_t i = 0; i < 20; i++) {
        look_times(1);
        cr_assert_leq(question_count, (size_t)PARTITION_ENDS_QUESTIONS_MAX);
    }
    cr_assert_eq(told_count(), 2970);
}

Test(partition_ends, without_kafka_a_look_is_short_and_what_was_told_stays)
{
    bool is_answered = true;
    begin(ROWS_MAX);
    look_times(1);
    is_away = true;
    for (size_t i = 0; i < 3; i++) {
        cr_assert_leq(look(&is_answered), (uint64_t)PARTITION_ENDS_LOOK_MS + ANSWER_MS);
        cr_assert_not(is_answered);
        cr_assert_leq(question_count, 1);
    }
    cr_assert_eq(told_count(), ROWS_MAX);
    cr_assert_gt(oldest_of(0), (uint64_t)3 * INTERVAL_MS);
}

Test(partition_ends, partitions_that_stay_keep_what_is_known)
{
    begin(9);
    look_times(1);
    cr_assert(partition_ends_set(&ends, partitions + 3, 4));
    cr_assert_eq(ends.rows[0].number, 3);
    cr_assert_eq(told_count(), 4);
    cr_assert(partition_ends_set(&ends, partitions, 6));
    cr_assert_eq(ends.rows[0].end, -1, "it was away meanwhile");
    cr_assert_eq(ends.rows[5].end, 105);
    cr_assert(partition_ends_set(&ends, NULL, 0));
    bool is_answered = true;
    (void)look(&is_answered);
    cr_assert_not(is_answered);
}
