#include "worker/source.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/kafka_broker.h"
#include "worker/source_internal.h"

enum { POLL_MS = 100, PATIENCE_MS = 30000, OFFSET_COMMIT_REQUEST = 8 };

static struct kafka_broker *broker;
static struct settings settings;
static struct clock machine_clock;
static struct log *quiet_log;
static size_t source_count; /* not destroyed */

static void set(const char *name, const char *value)
{
    struct settings_error error;
    cr_assert(settings_set(&settings, name, value, "test", &error), "%s", error.message);
}

static void start(void)
{
    broker = kafka_broker_start();
    machine_clock = clock_system();
    cr_assert(settings_init(&settings));
    set("kafka.bootstrap.servers", kafka_broker_bootstrap(broker));
    set("kafka.session.timeout.ms", "6000");
    set("kafka.topic.metadata.refresh.interval.ms", "500");
    quiet_log = log_create(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT, NULL);
    cr_assert_not_null(quiet_log);
}

/** A test that failed leaves its sources running; then the end of its process is clean-up enough.
 */
static void stop(void)
{
    if (source_count > 0) {
        return;
    }
    kafka_broker_stop(broker);
    settings_deinit(&settings);
    log_destroy(quiet_log);
}

TestSuite(source, .init = start, .fini = stop, .timeout = 120);

static struct record_source *create_source(void)
{
    char message[512];
    struct record_source *source =
        source_create(&settings, &machine_clock, quiet_log, message, sizeof message);
    cr_assert_not_null(source, "%s", message);
    source_count++;
    return source;
}

static void destroy_source(struct record_source *source)
{
    source_destroy(source);
    source_count--;
}

static uint64_t now_ms(void)
{
    return clock_monotonic_ms(&machine_clock);
}

/** Polls until `count` records are there, at most PATIENCE_MS. */
static void poll_records(struct record_source *source, struct record *records, size_t count)
{
    size_t got = 0;
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (got < count && now_ms() < deadline_ms) {
        got += source_poll(source, records + got, count - got, SIZE_MAX, POLL_MS);
    }
    cr_assert_eq(got, count, "%zu of %zu records in time", got, count);
}

static void wait_for_partitions(struct record_source *source, size_t count)
{
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    struct record record;
    while (source_assigned_count(source) != count && now_ms() < deadline_ms) {
        cr_assert_eq(source_poll(source, &record, 1, SIZE_MAX, POLL_MS), 0);
    }
    cr_assert_eq(source_assigned_count(source), count);
}

static void produce_number(const char *topic, int32_t partition, int number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    (void)kafka_broker_produce_text(broker, topic, partition, "key", text);
}

static int number_of(const struct record *record)
{
    char text[16] = "";
    cr_assert_lt(record->value.size, sizeof text);
    memcpy(text, record->value.data, record->value.size);
    return (int)strtol(text, NULL, 10);
}

/** A retry that is due `wait_ms` from now by the wall clock. Returns not-before. */
static uint64_t produce_retry(uint32_t tier, int32_t partition, int number, int64_t wait_ms)
{
    char topic[64];
    char value[16];
    char not_before[32];
    uint64_t not_before_ms = (uint64_t)((int64_t)clock_wall_ms(&machine_clock) + wait_ms);
    (void)snprintf(topic, sizeof topic, "scene.ops.retry-%u", (unsigned)tier);
    (void)snprintf(value, sizeof value, "%d", number);
    (void)snprintf(not_before, sizeof not_before, "%llu", (unsigned long long)not_before_ms);
    struct record_header header = {"scenesync-not-before", span_of_text(not_before)};
    (void)kafka_broker_produce(broker, topic, partition, span_of_text("key"), span_of_text(value),
                               &header, 1);
    return not_before_ms;
}

