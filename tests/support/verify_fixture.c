#include "tests/support/verify_fixture.h"

#include <criterion/criterion.h>

#include "tests/support/child_process.h"

struct world *verify_world;

void verify_fixture_end(void)
{
    world_destroy(verify_world);
}

struct command_outcome verify_fixture_run(struct command command)
{
    const char *const settings[] = {
        text_of_format("kafka.bootstrap.servers=%s",
                       kafka_broker_bootstrap(world_broker(verify_world))),
        text_of_format("redis.url=%s", redis_server_url(world_redis(verify_world))),
        text_of_format("topics.ops=%s", TOPIC_OPS),
        text_of_format("topics.results=%s", TOPIC_RESULTS),
        text_of_format("topics.retry_prefix=%s", TOPIC_RETRY_PREFIX),
    };
    struct command whole = command;
    size_t count = 0;
    whole.arguments[count++] = "verify";
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        whole.arguments[count++] = "--set";
        whole.arguments[count++] = settings[i];
    }
    for (size_t i = 0; command.arguments[i] != NULL; i++) {
        cr_assert_lt(count, (size_t)COMMAND_ARGUMENTS_MAX - 1);
        whole.arguments[count++] = command.arguments[i];
    }
    whole.arguments[count] = NULL;
    return command_run(world_directory(verify_world), &whole);
}

void verify_fixture_expect(struct command_outcome outcome, int exit_code, const char *out)
{
    cr_assert_eq(outcome.exit_code, exit_code, "exit %d\n%s%s", outcome.exit_code, outcome.out,
                 outcome.err);
    cr_assert_not_null(strstr(outcome.out, out), "\"%s\" is not in:\n%s", out, outcome.out);
}

void verify_fixture_await_equal(const char *summary)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    struct command_outcome outcome = VERIFY("--set", "dedupe.max_batches=4");
    while (outcome.exit_code != OK || strstr(outcome.out, summary) == NULL) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "%s%s", outcome.out, outcome.err);
        sleep_ms(500);
        outcome = VERIFY("--set", "dedupe.max_batches=4");
    }
}

void verify_fixture_redis(const char *const *arguments)
{
    (void)world_redis_command(verify_world, arguments);
}
