#include "tests/support/sink_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 30000 };

struct sink_fixture sink_fixture;

void set_for_sink(const char *name, const char *value)
{
    struct settings_error error;
    cr_assert(settings_set(&sink_fixture.settings, name, value, "test", &error), "%s",
              error.message);
}

void sink_fixture_start(void)
{
    sink_fixture.broker = kafka_broker_start();
    sink_fixture.clock = clock_system();
    cr_assert(settings_init(&sink_fixture.settings));
    set_for_sink("kafka.bootstrap.servers", kafka_broker_bootstrap(sink_fixture.broker));
    sink_fixture.log =
        log_create(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT, NULL);
    cr_assert_not_null(sink_fixture.log);
}

void sink_fixture_stop(void)
{
    sink_destroy(sink_fixture.sink);
    kafka_broker_stop(sink_fixture.broker);
    settings_deinit(&sink_fixture.settings);
    log_destroy(sink_fixture.log);
}

void create_sink(void)
{
    char message[512];
    sink_fixture.sink = sink_create(&sink_fixture.settings, &sink_fixture.clock, sink_fixture.log,
                                    message, sizeof message);
    cr_assert_not_null(sink_fixture.sink, "%s", message);
}

static uint64_t now_ms(void)
{
    return clock_monotonic_ms(&sink_fixture.clock);
}

void poll_until(size_t in_flight)
{
    const uint64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (sink_poll(sink_fixture.sink, SINK_FIXTURE_POLL_MS) > in_flight) {
        cr_assert_lt(now_ms(), deadline_ms, "no acknowledgement in time");
    }
}

void poll_in_flight(size_t in_flight, uint64_t wait_ms)
{
    const uint64_t until_ms = now_ms() + wait_ms;
    while (now_ms() < until_ms) {
        cr_assert_eq(sink_poll(sink_fixture.sink, SINK_FIXTURE_POLL_MS), in_flight);
    }
}

struct numbered *send_numbers(const char *topic, size_t count)
{
    struct numbered *messages = calloc(count, sizeof *messages);
    cr_assert_not_null(messages);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(messages[i].text, sizeof messages[i].text, "%zu", i);
        messages[i].outgoing = (struct outgoing){
            .topic = topic, .partition = 0, .value = span_of_text(messages[i].text)};
        sink_send(sink_fixture.sink, &messages[i].outgoing);
    }
    return messages;
}

void check_all(const struct numbered *messages, size_t count, enum outgoing_status status)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(messages[i].outgoing.status, status, "message %zu", i);
    }
}

void check_numbers(const char *topic, size_t count, bool exactly_once)
{
    size_t record_count = 0;
    struct kafka_record *records = kafka_broker_read(sink_fixture.broker, topic, &record_count);
    size_t next = 0;
    for (size_t i = 0; i < record_count; i++) {
        char text[16] = "";
        memcpy(text, records[i].value.data, records[i].value.size);
        next += strtoul(text, NULL, 10) == next ? 1 : 0;
    }
    cr_assert_eq(next, count, "%zu of %zu in order among %zu", next, count, record_count);
    cr_assert(!exactly_once || record_count == count, "%zu records", record_count);
    kafka_records_free(records, record_count);
}
