/*
 * What only a real broker shows of the watchdog: that the others get the partitions at once, and
 * that what transactions leave in a log is no lag. (After a member has left, a mock waits for the
 * session time-out; and it has no transactions.)
 */
#include "worker/watchdog.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/source_fixture.h"
#include "tests/support/watched_worker.h"
#include "worker/source_watch.h"

enum {
    EXIT_STALLED = 74,
    STALL_WAIT_MS = 15000,
    /* A third of the session time-out: nobody gets in so early but by the other's leave. */
    TAKE_OVER_MS = 15000,
    TRANSACTION_MS = 10000,
    CALM_MS = 6 * WATCHED_LIMIT_MS
};

static struct watched_worker worker;

static void end(void)
{
    source_fixture_stop();
}

TestSuite(watchdog_real, .fini = end, .timeout = 120);

/* ---- Handing over ---- */

static void expect_taken_over(size_t record_count)
{
    const uint64_t since_ms = now_ms();
    struct record_source *heir = create_source();
    struct record records[8];
    cr_assert_leq(record_count, 8);
    poll_records(heir, records, record_count);
    cr_expect_lt(now_ms() - since_ms, TAKE_OVER_MS);
    source_release(heir, records, record_count);
    destroy_source(heir);
}

static void hang(const struct watched_parts *parts)
{
    progress_note(parts->progress, PROGRESS_WORKING);
    for (;;) {
        (void)pause();
    }
}

Test(watchdog_real, hands_over_at_once)
{
    watched_worker_start(&worker, hang, false);
    watched_worker_release(&worker);
    for (int i = 0; i < 3; i++) {
        produce_number(TOPIC_OPS, i % 2, i);
    }
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), EXIT_STALLED);
    expect_taken_over(3);
}

/* The process cannot write its last line, and is ended by SIGALRM; its partitions went before. */
Test(watchdog_real, hands_over_before_it_writes_its_last_line)
{
    watched_worker_start(&worker, watched_log_until_it_hangs, true);
    watched_worker_release(&worker);
    produce_number(TOPIC_OPS, 0, 1);
    expect_taken_over(1);
    int exit_code = 0;
    cr_expect_not(child_wait(worker.pid, 0, &exit_code), "it hangs, still");
    cr_assert_eq(watched_worker_await_exit(&worker, 2 * STALL_WAIT_MS), EXIT_STALLED);
}

/* ---- Transactions ---- */

static void no_error(rd_kafka_error_t *error)
{
    cr_assert_null(error, "%s", rd_kafka_error_string(error));
}

static void set_property(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char message[256];
    cr_assert_eq(rd_kafka_conf_set(conf, name, value, message, sizeof(message)), RD_KAFKA_CONF_OK,
                 "%s", message);
}

/* A producer with a record in a transaction that is open. */
static rd_kafka_t *begin_transaction(void)
{
    char message[256];
    char value[] = "1";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_property(conf, "bootstrap.servers", kafka_broker_bootstrap(fixture.broker));
    set_property(conf, "transactional.id", kafka_name("upstream"));
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, sizeof(message));
    cr_assert_not_null(producer, "%s", message);
    no_error(rd_kafka_init_transactions(producer, TRANSACTION_MS));
    no_error(rd_kafka_begin_transaction(producer));
    cr_assert_eq(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(TOPIC_OPS), RD_KAFKA_V_PARTITION(0),
                                   RD_KAFKA_V_VALUE(value, 1), RD_KAFKA_V_END),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    cr_assert_eq(rd_kafka_flush(producer, TRANSACTION_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    return producer;
}

/* Polls for a while; ends with how many records came. */
static void count_records(const struct watched_parts *parts)
{
    size_t count = 0;
    const uint64_t until_ms = monotonic_ms() + CALM_MS;
    while (monotonic_ms() < until_ms) {
        count += watched_poll(parts);
    }
    _exit((int)count);
}

static void expect_records(int count)
{
    cr_assert_eq(watched_worker_await_exit(&worker, STALL_WAIT_MS), count, "%s",
                 watched_worker_log(&worker));
}

/* The record is in the log, but nobody may have it yet. */
Test(watchdog_real, lets_a_worker_wait_for_an_open_transaction)
{
    watched_worker_start(&worker, count_records, false);
    watched_worker_release(&worker);
    rd_kafka_t *producer = begin_transaction();
    expect_records(0);
    rd_kafka_destroy(producer);
}

/* The transaction's marker is the last in the log, and nobody ever gets it. */
Test(watchdog_real, lets_a_worker_rest_behind_a_transaction)
{
    watched_worker_start(&worker, count_records, false);
    watched_worker_release(&worker);
    rd_kafka_t *producer = begin_transaction();
    no_error(rd_kafka_commit_transaction(producer, TRANSACTION_MS));
    expect_records(1);
    rd_kafka_destroy(producer);
}

/* The same where all that was in it is dropped. */
Test(watchdog_real, lets_a_worker_rest_behind_an_aborted_transaction)
{
    watched_worker_start(&worker, count_records, false);
    watched_worker_release(&worker);
    rd_kafka_t *producer = begin_transaction();
    no_error(rd_kafka_abort_transaction(producer, TRANSACTION_MS));
    expect_records(0);
    rd_kafka_destroy(producer);
}
