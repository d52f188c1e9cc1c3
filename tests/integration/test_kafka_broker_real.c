/* A broker of a test's own, and what is done to it: the ground that fault stories stand on. */
#include <criterion/criterion.h>

#include "tests/support/child_process.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/kafka_lag.h"

static struct kafka_broker *broker;

static void begin(void)
{
    broker = kafka_broker_start_private();
    kafka_broker_create_topic(broker, TOPIC_OPS, 2);
}

static void end(void)
{
    kafka_broker_stop(broker);
}

TestSuite(kafka_broker_real, .init = begin, .fini = end, .timeout = 180);

static void expect_values(const char *const *values, size_t value_count)
{
    size_t count = 0;
    struct kafka_record *const records = kafka_broker_read(broker, TOPIC_OPS, &count);
    cr_assert_eq(count, value_count);
    for (size_t i = 0; i < count; i++) {
        cr_assert(span_equal_text(records[i].value, values[i]));
        cr_assert_eq(records[i].offset, (int64_t)i);
    }
    kafka_records_free(records, count);
}

/* A broker that has just started makes its topic of offsets first. */
static void await_one_record(struct kafka_lag *lag)
{
    const uint64_t deadline_ms = monotonic_ms() + 30000;
    while (kafka_lag_records(lag) != 1) {
        cr_assert_lt(monotonic_ms(), deadline_ms);
        sleep_ms(100);
    }
}

Test(kafka_broker_real, has_its_records_and_its_address_after_sigkill)
{
    static const char *const values[] = {"one", "two"};
    (void)kafka_broker_produce_text(broker, TOPIC_OPS, 0, "k", values[0]);
    kafka_broker_kill(broker);
    struct kafka_lag *const lag = kafka_lag_create(kafka_broker_bootstrap(broker), GROUP);
    kafka_lag_add_topic(lag, TOPIC_OPS, 1);
    cr_assert_eq(kafka_lag_records(lag), KAFKA_LAG_UNKNOWN, "nobody answers");
    kafka_broker_restart(broker);
    cr_assert_eq(kafka_broker_produce_text(broker, TOPIC_OPS, 0, "k", values[1]), 1);
    expect_values(values, 2);
    kafka_lag_destroy(lag);
}

Test(kafka_broker_real, answers_nobody_while_it_is_paused)
{
    struct kafka_lag *const lag = kafka_lag_create(kafka_broker_bootstrap(broker), GROUP);
    kafka_lag_add_topic(lag, TOPIC_OPS, 1);
    static const char *const values[] = {"one", "two"};
    (void)kafka_broker_produce_text(broker, TOPIC_OPS, 0, "k", values[0]);
    await_one_record(lag);
    kafka_broker_pause(broker);
    cr_assert_eq(kafka_lag_records(lag), KAFKA_LAG_UNKNOWN);
    kafka_broker_resume(broker);
    cr_assert_eq(kafka_broker_produce_text(broker, TOPIC_OPS, 0, "k", values[1]), 1);
    expect_values(values, 2);
    kafka_lag_destroy(lag);
}
