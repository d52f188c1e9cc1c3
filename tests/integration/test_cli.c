/*
 * The command line as a newcomer meets it: broker, produce, worker, results, scene.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/child_process.h"
#include "tests/support/command.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world.h"

enum { OK = 0, FAILED = 1, USAGE = 64, UNAVAILABLE = 69, SERVERS_BYTES_MAX = 64 };

static struct world *world;
static struct temp_dir directory;
static json_t *documents; /* what json_line() gave, freed at the end */

static void begin(void)
{
    temp_dir_create(&directory);
    documents = json_array();
}

static void end(void)
{
    json_decref(documents);
    world_destroy(world);
    temp_dir_release(&directory);
}

TestSuite(cli, .init = begin, .fini = end, .timeout = 120);

/* Runs it against the world's broker and store, if there is a world. */
static struct command_outcome run(struct command command)
{
    if (world != NULL) {
        command.environment[0] = text_of_format("SCENESYNC_KAFKA_BOOTSTRAP_SERVERS=%s",
                                                kafka_broker_bootstrap(world_broker(world)));
        command.environment[1] =
            text_of_format("SCENESYNC_REDIS_URL=%s", redis_server_url(world_redis(world)));
        command.environment[2] = text_of_format("SCENESYNC_TOPICS_OPS=%s", TOPIC_OPS);
        command.environment[3] = text_of_format("SCENESYNC_TOPICS_RESULTS=%s", TOPIC_RESULTS);
    }
    return command_run(directory.path, &command);
}

#define RUN(...) run((struct command){.arguments = {__VA_ARGS__}})

static void expect(struct command_outcome outcome, int exit_code, const char *err)
{
    cr_assert_eq(outcome.exit_code, exit_code, "%d: %s", outcome.exit_code, outcome.err);
    cr_assert_not_null(strstr(outcome.err, err), "\"%s\" is not in: %s", err, outcome.err);
}

/* The `number`th line as JSON. */
static const json_t *json_line(const char *text, size_t number)
{
    for (; number > 0; number--) {
        text = strchr(text, '\n');
        cr_assert_not_null(text, "fewer lines");
        text++;
    }
    json_error_t error;
    json_t *const value = json_loadb(text, strcspn(text, "\n"), JSON_DECODE_ANY, &error);
    cr_assert_not_null(value, "%s in %s", error.text, text);
    cr_assert_eq(json_array_append_new(documents, value), 0);
    return value;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *const text = json_string_value(json_object_get(object, key));
    return text_of_format("%s", text != NULL ? text : "(none)");
}

static const char story[] =
    "# two scenes\n"
    "{\"session_id\":\"s1\",\"batch_id\":\"b1\",\"operations\":[" /* on top, below, between */
    "{\"op\":\"add\",\"timestamp\":1,\"element\":{\"id\":\"top\",\"kind\":{\"type\":\"t\"},"
    "\"transform\":{\"z_index\":10}}},"
    "{\"op\":\"add\",\"timestamp\":1,\"element\":{\"id\":\"low\",\"kind\":{\"type\":\"t\"},"
    "\"transform\":{\"z_index\":-1}}},"
    "{\"op\":\"add\",\"timestamp\":1,\"element\":{\"id\":\"mid\",\"kind\":{\"type\":\"t\"},"
    "\"transform\":{\"z_index\":2}}}]}\n"
    "\n"
    "{\"session_id\":\"s2\",\"batch_id\":\"b2\",\"operations\":["
    "{\"AddElement\":{\"timestamp\":1,\"element\":{\"id\":\"a\",\"kind\":{\"type\":\"t\"}}}}]}\n"
    "{\"session_id\":\"s1\",\"batch_id\":\"b3\",\"operations\":["
    "{\"op\":\"remove\",\"timestamp\":2,\"id\":\"mid\"},"
    "{\"op\":\"update\",\"timestamp\":2,\"id\":\"ghost\",\"changes\":{}}]}\n";

static void expect_filtered_results(void)
{
    const struct command_outcome all = RUN("results", "--count", "3", "--timeout", "30000");
    expect(all, OK, "");
    cr_assert_eq(line_count(all.out), 3);

    const struct command_outcome session =
        RUN("results", "--session", "s1", "--count", "2", "--timeout", "30000");
    const json_t *const first = json_line(session.out, 0);
    const json_t *const second = json_line(session.out, 1);
    cr_assert_str_eq(text_at(first, "batch_id"), "b1");
    cr_assert_str_eq(text_at(second, "batch_id"), "b3");
    cr_assert_eq(json_integer_value(json_object_get(second, "synced_count")), 1);
    cr_assert_eq(json_integer_value(json_object_get(second, "failed_count")), 1);

    const struct command_outcome headers =
        RUN("results", "--batch", "b3", "--headers", "--count", "1", "--timeout", "30000");
    const json_t *const record = json_line(headers.out, 0);
    cr_assert_str_eq(text_at(record, "key"), "s1");
    cr_assert_str_eq(text_at(json_object_get(record, "headers"), "scenesync-success"), "0");

    const struct command_outcome dead =
        RUN("results", "--topic", TOPIC_DEAD, "--headers", "--count", "1", "--timeout", "30000");
    const json_t *const letter = json_line(dead.out, 0);
    cr_assert_str_eq(text_at(json_object_get(letter, "headers"), "scenesync-error-code"),
                     "retries_exhausted");

    expect(RUN("results", "--count", "9", "--timeout", "1500"), FAILED, "3 of 9 results came");
    expect(RUN("results", "--session", "nobody", "--timeout", "1000"), OK, "");
}

