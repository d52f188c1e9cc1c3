/* The watchdog while Kafka does not answer. */
#include "worker/watchdog.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/source_fixture.h"
#include "tests/support/watched_worker.h"
#include "worker/source_watch.h"

enum {
    EXIT_STALLED = 74,
    /* The limit, the last look at the partitions and leaving the group: each has a bound. */
    STALL_WAIT_MS = 20000,
    OUTAGE_MS = 8 * WATCHED_LIMIT_MS
};

static struct watched_worker worker;

static void end(void)
{
    source_fixture_stop();
}

TestSuite(watchdog_mock, .fini = end, .timeout = 120);

static void hang(const struct watched_parts *parts)
{
    progress_note(parts->progress, PROGRESS_WORKING);
    for (;;) {
        (void)pause();
    }
}

Test(watchdog_mock, ends_a_worker_that_hangs)
{
    watched_worker_start(&worker, hang, false);
    watched_worker_release(&worker);
    kafka_broker_set_up(fixture.broker, false);
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), EXIT_STALLED);
    const char *log = watched_worker_log(&worker);
    cr_expect_not_null(strstr(log, ":? "), "a lag that nobody knows:\n%s", log);
    cr_expect_not_null(strstr(log, "left_group=false"), "%s", log);
}

/* What it has not polled is lag, but with Kafka away nobody can say that this is its fault. */
static void idle_through_an_outage(const struct watched_parts *parts)
{
    const uint64_t until_ms = monotonic_ms() + OUTAGE_MS;
    bool was_ready = true;
    while (monotonic_ms() < until_ms) {
        progress_note(parts->progress, PROGRESS_IDLE);
        if (progress_wants_partitions(parts->progress)) {
            source_tell_partitions(parts->source, parts->progress);
        }
        was_ready = progress_is_ready(parts->progress, NULL);
        sleep_ms(20);
    }
    _exit(was_ready ? 1 : 0);
}

Test(watchdog_mock, lets_an_idle_worker_wait_for_kafka_and_calls_it_not_ready)
{
    watched_worker_start(&worker, idle_through_an_outage, false);
    watched_worker_release(&worker);
    produce_number(TOPIC_OPS, 0, 1);
    produce_number(TOPIC_OPS, 1, 1);
    kafka_broker_set_up(fixture.broker, false);
    cr_assert_eq(watched_worker_await_exit(&worker, OUTAGE_MS + STALL_WAIT_MS), 0, "%s",
                 watched_worker_log(&worker));
}
