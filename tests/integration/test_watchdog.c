/*
 * The watchdog in a consumer group: a worker that hangs leaves it and ends, one that has nothing to
 * do, or waits for what is away, goes on.
 */
#include "worker/watchdog.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/source_fixture.h"
#include "tests/support/watched_worker.h"
#include "worker/source_internal.h"
#include "worker/source_watch.h"

enum {
    EXIT_STALLED = 74,
    /* The limit, a quarter of it between two looks, twice; and what a busy machine takes. */
    STALL_WAIT_MS = 15000,
    CALM_MS = 3 * WATCHED_LIMIT_MS /* waited through where there is no stall */
};

static struct watched_worker worker;

static void end(void)
{
    source_fixture_stop();
}

TestSuite(watchdog, .fini = end, .timeout = 120);

static void start(watched_cycle *cycle)
{
    watched_worker_start(&worker, cycle, false);
    watched_worker_release(&worker);
}

static void produce(int count)
{
    for (int i = 0; i < count; i++) {
        produce_number(TOPIC_OPS, 0, i);
    }
}

static void expect_stall(void)
{
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), EXIT_STALLED);
}

static void expect_no_stall(void)
{
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), 0, "%s",
                 watched_worker_log(&worker));
}

static void expect_in_log(const char *text)
{
    const char *log = watched_worker_log(&worker);
    cr_expect_not_null(strstr(log, text), "no %s in:\n%s", text, log);
}

/* ---- Stalls ---- */

static void hang(const struct watched_parts *parts)
{
    progress_note(parts->progress, PROGRESS_WORKING);
    for (;;) {
        (void)pause();
    }
}

Test(watchdog, ends_a_worker_whose_cycle_hangs)
{
    start(hang);
    produce(3);
    expect_stall();
    expect_in_log("level=error event=\"worker stalled, it ends\" "
                  "cause=\"the cycle does not get further\" stalled_ms=");
    expect_in_log(" limit_ms=1000 doing=working partitions=4 lag=3 behind=");
    expect_in_log(TOPIC_OPS);
    expect_in_log("/0:3 left_group=true cure=");
}

/* The thread lives and turns, without effect. It meets the watchdog that leaves the group: its
 * polls must not disturb that. */
static void spin(const struct watched_parts *parts)
{
    struct record record;
    progress_note(parts->progress, PROGRESS_WORKING);
    for (;;) {
        source_service(parts->source);
        (void)source_poll(parts->source, &record, 1, SIZE_MAX, 0);
        sleep_ms(1);
    }
}

Test(watchdog, ends_a_worker_whose_cycle_turns_without_effect)
{
    start(spin);
    expect_stall();
    expect_in_log(" lag=0 behind=\"\" left_group=true");
    cr_expect_null(strstr(watched_worker_log(&worker), "partitions revoked"),
                   "that is the cycle's to do");
}

/* Says that it found nothing, while records pile up. */
static void idle_without_polling(const struct watched_parts *parts)
{
    for (;;) {
        progress_note(parts->progress, PROGRESS_IDLE);
        if (progress_wants_partitions(parts->progress)) {
            source_tell_partitions(parts->source, parts->progress);
        }
        sleep_ms(20);
    }
}

Test(watchdog, ends_an_idle_worker_that_has_lag)
{
    start(idle_without_polling);
    sleep_ms(CALM_MS);
    cr_assert_null(strstr(watched_worker_log(&worker), "stalled"), "without lag it is no stall");
    produce(5);
    expect_stall();
    expect_in_log("cause=\"idle, although partitions have records\"");
    expect_in_log(" doing=idle partitions=4 lag=5 behind=");
    expect_in_log("left_group=true");
}

/* Kafka's client no longer fetches a partition, as after a pause that was left behind. */
static void idle_without_fetching(const struct watched_parts *parts)
{
    struct assignment_cursor cursor = {0};
    struct assignment *assignment = &parts->source->assignment;
    struct assigned_partition *partition = assignment_next(assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(assignment, &cursor)) {
        source_set_paused(parts->source, partition, true);
    }
    for (;;) {
        (void)watched_poll(parts);
    }
}

Test(watchdog, ends_an_idle_worker_whose_client_has_stopped_fetching)
{
    start(idle_without_fetching);
    sleep_ms(WATCHED_LIMIT_MS / 2); /* what was fetched last came before */
    produce(2);
    expect_stall();
    expect_in_log("cause=\"idle, although partitions have records\"");
    expect_in_log("/0:2 left_group=true");
}

/* The log is a pipe that nobody reads: the watchdog hangs in it as well, at last. */
Test(watchdog, ends_a_worker_that_hangs_in_its_log)
{
    watched_worker_start(&worker, watched_log_until_it_hangs, true);
    watched_worker_release(&worker);
    cr_assert_eq(watched_worker_await_exit(&worker, 2 * STALL_WAIT_MS), EXIT_STALLED);
}

/* ---- No stalls ---- */

/* Ends with 0 once it has turned for long enough. */
static void turn(const struct watched_parts *parts,
                 void (*turn_once)(const struct watched_parts *parts))
{
    const uint64_t until_ms = monotonic_ms() + CALM_MS;
    while (monotonic_ms() < until_ms) {
        turn_once(parts);
    }
    _exit(progress_is_stalled(parts->progress) ? 1 : 0);
}

static void await_store(const struct watched_parts *parts)
{
    source_service(parts->source);
    progress_note(parts->progress, PROGRESS_STORE_AWAY);
    sleep_ms(20);
}

static void turn_without_store(const struct watched_parts *parts)
{
    turn(parts, await_store);
}

Test(watchdog, lets_a_worker_wait_for_the_store)
{
    start(turn_without_store);
    produce(3);
    expect_no_stall();
}

static void poll_nothing_due(const struct watched_parts *parts)
{
    if (watched_poll(parts) > 0) {
        _exit(2);
    }
}

static void turn_polling(const struct watched_parts *parts)
{
    turn(parts, poll_nothing_due);
}

/* A retry that is not due, and the record behind it, are held: that is not lag. */
Test(watchdog, lets_a_worker_hold_a_retry)
{
    start(turn_polling);
    (void)produce_retry(1, 0, 1, 60000);
    (void)produce_retry(1, 0, 2, 60000);
    expect_no_stall();
}

static void turn_slowly(const struct watched_parts *parts)
{
    for (;;) {
        progress_note(parts->progress, PROGRESS_WORKING);
        sleep_ms(WATCHED_LIMIT_MS / 3);
    }
}

/* A process that was stopped finds that much time has gone by, and must not take it for a stall.
 * Several times, since a note in the last moment would excuse it anyway. */
Test(watchdog, lets_a_worker_wake_up_after_a_stop)
{
    enum { STOPS = 5 };
    start(turn_slowly);
    for (int i = 0; i < STOPS; i++) {
        cr_assert_eq(kill(worker.pid, SIGSTOP), 0);
        sleep_ms(WATCHED_LIMIT_MS + 200);
        cr_assert_eq(kill(worker.pid, SIGCONT), 0);
        sleep_ms(WATCHED_LIMIT_MS);
    }
    cr_assert_null(strstr(watched_worker_log(&worker), "stalled"), "%s",
                   watched_worker_log(&worker));
    watched_worker_kill(&worker);
}