/** Asserts that nothing is delivered for `wait_ms`. */
static void poll_nothing(struct record_source *source, uint64_t wait_ms)
{
    struct record record;
    uint64_t until_ms = now_ms() + wait_ms;
    while (now_ms() < until_ms) {
        cr_assert_eq(source_poll(source, &record, 1, SIZE_MAX, POLL_MS), 0);
    }
}

static void wait_for_commit(struct record_source *source, int32_t partition, int64_t offset)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "scene.ops/%d=%lld", (int)partition, (long long)offset);
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    struct record record;
    while (!span_equal_text(source_committed_text(source, partition), wanted)) {
        cr_assert_lt(now_ms(), deadline_ms, "%s not confirmed in time", wanted);
        cr_assert_eq(source_poll(source, &record, 1, SIZE_MAX, POLL_MS), 0);
    }
}

/** Settles and gives back one record, and waits until that is committed. */
static void finish(struct record_source *source, struct record *record)
{
    source_settle(source, record, 1);
    if (record->tier == 0) {
        wait_for_commit(source, record->partition, record->offset + 1);
    }
    source_release(source, record, 1);
}

Test(source, keeps_each_partitions_order)
{
    kafka_broker_create_topics(broker, &settings, 1, 3);
    for (int i = 0; i < 300; i++) {
        produce_number("scene.ops", i % 3, i);
    }
    struct record_source *source = create_source();
    struct record records[300];
    poll_records(source, records, 300);
    int64_t next[3] = {0};
    for (size_t i = 0; i < 300; i++) {
        cr_assert(span_equal_text(records[i].topic, "scene.ops"));
        cr_assert_eq(records[i].tier, 0);
        cr_assert_eq(records[i].offset, next[records[i].partition]++);
        cr_assert_eq(number_of(&records[i]), records[i].offset * 3 + records[i].partition);
    }
    source_release(source, records, 300);
    destroy_source(source);
}

Test(source, settled_records_are_not_delivered_to_the_next_member)
{
    kafka_broker_create_topics(broker, &settings, 0, 1);
    for (int i = 0; i < 10; i++) {
        produce_number("scene.ops", 0, i);
    }
    struct record_source *source = create_source();
    struct record records[10];
    poll_records(source, records, 10);
    source_settle(source, records, 6);
    source_release(source, records, 10);
    destroy_source(source);
    cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", 0), 6);

    source = create_source();
    poll_records(source, records, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(number_of(&records[i]), 6 + i);
    }
    source_release(source, records, 4);
    destroy_source(source);
}

Test(source, holds_a_retry_until_it_is_due_and_delays_no_other_partition)
{
    set("retry.initial_delay_ms", "3000");
    kafka_broker_create_topics(broker, &settings, 1, 2);
    struct record_source *source = create_source();
    wait_for_partitions(source, 4);
    uint64_t not_before_ms = produce_retry(1, 0, 1, 2500);
    (void)produce_retry(1, 1, 2, 0);
    produce_number("scene.ops", 0, 3);
    struct record records[3];
    poll_records(source, records, 2);
    cr_assert_lt(clock_wall_ms(&machine_clock), not_before_ms - 1000);
    poll_records(source, records + 2, 1);
    cr_assert_eq(number_of(&records[2]), 1);
    cr_assert_geq(clock_wall_ms(&machine_clock), not_before_ms, "early");
    cr_assert_lt(clock_wall_ms(&machine_clock), not_before_ms + 1500, "late");
    source_release(source, records, 3);
    destroy_source(source);
}

Test(source, records_behind_a_held_one_keep_their_order)
{
    set("retry.initial_delay_ms", "2000");
    kafka_broker_create_topics(broker, &settings, 1, 1);
    struct record_source *source = create_source();
    wait_for_partitions(source, 2);
    uint64_t not_before_ms = produce_retry(1, 0, 0, 1500);
    for (int i = 1; i < 600; i++) {
        (void)produce_retry(1, 0, i, 0);
    }
    struct record records[600];
    poll_records(source, records, 600);
    cr_assert_geq(clock_wall_ms(&machine_clock), not_before_ms);
    for (int i = 0; i < 600; i++) {
        cr_assert_eq(number_of(&records[i]), i);
        cr_assert_eq(records[i].offset, i);
    }
    source_release(source, records, 600);
    destroy_source(source);
}