static const char *id_at(const json_t *scene, size_t index)
{
    const json_t *const item = json_array_get(json_object_get(scene, "elements"), index);
    return text_at(json_object_get(item, "element"), "id");
}

static void expect_scenes(void)
{
    const struct command_outcome outcome = RUN("scene", "s1", "--compact", "--tombstones");
    expect(outcome, OK, "");
    const json_t *const scene = json_line(outcome.out, 0);
    cr_assert_eq(json_integer_value(json_object_get(scene, "version")), 2);
    cr_assert_eq(json_integer_value(json_object_get(scene, "element_count")), 2);
    cr_assert_str_eq(id_at(scene, 0), "low", "in drawing order");
    cr_assert_str_eq(id_at(scene, 1), "top");
    cr_assert_eq(json_array_size(json_object_get(scene, "tombstones")), 1, "mid");
    expect(RUN("scene", "nobody"), FAILED, "there is no scene nobody");
    expect(RUN("scene", "no/slash"), USAGE, "SESSION");
}

Test(cli, a_story_from_produce_to_scene)
{
    world = world_create(2, 0);
    expect(run((struct command){.arguments = {"produce"}, .input = story}), OK,
           text_of_format("produced 3 batches (6 operations) to %s", TOPIC_OPS));
    world_start_worker(world);
    world_settle(world);
    expect_filtered_results();
    expect_scenes();
}

/* Wrong lines are named and left out; the others go. */
Test(cli, produce_names_the_wrong_lines)
{
    static const char lines[] = "{\"session_id\":\"s1\",\"operations\":[]}\n"
                                "{\"session_id\":\"s1\",\n"
                                "# a comment\n"
                                "{\"operations\":[]}\n"
                                "hex:81 a1\n"
                                "hex:8g\n"
                                "{\"session_id\":\"s2\",\"operations\":[]}";
    world = world_create(1, 0);
    const struct command_outcome outcome =
        run((struct command){.arguments = {"produce", "-"}, .input = lines});
    expect(outcome, FAILED, "line 2: column");
    expect(outcome, FAILED, "line 4: missing_field: ");
    expect(outcome, FAILED, "line 6: hex:");
    expect(
        outcome, FAILED,
        text_of_format("produced 3 batches (0 operations) to %s, 3 lines were wrong", TOPIC_OPS));
    const struct record_list records = world_records(world, TOPIC_OPS);
    cr_assert_eq(records.count, 3);
    cr_assert(span_equal_text(records.items[0].key, "s1"));
    cr_assert(span_equal(records.items[1].value, bytes_of_hex("81a1")), "sent as it is");
    cr_assert(span_equal_text(records.items[2].key, "s2"));

    const struct command_outcome dry =
        run((struct command){.arguments = {"produce", "--dry-run"},
                             .input = "{\"session_id\":\"s1\",\"operations\":[]}\n"});
    expect(dry, OK, "checked 1 batches");
    cr_assert_str_eq(dry.out, "82aa73657373696f6e5f6964a27331aa6f7065726174696f6e7390\n");
    cr_assert_eq(world_records(world, TOPIC_OPS).count, 3);
    expect(RUN("produce", "/no/such/file"), FAILED, "/no/such/file");
}

Test(cli, what_is_not_there_is_said)
{
    static const char nowhere[] = "kafka.bootstrap.servers=127.0.0.1:1";
    static const char no_redis[] = "redis.url=redis://127.0.0.1:1/0";
    expect(RUN("produce", "--timeout", "1000", "--set", nowhere), UNAVAILABLE, "127.0.0.1:1");
    expect(RUN("results", "--timeout", "1000", "--set", nowhere), UNAVAILABLE, "127.0.0.1:1");
    expect(RUN("scene", "s1", "--timeout", "1000", "--set", no_redis), UNAVAILABLE, "127.0.0.1:1");
    /* A dead letter may be of a name that no scene can have. */
    expect(RUN("results", "--topic", TOPIC_DEAD, "--session", "scene 1", "--timeout", "500",
               "--set", nowhere),
           UNAVAILABLE, "127.0.0.1:1");
}

