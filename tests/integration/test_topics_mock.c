/* `scenesync topics` where there is no Kafka, or one without topic administration. */
#include <criterion/criterion.h>

#include "tests/support/command.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/sent_batch.h"
#include "tests/support/temp_dir.h"
#include "worker/settings.h"

static struct temp_dir directory;

static void begin(void)
{
    temp_dir_create(&directory);
}

static void end(void)
{
    temp_dir_release(&directory);
}

TestSuite(topics_mock, .init = begin, .fini = end, .timeout = 120);

static struct command_outcome run(const char *servers, const char *option, const char *value)
{
    const struct command command = {
        .arguments = {"topics", option, value},
        .environment = {text_of_format("SCENESYNC_KAFKA_BOOTSTRAP_SERVERS=%s", servers)}};
    return command_run(directory.path, &command);
}

Test(topics_mock, without_a_broker_it_ends_in_time)
{
    const struct command_outcome outcome = run("127.0.0.1:1", "--timeout", "300");
    cr_assert_eq(outcome.exit_code, 69, "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.err, "127.0.0.1:1 within 300 ms"), "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.err, "Connection refused"), "%s", outcome.err);
    cr_assert_eq(line_count(outcome.err), 1, "%s", outcome.err);
    cr_assert_str_empty(outcome.out);
}

Test(topics_mock, a_wrong_number_is_a_wrong_command_line)
{
    const struct command_outcome outcome = run("127.0.0.1:1", "--partitions", "0");
    cr_assert_eq(outcome.exit_code, 64, "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.err, "from 1 to 10000"), "%s", outcome.err);
}

Test(topics_mock, entries_that_cannot_be_read_are_said_to_be)
{
    struct settings settings;
    cr_assert(settings_init(&settings));
    struct kafka_broker *const broker = kafka_broker_start();
    kafka_broker_create_topics(broker, &settings, 3, 2);
    const struct command_outcome outcome =
        run(kafka_broker_bootstrap(broker), "--timeout", "10000");
    cr_assert_eq(outcome.exit_code, 0, "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.out, "warn  topic.configuration scene.ops: cannot be read"),
                       "%s", outcome.out);
    cr_assert_null(strstr(outcome.out, "grant the"), "a time-out is no refusal: %s", outcome.out);
    kafka_broker_stop(broker);
    settings_deinit(&settings);
}