Test(source, a_wrong_clock_holds_a_retry_no_longer_than_its_tiers_delay)
{
    kafka_broker_create_topics(broker, &settings, 1, 1);
    struct record_source *source = create_source();
    wait_for_partitions(source, 2);
    (void)produce_retry(1, 0, 1, INT64_C(86400000));
    struct record record;
    uint64_t before_ms = now_ms();
    poll_records(source, &record, 1);
    cr_assert_geq(clock_wall_ms(&machine_clock) - record.received_wall_ms, 100);
    cr_assert_lt(now_ms() - record.received_monotonic_ms, 100, "counted from when it was due");
    cr_assert_lt(now_ms() - before_ms, 5000);
    source_release(source, &record, 1);
    destroy_source(source);
}

Test(source, a_retry_without_a_readable_time_is_due_at_once)
{
    set("retry.initial_delay_ms", "5000");
    kafka_broker_create_topics(broker, &settings, 1, 1);
    struct record_header headers[] = {{"scenesync-not-before", span_of_text("soon")},
                                      {"scenesync-not-before", {0}},
                                      {"scenesync-not-before", span_of_text("-1")}};
    for (size_t i = 0; i < 3; i++) {
        (void)kafka_broker_produce(broker, "scene.ops.retry-1", 0, span_of_text("k"),
                                   span_of_text("v"), &headers[i], 1);
    }
    (void)kafka_broker_produce_text(broker, "scene.ops.retry-1", 0, "k", "v");
    struct record_source *source = create_source();
    struct record records[4];
    poll_records(source, records, 4);
    cr_assert_lt(now_ms() - records[0].received_monotonic_ms, 1000);
    source_release(source, records, 4);
    destroy_source(source);
}

Test(source, reads_the_tiers_by_name_and_finds_new_ones)
{
    static const char *const others[] = {"scene.ops.retry-01", "scene.ops.retry-x",
                                         "scene.ops.retry-0",  "scene.ops.retry-1.old",
                                         "sceneXops.retry-3",  "scene.ops.retry-1001"};
    kafka_broker_create_topics(broker, &settings, 1, 1);
    kafka_broker_create_topic(broker, "scene.ops.retry-12", 1);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        kafka_broker_create_topic(broker, others[i], 1);
        (void)kafka_broker_produce_text(broker, others[i], 0, "k", "v");
    }
    struct record_source *source = create_source();
    wait_for_partitions(source, 3);
    poll_nothing(source, 500);
    (void)produce_retry(12, 0, 1, 0);
    struct record record;
    poll_records(source, &record, 1);
    cr_assert_eq(record.tier, 12);
    finish(source, &record);

    kafka_broker_create_topic(broker, "scene.ops.retry-2", 1);
    wait_for_partitions(source, 4);
    (void)produce_retry(2, 0, 1, 0);
    poll_records(source, &record, 1);
    cr_assert_eq(record.tier, 2);
    finish(source, &record);
    destroy_source(source);
}

Test(source, waits_for_a_topic_that_is_created_later)
{
    struct record_source *source = create_source();
    poll_nothing(source, 2000);
    kafka_broker_create_topics(broker, &settings, 0, 1);
    produce_number("scene.ops", 0, 7);
    struct record record;
    poll_records(source, &record, 1);
    cr_assert_eq(number_of(&record), 7);
    source_release(source, &record, 1);
    destroy_source(source);
}