Test(cli, usage_is_explained)
{
    static const char *const commands[] = {"worker",  "topics",  "doctor", "broker",
                                           "produce", "results", "scene",  "verify"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct command_outcome help = RUN(commands[i], "--help");
        expect(help, OK, "");
        const char *const usage = text_of_format("Usage: scenesync %s ", commands[i]);
        cr_assert_eq(strncmp(help.out, usage, strlen(usage)), 0, "%s", help.out);
        cr_assert_not_null(strstr(help.out, "--set"), "%s: the options that all have", commands[i]);
        expect(RUN(commands[i], "--no-such-option"), USAGE, "--no-such-option");
    }
    const struct command_outcome help = RUN("--help");
    expect(help, OK, "");
    cr_assert_not_null(strstr(help.out, "Exit codes"));
    const struct command_outcome version = RUN("--version");
    expect(version, OK, "");
    cr_assert_not_null(strstr(version.out, "librdkafka"));
    expect(RUN("fly"), USAGE, "fly: no such command");
    expect(RUN("scene"), USAGE, "an argument is missing");
    expect(RUN("scene", "scene 1"), USAGE, "SESSION: expected 1 to 64 of");
    expect(RUN("verify", "--session", "scene 1"), USAGE, "--session: expected 1 to 64 of");
    expect(RUN("results", "--session", "scene 1"), USAGE, "--session: expected 1 to 64 of");
    expect(RUN("worker", "now"), USAGE, "one argument too many");
    expect(RUN("worker", "--set", "nonsense"), USAGE, "expects KEY=VALUE");
}

/* Whoever keeps the settings in a file must hear that it is not all of them. */
Test(cli, what_cannot_be_printed_is_no_success)
{
    static const char *const commands[][4] = {
        {SCENESYNC_BINARY, "worker", "--print-config"},
        {SCENESYNC_BINARY, "worker", "--help-settings"},
        {SCENESYNC_BINARY, "worker", "--help-metrics"},
        {SCENESYNC_BINARY, "worker", "--help"},
        {SCENESYNC_BINARY, "--help"},
        {SCENESYNC_BINARY, "--version"},
    };
    const char *const err_path = text_of_format("%s/full.err", directory.path);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const pid_t pid = child_start(&(struct child_options){
            .arguments = commands[i], .output_path = "/dev/full", .error_path = err_path});
        int exit_code = -1;
        cr_assert(child_wait(pid, WORLD_WAIT_MS, &exit_code));
        cr_assert_eq(exit_code, FAILED, "%zu: %d", i, exit_code);
    }
    FILE *const file = fopen(err_path, "r");
    cr_assert_not_null(file);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char line[128] = "";
        cr_assert_not_null(fgets(line, sizeof(line), file));
        cr_assert_str_eq(line, "scenesync: cannot write: No space left on device\n");
    }
    (void)fclose(file);
}

/* Its address, and nothing else, is the first line; whoever starts it reads that line. */
static void read_address(const char *path, char *out)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    do {
        sleep_ms(20);
        cr_assert_lt(monotonic_ms(), deadline_ms, "the broker says nothing");
        FILE *const file = fopen(path, "r");
        cr_assert_not_null(file);
        if (fgets(out, SERVERS_BYTES_MAX, file) == NULL) {
            out[0] = '\0';
        }
        (void)fclose(file);
    } while (strchr(out, '\n') == NULL);
    *strchr(out, '\n') = '\0';
}

Test(cli, broker_says_its_address_first_and_works)
{
    const char *const out_path = text_of_format("%s/broker.out", directory.path);
    const char *const err_path = text_of_format("%s/broker.err", directory.path);
    static const char *const arguments[] = {SCENESYNC_BINARY, "broker", "--partitions", "2", NULL};
    const pid_t broker = child_start(&(struct child_options){
        .arguments = arguments, .output_path = out_path, .error_path = err_path});
    char address[SERVERS_BYTES_MAX];
    sleep_ms(100);
    read_address(out_path, address);
    cr_assert_not_null(strchr(address, ':'));
    const char *const servers = text_of_format("kafka.bootstrap.servers=%s", address);
    expect(run((struct command){.arguments = {"produce", "--set", servers}, .input = story}), OK,
           "produced 3 batches");
    const struct command_outcome records = RUN("results", "--set", servers, "--topic", "scene.ops",
                                               "--count", "3", "--timeout", "20000");
    expect(records, OK, "");
    cr_assert_eq(line_count(records.out), 3);
    cr_assert_eq(kill(broker, SIGTERM), 0);
    int exit_code = -1;
    cr_assert(child_wait(broker, WORLD_WAIT_MS, &exit_code));
    cr_assert_eq(exit_code, OK);
}
