/**
 * What the tests of the source start from: a broker of their own, settings that point at it with
 * short time-outs, and steps that several of them take.
 *
 * Lifetime: source_fixture_start() .. source_fixture_stop(), as a suite's .init and .fini.
 * Threading: one thread. A step that is not through within FIXTURE_PATIENCE_MS fails the test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_SOURCE_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_SOURCE_FIXTURE_H

#include "tests/support/kafka_broker.h"
#include "worker/source.h"

enum {
    FIXTURE_POLL_MS = 100,
    FIXTURE_PATIENCE_MS = 30000,

    /* Until two members share the partitions. librdkafka's mock broker refuses the SyncGroup of a
     * member that comes after the leader's, which a real one answers; the member joins again, and
     * each such round takes 5 s. By cooperative-sticky, of two rounds, every second one ends so. */
    FIXTURE_SHARING_MS = 120000,
    FIXTURE_SUITE_S = 300, /* a suite's time-out in which that has its place */
};

struct source_fixture {
    struct kafka_broker *broker;
    struct settings settings;
    struct clock clock;
    struct log *log; /* errors only; everything where TEST_LOG is in the environment */
    size_t source_count;
};
extern struct source_fixture fixture;

void source_fixture_start(void);

/** Nothing where sources are left: a failed test's end is its process's end. */
void source_fixture_stop(void);

void set(const char *name, const char *value);
struct record_source *create_source(void);
void destroy_source(struct record_source *source);
uint64_t now_ms(void); /* monotonic */

/** Polls until `count` records are there. */
void poll_records(struct record_source *source, struct record *records, size_t count);

/** Polls for `wait_ms` and asserts that no record comes. */
void poll_nothing(struct record_source *source, uint64_t wait_ms);

/** Polls until the source holds `count` partitions, and asserts that no record comes. */
void wait_for_partitions(struct record_source *source, size_t count);

/** Polls until Kafka has confirmed that offset, and asserts that no record comes. */
void wait_for_commit(struct record_source *source, const char *topic, int32_t partition,
                     int64_t offset);

/** Settles and gives back one record, and waits until that is committed. */
void finish(struct record_source *source, struct record *record);

/** A record whose value is a number, and its reading. */
void produce_number(const char *topic, int32_t partition, int number);
int number_of(const struct record *record);

/** The same on a retry tier, due `wait_ms` from now by the wall clock. Returns its not-before. */
uint64_t produce_retry(uint32_t tier, int32_t partition, int number, int64_t wait_ms);

#endif