Test(source, delivers_again_what_was_not_settled)
{
    kafka_broker_create_topics(broker, &settings, 0, 1);
    produce_number("scene.ops", 0, 7);
    struct record record;
    for (int i = 0; i < 2; i++) {
        struct record_source *source = create_source();
        poll_records(source, &record, 1);
        cr_assert_eq(number_of(&record), 7);
        source_release(source, &record, 1);
        destroy_source(source);
    }
    cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", 0), -1001);
}

Test(source, gives_no_more_than_it_is_asked_for)
{
    kafka_broker_create_topics(broker, &settings, 0, 1);
    static const char value[1000] = "";
    for (int i = 0; i < 10; i++) {
        (void)kafka_broker_produce(broker, "scene.ops", 0, span_of_text("k"),
                                   span_make(value, sizeof value), NULL, 0);
    }
    struct record_source *source = create_source();
    struct record records[10];
    poll_records(source, records, 1);
    for (uint64_t until_ms = now_ms() + 500; now_ms() < until_ms;) {
        source_service(source);
    }
    cr_assert_eq(source_poll(source, records + 1, 9, 2500, POLL_MS), 3);
    cr_assert_eq(source_poll(source, records + 4, 2, SIZE_MAX, POLL_MS), 2);
    cr_assert_eq(source_poll(source, records + 6, 4, 1, POLL_MS), 1, "at least one");
    source_release(source, records, 7);
    destroy_source(source);
}

Test(source, gives_headers_in_order_with_absent_and_empty_values)
{
    kafka_broker_create_topics(broker, &settings, 0, 1);
    struct record_header headers[] = {
        {"a", span_of_text("1")}, {"b", span_make("", 0)}, {"c", {0}}, {"a", span_of_text("2")}};
    (void)kafka_broker_produce(broker, "scene.ops", 0, (struct span){0}, (struct span){0}, headers,
                               4);
    (void)kafka_broker_produce_text(broker, "scene.ops", 0, "k", "v");
    struct record_source *source = create_source();
    struct record records[2];
    poll_records(source, records, 2);
    cr_assert(span_is_absent(records[0].key));
    cr_assert(!span_is_absent(records[0].value) && records[0].value.size == 0);
    struct arena arena;
    arena_init(&arena, 65536);
    size_t count = 0;
    const struct record_header *got = source_headers(&records[0], &arena, &count);
    cr_assert_eq(count, 4);
    cr_assert(strcmp(got[0].name, "a") == 0 && span_equal_text(got[0].value, "1"));
    cr_assert(!span_is_absent(got[1].value) && got[1].value.size == 0);
    cr_assert(span_is_absent(got[2].value));
    cr_assert(strcmp(got[3].name, "a") == 0 && span_equal_text(got[3].value, "2"));
    (void)source_headers(&records[1], &arena, &count);
    cr_assert_eq(count, 0);
    arena_deinit(&arena);
    source_release(source, records, 2);
    destroy_source(source);
}

Test(source, tells_the_offsets_that_kafka_confirmed)
{
    kafka_broker_create_topics(broker, &settings, 1, 2);
    produce_number("scene.ops", 0, 1);
    produce_number("scene.ops", 0, 2);
    struct record_source *source = create_source();
    struct record records[2];
    poll_records(source, records, 2);
    cr_assert_eq(source_committed_text(source, 0).size, 0);
    source_settle(source, records, 2);
    source_release(source, records, 2);
    wait_for_commit(source, 0, 2);
    cr_assert_eq(source_committed_text(source, 1).size, 0);
    cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", 0), 2);
    (void)produce_retry(1, 0, 3, 0);
    poll_records(source, records, 1);
    source_settle(source, records, 1);
    source_release(source, records, 1);
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (
        !span_equal_text(source_committed_text(source, 0), "scene.ops/0=2 scene.ops.retry-1/0=1")) {
        cr_assert_lt(now_ms(), deadline_ms);
        source_service(source);
    }
    destroy_source(source);
}

