#include "tests/support/source_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/sent_batch.h"

enum { PATIENCE_MS = FIXTURE_PATIENCE_MS, POLL_MS = FIXTURE_POLL_MS };

struct source_fixture fixture;

void set(const char *name, const char *value)
{
    struct settings_error error;
    cr_assert(settings_set(&fixture.settings, name, value, "test", &error), "%s", error.message);
}

void source_fixture_start(void)
{
    fixture.broker = kafka_broker_start();
    fixture.clock = clock_system();
    cr_assert(settings_init(&fixture.settings));
    set("kafka.bootstrap.servers", kafka_broker_bootstrap(fixture.broker));
    set("kafka.group.id", GROUP);
    set("topics.ops", TOPIC_OPS);
    set("topics.results", TOPIC_RESULTS);
    set("topics.dead_letter", TOPIC_DEAD);
    set("topics.retry_prefix", TOPIC_RETRY_PREFIX);
    set("kafka.session.timeout.ms", "6000");
    set("kafka.topic.metadata.refresh.interval.ms", "500");
    fixture.log = log_create(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT, NULL);
    cr_assert_not_null(fixture.log);
}

void source_fixture_stop(void)
{
    if (fixture.source_count > 0) {
        return;
    }
    kafka_broker_stop(fixture.broker);
    settings_deinit(&fixture.settings);
    log_destroy(fixture.log);
}

struct record_source *create_source(void)
{
    char message[512];
    struct record_source *source =
        source_create(&fixture.settings, &fixture.clock, fixture.log, message, sizeof message);
    cr_assert_not_null(source, "%s", message);
    fixture.source_count++;
    return source;
}

void destroy_source(struct record_source *source)
{
    source_destroy(source);
    fixture.source_count--;
}

uint64_t now_ms(void)
{
    return clock_monotonic_ms(&fixture.clock);
}

void poll_records(struct record_source *source, struct record *records, size_t count)
{
    size_t got = 0;
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (got < count && now_ms() < deadline_ms) {
        got += source_poll(source, records + got, count - got, SIZE_MAX, POLL_MS);
    }
    cr_assert_eq(got, count, "%zu of %zu records in time", got, count);
}

void wait_for_partitions(struct record_source *source, size_t count)
{
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    struct record record;
    while (source_assigned_count(source) != count && now_ms() < deadline_ms) {
        cr_assert_eq(source_poll(source, &record, 1, SIZE_MAX, POLL_MS), 0);
    }
    cr_assert_eq(source_assigned_count(source), count);
}

void produce_number(const char *topic, int32_t partition, int number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    (void)kafka_broker_produce_text(fixture.broker, topic, partition, "key", text);
}

int number_of(const struct record *record)
{
    char text[16] = "";
    cr_assert_lt(record->value.size, sizeof text);
    memcpy(text, record->value.data, record->value.size);
    return (int)strtol(text, NULL, 10);
}

uint64_t produce_retry(uint32_t tier, int32_t partition, int number, int64_t wait_ms)
{
    char value[16];
    char not_before[32];
    uint64_t not_before_ms = (uint64_t)((int64_t)clock_wall_ms(&fixture.clock) + wait_ms);
    (void)snprintf(value, sizeof value, "%d", number);
    (void)snprintf(not_before, sizeof not_before, "%llu", (unsigned long long)not_before_ms);
    struct record_header header = {"scenesync-not-before", span_of_text(not_before)};
    (void)kafka_broker_produce(fixture.broker,
                               text_of_format("%s%u", TOPIC_RETRY_PREFIX, (unsigned)tier),
                               partition, span_of_text("key"), span_of_text(value), &header, 1);
    return not_before_ms;
}

void poll_nothing(struct record_source *source, uint64_t wait_ms)
{
    struct record record;
    uint64_t until_ms = now_ms() + wait_ms;
    while (now_ms() < until_ms) {
        cr_assert_eq(source_poll(source, &record, 1, SIZE_MAX, POLL_MS), 0);
    }
}

/** Whether the text of confirmed offsets has this entry. */
static bool has_entry(struct span text, const char *entry)
{
    char entries[4096];
    cr_assert_lt(text.size, sizeof entries);
    memcpy(entries, text.data, text.size);
    entries[text.size] = '\0';
    const char *found = strstr(entries, entry);
    return found != NULL && (found[strlen(entry)] == ' ' || found[strlen(entry)] == '\0');
}

void wait_for_commit(struct record_source *source, const char *topic, int32_t partition,
                     int64_t offset)
{
    char entry[128];
    (void)snprintf(entry, sizeof entry, "%s/%d=%lld", topic, (int)partition, (long long)offset);
    uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    struct record record;
    while (!has_entry(source_committed_text(source, partition), entry)) {
        cr_assert_lt(now_ms(), deadline_ms, "%s not confirmed in time", entry);
        cr_assert_eq(source_poll(source, &record, 1, SIZE_MAX, POLL_MS), 0);
    }
}

void finish(struct record_source *source, struct record *record)
{
    source_settle(source, record, 1);
    wait_for_commit(source, (const char *)record->topic.data, record->partition,
                    record->offset + 1);
    source_release(source, record, 1);
}
