/* `scenesync doctor` on the development broker, which tells little and takes everything. */
#include <criterion/criterion.h>

#include "tests/support/doctor_fixture.h"
#include "worker/settings.h"

enum { OK = 0, UNAVAILABLE = 69 };

static struct settings settings;

static void begin(void)
{
    cr_assert(settings_init(&settings));
    doctor_fixture_start_on(kafka_broker_start());
    kafka_broker_create_topics(doctor_fixture_broker(), &settings, 3, 2);
}

static void end(void)
{
    doctor_fixture_stop();
    settings_deinit(&settings);
}

TestSuite(doctor_mock, .init = begin, .fini = end, .timeout = 120);

Test(doctor_mock, says_what_cannot_be_told_and_writes_no_record)
{
    const struct command_outcome outcome = DOCTOR("--timeout", "1000");
    doctor_fixture_expect(outcome, OK, "warn  topic.configuration", "cannot be read");
    doctor_fixture_expect(outcome, OK, "warn  kafka.write_topic", "not tried");
    cr_assert_null(strstr(outcome.out, "grant the"), "nothing was refused: %s", outcome.out);
    cr_assert_null(strstr(outcome.out, "kafka-acls.sh"), "nothing was refused: %s", outcome.out);
    size_t count = 0;
    const char *const topics[] = {TOPIC_RETRY_1, TOPIC_RESULTS, TOPIC_DEAD};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        kafka_records_free(kafka_broker_read(doctor_fixture_broker(), topics[i], &count), count);
        cr_assert_eq(count, 0, "%s has a record", topics[i]);
    }
}

Test(doctor_mock, says_why_no_broker_is_reached)
{
    struct command_outcome outcome =
        DOCTOR("--timeout", "1000", "--set", "kafka.bootstrap.servers=127.0.0.1:1");
    doctor_fixture_expect(outcome, UNAVAILABLE, "error kafka.reached: 127.0.0.1:1",
                          "Connection refused");
    doctor_fixture_expect(outcome, UNAVAILABLE, "error kafka.reached",
                          "cure: check kafka.bootstrap.servers");

    outcome = DOCTOR("--timeout", "1000", "--set", "kafka.security.protocol=ssl");
    doctor_fixture_expect(outcome, UNAVAILABLE, "error kafka.reached",
                          "cure: set kafka.security.protocol to what the listener has");
}