Test(source, repeats_a_commit_that_failed)
{
    kafka_broker_create_topics(broker, &settings, 0, 1);
    produce_number("scene.ops", 0, 1);
    struct record_source *source = create_source();
    struct record record;
    poll_records(source, &record, 1);
    kafka_broker_fail_requests(broker, OFFSET_COMMIT_REQUEST,
                               RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE, 1);
    source_settle(source, &record, 1);
    source_release(source, &record, 1);
    wait_for_commit(source, 0, 1);
    destroy_source(source);
}

/** Polls both until they share `count` partitions and each has some. */
static void wait_for_sharing(struct record_source *const sources[2], size_t count)
{
    struct record record;
    uint64_t deadline_ms = now_ms() + (uint64_t)2 * PATIENCE_MS;
    for (;;) {
        size_t first = source_assigned_count(sources[0]);
        size_t second = source_assigned_count(sources[1]);
        if (first > 0 && second > 0 && first + second == count) {
            return;
        }
        cr_assert_lt(now_ms(), deadline_ms, "%zu and %zu partitions", first, second);
        for (size_t i = 0; i < 2; i++) {
            cr_assert_eq(source_poll(sources[i], &record, 1, SIZE_MAX, POLL_MS), 0);
        }
    }
}

static void check_sharing(void)
{
    kafka_broker_create_topics(broker, &settings, 0, 4);
    struct record_source *sources[2] = {create_source()};
    wait_for_partitions(sources[0], 4);
    uint64_t generation = source_generation(sources[0]);
    sources[1] = create_source();
    wait_for_sharing(sources, 4);
    cr_assert_gt(source_generation(sources[0]), generation);
    for (int i = 0; i < 4; i++) {
        produce_number("scene.ops", i, i);
    }
    struct record records[4];
    poll_records(sources[0], records, 2);
    poll_records(sources[1], records + 2, 2);
    for (int i = 0; i < 4; i++) {
        finish(sources[i / 2], &records[i]);
    }
    destroy_source(sources[0]);

    wait_for_partitions(sources[1], 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", i), 1);
        produce_number("scene.ops", i, 4 + i);
    }
    poll_records(sources[1], records, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(number_of(&records[i]), 4 + records[i].partition);
    }
    source_release(sources[1], records, 4);
    destroy_source(sources[1]);
}

Test(source, members_share_the_partitions_and_take_over_from_one_another)
{
    check_sharing();
}

Test(source, shares_incrementally_with_the_cooperative_assignor)
{
    set("kafka.consumer.partition.assignment.strategy", "cooperative-sticky");
    check_sharing();
}

Test(source, ignores_a_settlement_from_before_a_rebalance)
{
    kafka_broker_create_topics(broker, &settings, 0, 2);
    produce_number("scene.ops", 0, 0);
    produce_number("scene.ops", 1, 1);
    struct record_source *sources[2] = {create_source()};
    struct record records[2];
    poll_records(sources[0], records, 2);
    sources[1] = create_source();
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    struct record again[2];
    size_t again_count = 0;
    while (again_count < 2) {
        cr_assert_lt(now_ms(), deadline_ms);
        for (size_t i = 0; i < 2; i++) {
            struct record record;
            if (source_poll(sources[i], &record, 1, SIZE_MAX, POLL_MS) == 1) {
                again[again_count] = record;
                again_count++;
            }
        }
    }
    source_settle(sources[0], records, 2);
    source_release(sources[0], records, 2);
    source_release(sources[0], again, 2);
    poll_nothing(sources[0], 500);
    destroy_source(sources[0]);
    destroy_source(sources[1]);
    cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", 0), -1001);
    cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", 1), -1001);
}

