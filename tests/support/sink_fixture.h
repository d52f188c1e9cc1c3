/**
 * What the tests of the sink start from: a broker, settings that point at it, one sink, and steps
 * that several of them take.
 *
 * Lifetime: sink_fixture_start() .. sink_fixture_stop(), as a suite's .init and .fini. Threading:
 * one thread. What is not acknowledged within 30 s fails the test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_SINK_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_SINK_FIXTURE_H

#include "tests/support/kafka_broker.h"
#include "worker/sink.h"

enum { SINK_FIXTURE_POLL_MS = 100 };

struct sink_fixture {
    struct kafka_broker *broker;
    struct settings settings;
    struct clock clock;
    struct log *log; /* errors only; everything where TEST_LOG is in the environment */
    struct sink *sink;
};
extern struct sink_fixture sink_fixture;

void sink_fixture_start(void);
void sink_fixture_stop(void);

void set_for_sink(const char *name, const char *value);
void create_sink(void);

/** Polls until no more than that are in flight. */
void poll_until(size_t in_flight);

/** Polls for `wait_ms` and asserts that exactly that many stay in flight. */
void poll_in_flight(size_t in_flight, uint64_t wait_ms);

/** A message whose value is its number. */
struct numbered {
    struct outgoing outgoing;
    char text[24];
};

/** Sends `count` of them to partition 0. Returns owned, for free(). */
struct numbered *send_numbers(const char *topic, size_t count);

void check_all(const struct numbered *messages, size_t count, enum outgoing_status status);

/** The topic has the numbers below `count` in order; each at least once. */
void check_numbers(const char *topic, size_t count, bool exactly_once);

#endif
