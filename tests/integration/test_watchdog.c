/*
 * The watchdog on a consumer group: a worker that hangs gives its partitions up at once, one that
 * has nothing to do, or waits for what is away, does not.
 */
#include "worker/watchdog.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/source_fixture.h"
#include "tests/support/watched_worker.h"
#include "worker/source_watch.h"

enum {
    EXIT_STALLED = 74,
    /* The limit, a quarter of it between two looks, twice; and what a busy machine takes. */
    STALL_WAIT_MS = 15000,
    /* A third of the session time-out: nobody gets in so early but by the other's leave. */
    TAKE_OVER_MS = 15000,
    LIMITS = 3 /* waited through where there is no stall */
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
}

/* To both partitions of the ops topic: one of them is the worker's. */
static void produce(int count)
{
    for (int i = 0; i < count; i++) {
        produce_number(TOPIC_OPS, 0, i);
        produce_number(TOPIC_OPS, 1, i);
    }
}

static void expect_in_log(const char *text)
{
    const char *log = watched_worker_log(&worker);
    cr_expect_not_null(strstr(log, text), "no %s in:\n%s", text, log);
}

/* The other member gets everything, well before the session of the first runs out. */
static void expect_taken_over(size_t record_count)
{
    cr_expect_lt(watched_worker_await_heir(&worker, record_count), TAKE_OVER_MS);
}

/* ---- Stalls ---- */

static void hang(const struct watched_parts *parts)
{
    progress_note(parts->progress, PROGRESS_WORKING);
    for (;;) {
        (void)pause();
    }
}

Test(watchdog, hands_over_where_the_cycle_hangs)
{
    start(hang);
    watched_worker_release(&worker);
    produce(3);
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), EXIT_STALLED);
    expect_in_log("level=error event=\"worker stalled, it ends\" "
                  "cause=\"the cycle does not get further\" stalled_ms=");
    expect_in_log(" limit_ms=1000 doing=working partitions=2 lag=3 behind=");
    expect_in_log(TOPIC_OPS);
    expect_in_log(":3 left_group=true cure=");
    expect_taken_over(3);
}

/* The thread lives and turns, without effect. */
static void spin(const struct watched_parts *parts)
{
    progress_note(parts->progress, PROGRESS_WORKING);
    for (;;) {
        source_service(parts->source);
        (void)source_poll(parts->source, &(struct record){0}, 1, SIZE_MAX, 0);
        sleep_ms(5);
    }
}

/* Leaving and the cycle's polls meet: the one must not disturb the other. */
Test(watchdog, hands_over_where_the_cycle_turns_without_effect)
{
    start(spin);
    watched_worker_release(&worker);
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), EXIT_STALLED);
    expect_in_log("left_group=true");
    produce(1);
    expect_taken_over(1);
}

/* Polls that find nothing, while records pile up: a consumer that has silently stopped. */
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

Test(watchdog, hands_over_where_an_idle_worker_has_lag)
{
    start(idle_without_polling);
    watched_worker_release(&worker);
    sleep_ms(LIMITS * WATCHED_LIMIT_MS);
    cr_assert_str_eq(strstr(watched_worker_log(&worker), "stalled") == NULL ? "" : "stalled", "",
                     "without lag it is no stall");
    produce(5);
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), EXIT_STALLED);
    expect_in_log("cause=\"idle, although partitions have records\"");
    expect_in_log(" doing=idle partitions=2 lag=5 behind=");
    expect_in_log("left_group=true");
    expect_taken_over(5);
}

/* The log is a pipe that nobody reads: the cycle hangs in it, and so would the watchdog. */
static void log_until_it_hangs(const struct watched_parts *parts)
{
    for (;;) {
        struct log_line line;
        log_begin(&line, parts->log, LOG_INFO, "one of many");
        log_end(&line);
        progress_note(parts->progress, PROGRESS_WORKING);
    }
}

Test(watchdog, hands_over_where_nobody_reads_the_log)
{
    watched_worker_start(&worker, log_until_it_hangs, true);
    watched_worker_release(&worker);
    produce(1);
    expect_taken_over(1); /* while the process still hangs in its log */
    cr_assert_eq(watched_worker_await_exit(&worker, 2 * STALL_WAIT_MS), EXIT_STALLED);
}

/* ---- No stalls ---- */

/* Ends with 0 once it has turned for long enough. */
static void turn(const struct watched_parts *parts, void (*once)(const struct watched_parts *parts))
{
    const uint64_t until_ms = monotonic_ms() + LIMITS * WATCHED_LIMIT_MS;
    while (monotonic_ms() < until_ms) {
        once(parts);
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
    watched_worker_release(&worker);
    produce(3);
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), 0);
}

static void poll_once(const struct watched_parts *parts)
{
    if (watched_poll(parts) > 0) {
        _exit(2); /* the retry came early */
    }
}

static void turn_polling(const struct watched_parts *parts)
{
    turn(parts, poll_once);
}

/* A retry that is not due, and the record behind it, are held: that is not lag. */
Test(watchdog, lets_a_worker_hold_a_retry)
{
    start(turn_polling);
    watched_worker_release(&worker);
    for (int32_t partition = 0; partition < 2; partition++) {
        (void)produce_retry(1, partition, 1, 60000);
        (void)produce_retry(1, partition, 2, 60000);
    }
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), 0);
}

/* A process that was stopped finds that much time has gone by, and must not take it for a stall. */
Test(watchdog, lets_a_worker_wake_up_after_a_stop)
{
    start(turn_polling);
    watched_worker_release(&worker);
    cr_assert_eq(kill(worker.pid, SIGSTOP), 0);
    sleep_ms(LIMITS * WATCHED_LIMIT_MS + 2000);
    cr_assert_eq(kill(worker.pid, SIGCONT), 0);
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), 0, "%s",
                 watched_worker_log(&worker));
}