Test(source, stays_a_member_and_loses_nothing_while_it_only_serves)
{
    set("kafka.consumer.max.poll.interval.ms", "7000");
    kafka_broker_create_topics(broker, &settings, 0, 1);
    struct record_source *source = create_source();
    wait_for_partitions(source, 1);
    uint64_t generation = source_generation(source);
    enum { COUNT = 1500 };
    for (int i = 0; i < COUNT; i++) {
        produce_number("scene.ops", 0, i);
    }
    for (uint64_t until_ms = now_ms() + 10000; now_ms() < until_ms;) {
        source_service(source);
        struct timespec wait = {.tv_nsec = 50000000};
        (void)nanosleep(&wait, NULL);
    }
    struct record records[COUNT];
    poll_records(source, records, COUNT);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(number_of(&records[i]), i);
    }
    cr_assert_eq(source_generation(source), generation);
    poll_nothing(source, 300);
    source_release(source, records, COUNT);
    destroy_source(source);
}

Test(source, pausing_and_going_on_neither_loses_nor_repeats_a_record)
{
    kafka_broker_create_topics(broker, &settings, 0, 2);
    struct record_source *source = create_source();
    wait_for_partitions(source, 2);
    enum { COUNT = 6000, STEP = 37 };
    int64_t next[2] = {0};
    for (int i = 0; i < COUNT; i++) {
        produce_number("scene.ops", i % 2, i);
        if (i % 10 == 0) {
            source_service(source);
        }
    }
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (next[0] + next[1] < COUNT && now_ms() < deadline_ms) {
        struct record records[STEP];
        size_t count = source_poll(source, records, STEP, SIZE_MAX, POLL_MS);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(records[i].offset, next[records[i].partition]++);
        }
        source_settle(source, records, count);
        source_release(source, records, count);
        for (int i = 0; i < 8; i++) {
            source_service(source);
        }
    }
    cr_assert_eq(next[0] + next[1], COUNT, "%d and %d", (int)next[0], (int)next[1]);
    destroy_source(source);
    cr_assert_eq(kafka_broker_committed(broker, "scenesync", "scene.ops", 1), COUNT / 2);
}

Test(source, goes_on_after_the_broker_was_away_and_ends_while_it_is)
{
    set("kafka.reconnect.backoff.max.ms", "300");
    kafka_broker_create_topics(broker, &settings, 0, 1);
    produce_number("scene.ops", 0, 1);
    struct record_source *source = create_source();
    struct record records[2];
    poll_records(source, records, 1);
    kafka_broker_set_up(broker, false);
    source_settle(source, records, 1);
    poll_nothing(source, 2000);
    kafka_broker_set_up(broker, true);
    produce_number("scene.ops", 0, 2);
    poll_records(source, records + 1, 1);
    cr_assert_eq(number_of(&records[1]), 2);
    wait_for_commit(source, 0, 1);
    kafka_broker_set_up(broker, false);
    source_settle(source, records + 1, 1);
    source_release(source, records, 2);
    uint64_t before_ms = now_ms();
    destroy_source(source);
    cr_assert_lt(now_ms() - before_ms, 20000);
}

Test(source, tells_an_error_that_it_cannot_go_on_after)
{
    kafka_broker_create_topics(broker, &settings, 0, 1);
    struct record_source *source = create_source();
    cr_assert_null(source_fatal_error(source));
    cr_assert_eq(rd_kafka_test_fatal_error(source->consumer, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                                           "another has this group.instance.id"),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    source_service(source);
    cr_assert_not_null(source_fatal_error(source));
    cr_assert_not_null(strstr(source_fatal_error(source), "group.instance.id"), "%s",
                       source_fatal_error(source));
    destroy_source(source);
}

Test(source, refuses_a_configuration_that_librdkafka_refuses)
{
    char message[512] = "";
    set("kafka.consumer.session.timeout.ms", "5000");
    set("kafka.consumer.max.poll.interval.ms", "4000");
    cr_assert_null(source_create(&settings, &machine_clock, quiet_log, message, sizeof message));
    cr_assert_not_null(strstr(message, "max.poll.interval.ms"), "%s", message);
}
