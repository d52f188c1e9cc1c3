/*
 * `scenesync verify`: equal where it should be, every tampering named, and nothing written.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/support/child_process.h"
#include "tests/support/verify_fixture.h"

TestSuite(verify, .fini = verify_fixture_end, .timeout = 180);

static void expect_equal(const char *summary)
{
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    verify_fixture_expect(outcome, OK, summary);
    cr_assert_eq(line_count(outcome.out), 1, "%s", outcome.out);
}

static void stop(struct worker_process *worker)
{
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
}

/* Three scenes with a bit of everything: conflicts, removes, retries that succeed and that end,
 * a resend, a reused id, poison, a batch in another partition than its scene's others. */
static void send_story(void)
{
    world_send(verify_world, 0,
               sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_add("b", 2, 1000))));
    world_send(verify_world, 0,
               sent_batch("s1", "b2", ops(op_move("a", 5, 900), op_move("late", 7, 2000))));
    world_send(verify_world, 0,
               sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_add("b", 2, 1000))));
    world_send(verify_world, 0, sent_batch("s1", "b2", op_add("c", 3, 1000)));
    world_send(verify_world, 1,
               sent_batch("s1", "b3", ops(op_remove("b", 3000), op_remove("b", 3100))));
    world_send(verify_world, 0, message_of("{'session_id':'s1','operations':7}"));
    world_send(verify_world, 0,
               sent_batch("s2", NULL, ops(op_add("x", 1, 1000), op_remove("ghost", 5000))));
    world_send(verify_world, 0,
               sent_batch_by("ann", "remote_wins", "s2", "r", op_move("x", 9, 10)));
    world_send(verify_world, 0,
               sent_batch_by("ann", "local_wins", "s2", "l", op_add("x", 10, 9000)));
    world_send(verify_world, 1, sent_batch("s3", "n", op_move("never", 1, 1000)));
}

/* `late` comes while its move waits for a retry. */
static struct worker_process *play_story(void)
{
    verify_world = world_create(2, 2);
    world_set(verify_world, "retry.initial_delay_ms=1500");
    send_story();
    struct worker_process *const worker = world_start_worker(verify_world);
    (void)world_await_results(verify_world, "b2", 1);
    world_send(verify_world, 0, sent_batch("s1", "b4", op_add("late", 4, 500)));
    world_settle(verify_world);
    return worker;
}

Test(verify, finds_nothing_where_nothing_is_wrong)
{
    struct worker_process *const worker = play_story();
    expect_equal("3 scenes with 3 elements and 2 removed ones: 3 equal, 0 different (0 "
                 "differences), 0 not judged");
    stop(worker);
    expect_equal("3 equal");
    const struct command_outcome one = VERIFY("--session", "s2");
    verify_fixture_expect(one, OK, "1 scenes with 1 elements and 1 removed ones: 1 equal");
    const struct command_outcome json = VERIFY("--json");
    verify_fixture_expect(json, OK, "\"scenes_equal\":3");
    cr_assert_eq(json.err[0], '\0', "no bar where there is no terminal: %s", json.err);
}

Test(verify, names_what_was_tampered_with)
{
    play_story();
    REDIS("HSET", "scene:{s1}:elements", "a", "\x93\x01\x02\x80");
    REDIS("HDEL", "scene:{s1}:elements", "late");
    REDIS("HSET", "scene:{s1}:elements", "foreign", "\x81\xA1k\x01");
    REDIS("HSET", "scene:{s1}:elements", "rubbish", "?");
    REDIS("HSET", "scene:{s1}:elements", "b", "\x93\x01\x02\x80");
    REDIS("HSET", "scene:{s2}", "version", "9", "element_count", "7");
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    verify_fixture_expect(
        outcome, DIFFERENT,
        "scene s1, element a: different: /id is not there, the log makes it \"a\"; /kind is not "
        "there, the log makes it {");
    verify_fixture_expect(outcome, DIFFERENT, "timestamp is 2, the log makes it 1000");
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene s1, element b: different: it is {}, the log makes it removed; ");
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene s1, element foreign: unexpected, nothing in the log explains "
                          "it: {\"k\":1}\n");
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene s1, element late: missing: the log makes it {\"id\":\"late\"");
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene s1, element rubbish: unreadable: the stored value is neither "
                          "[version, timestamp, element] nor a map");
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene s2: different: element_count is 7, the log makes it 1; "
                          "version is 9, the log makes it 3");
    verify_fixture_expect(
        outcome, DIFFERENT,
        "3 scenes with 6 elements and 1 removed ones: 1 equal, 2 different (6 differences), 0 "
        "not judged");
    const struct command_outcome other = VERIFY("--session", "s3");
    verify_fixture_expect(other, OK, "1 scenes with 0 elements and 0 removed ones: 1 equal");
    const struct command_outcome json = VERIFY("--session", "s2", "--json");
    verify_fixture_expect(json, DIFFERENT,
                          "{\"session_id\":\"s2\",\"difference\":\"different\",\"fields\":["
                          "{\"field\":\"element_count\",\"stored\":7,\"expected\":1},"
                          "{\"field\":\"version\",\"stored\":9,\"expected\":3}]}\n");
}

Test(verify, names_lost_and_foreign_scenes)
{
    play_story();
    REDIS("DEL", "scene:{s1}", "scene:{s1}:elements", "scene:{s1}:tombstones");
    REDIS("HSET", "scene:{other}:elements", "e", "\x81\xA1k\x01");
    REDIS("DEL", "scene:{s3}");
    REDIS("SET", "scene:{s3}", "not a hash");
    REDIS("SET", "scene:{a scene of nobody", "not a scene's key");
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    verify_fixture_expect(outcome, DIFFERENT, "scene s1: missing: the log makes element_count 2");
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene other: unexpected, nothing in the log explains it: "
                          "element_count is 1\n");
    verify_fixture_expect(outcome, DIFFERENT, "scene s3: unreadable: WRONGTYPE");
    verify_fixture_expect(
        outcome, DIFFERENT,
        "4 scenes with 1 elements and 1 removed ones: 1 equal, 3 different (3 differences)");
    const struct command_outcome nobody = VERIFY("--session", "nobody");
    cr_assert_eq(nobody.exit_code, DIFFERENT);
    cr_assert_not_null(strstr(nobody.err, "there is no scene nobody"), "%s", nobody.err);
}

/* Workers that are behind, and scenes that nobody has come to yet. */
Test(verify, lag_is_no_difference)
{
    struct worker_process *const worker = play_story();
    stop(worker);
    for (int i = 0; i < 20; i++) {
        world_send(verify_world, 0, sent_batch("s1", NULL, op_move("a", i, 10000)));
        world_send(verify_world, 1, sent_batch("s4", NULL, op_add("z", i, 10000)));
    }
    expect_equal("3 scenes with 3 elements and 2 removed ones: 3 equal");
    world_start_worker(verify_world);
    world_settle(verify_world);
    expect_equal("4 scenes with 4 elements and 2 removed ones: 4 equal");
}

/* The store as it was earlier: what was answered since is lost, and its position tells. */
Test(verify, lost_writes_are_named)
{
    verify_world = world_create(1, 0);
    struct worker_process *const worker = world_start_worker(verify_world);
    world_send(verify_world, 0, sent_batch("s1", NULL, op_add("a", 1, 1000)));
    world_settle(verify_world);
    REDIS("COPY", "scene:{s1}", "old:meta");
    REDIS("COPY", "scene:{s1}:elements", "old:elements");
    world_send(verify_world, 0,
               sent_batch("s1", NULL, ops(op_move("a", 2, 2000), op_add("b", 1, 1000))));
    world_settle(verify_world);
    stop(worker);
    REDIS("COPY", "old:meta", "scene:{s1}", "REPLACE");
    REDIS("COPY", "old:elements", "scene:{s1}:elements", "REPLACE");
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    verify_fixture_expect(
        outcome, DIFFERENT,
        text_of_format("scene s1: writes were lost: at:%s/0 is 0, answered was up to 1\n",
                       TOPIC_OPS));
    verify_fixture_expect(outcome, DIFFERENT,
                          "scene s1, element a: different: /transform/x is 1, the log makes it "
                          "2;");
    verify_fixture_expect(outcome, DIFFERENT, "scene s1, element b: missing");
    verify_fixture_expect(outcome, DIFFERENT, "1 different (3 differences)");
}

/* What nothing but the results tells: a forgotten resend was applied again, and tombstones are
 * dropped by later commits. */
Test(verify, what_the_store_forgets_is_no_difference)
{
    verify_world = world_create(1, 1);
    world_set(verify_world, "dedupe.max_batches=0");
    world_set(verify_world, "tombstones.max_per_scene=2");
    world_start_worker(verify_world);
    const struct span batch = sent_batch("s1", "again", op_add("a", 1, 1000));
    for (int i = 0; i < 8; i++) {
        world_send(verify_world, 0, batch);
        world_send(verify_world, 0,
                   sent_batch("s1", NULL,
                              ops(op_add(text_of_format("e%d", i), i, 1000),
                                  op_remove(text_of_format("e%d", i), 2000))));
        world_settle(verify_world);
    }
    world_send(verify_world, 0, sent_batch("s1", NULL, op_move("a", 2, 2000)));
    world_send(verify_world, 0, batch);
    world_settle(verify_world);
    const struct command_outcome outcome =
        VERIFY("--set", "dedupe.max_batches=0", "--set", "tombstones.max_per_scene=2");
    verify_fixture_expect(outcome, OK, "1 equal, 0 different (0 differences), 0 not judged");
}

static uint64_t commands_called(const char *name)
{
    const char *const command[] = {"INFO", "commandstats", NULL};
    const char *const line = strstr(world_redis_command(verify_world, command),
                                    text_of_format("cmdstat_%s:calls=", name));
    return line == NULL ? 0 : strtoull(strchr(line, '=') + 1, NULL, 10);
}

static void expect_no_group(void)
{
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers",
                                   kafka_broker_bootstrap(world_broker(verify_world)), NULL, 0),
                 RD_KAFKA_CONF_OK);
    rd_kafka_t *const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    cr_assert_not_null(client);
    const struct rd_kafka_group_list *groups = NULL;
    cr_assert_eq(rd_kafka_list_groups(client, NULL, &groups, WORLD_WAIT_MS), 0);
    for (int i = 0; i < groups->group_cnt; i++) {
        cr_expect_neq(strncmp(groups->groups[i].group, "scenesync-verify", 16), 0, "group %s",
                      groups->groups[i].group);
    }
    rd_kafka_group_list_destroy(groups);
    rd_kafka_destroy(client);
}

Test(verify, only_reads)
{
    static const char *const allowed[] = {
        "select", "scan", "multi", "exec", "hgetall", "info", "config|resetstat", "ping"};
    struct worker_process *const worker = play_story();
    stop(worker);
    REDIS("CONFIG", "RESETSTAT");
    expect_equal("3 equal");
    uint64_t called = 0;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        called += commands_called(allowed[i]);
    }
    const char *const command[] = {"INFO", "stats", NULL};
    const char *const stats =
        strstr(world_redis_command(verify_world, command), "total_commands_processed:");
    cr_assert_leq(strtoull(strchr(stats, ':') + 1, NULL, 10), called + 8, "others were called");
    cr_assert_gt(commands_called("hgetall"), 0);
    if (kafka_shared_address() != NULL) {
        expect_no_group(); /* the mock cannot tell */
    }
}

Test(verify, says_what_cannot_be_reached)
{
    verify_world = world_create(1, 0);
    const uint64_t begun_ms = monotonic_ms();
    const struct command_outcome kafka =
        VERIFY("--timeout", "1000", "--set", "kafka.bootstrap.servers=127.0.0.1:1");
    cr_assert_eq(kafka.exit_code, UNAVAILABLE);
    cr_assert_not_null(strstr(kafka.err, "127.0.0.1:1"), "%s", kafka.err);
    const struct command_outcome redis_away =
        VERIFY("--timeout", "1000", "--set", "redis.url=redis://127.0.0.1:1/0");
    cr_assert_eq(redis_away.exit_code, UNAVAILABLE);
    cr_assert_not_null(strstr(redis_away.err, "redis://127.0.0.1:1/0: cannot connect to Redis"),
                       "%s", redis_away.err);
    const struct command_outcome password = verify_fixture_run((struct command){
        .arguments = {"--timeout", "1000"}, .environment = {"SCENESYNC_REDIS_PASSWORD=wrong"}});
    cr_assert_eq(password.exit_code, UNAVAILABLE);
    cr_assert_not_null(strstr(password.err, "redis"), "%s", password.err);
    cr_assert_lt(monotonic_ms() - begun_ms, 20000u);
    verify_fixture_expect(VERIFY("--session", "no/slash"), USAGE, "");
    verify_fixture_expect(VERIFY("--memory", "0"), USAGE, "");
    const struct command_outcome help = VERIFY("--help");
    verify_fixture_expect(help, OK, "--session ID");
}

Test(verify, a_log_that_is_too_large_is_said)
{
    verify_world = world_create(1, 0);
    static char text[600 * 1024];
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 4; i++) {
        world_send(verify_world, 0,
                   message_of_format("{'session_id':'s1','operations':[{'op':'interaction',"
                                     "'timestamp':1,'event':'%s'}]}",
                                     text));
    }
    const struct command_outcome outcome = VERIFY("--memory", "1");
    cr_assert_eq(outcome.exit_code, INTERNAL, "%d: %s", outcome.exit_code, outcome.err);
    cr_assert_not_null(strstr(outcome.err, "--session"), "%s", outcome.err);
    const struct command_outcome other = VERIFY("--memory", "1", "--session", "s2");
    cr_assert_eq(other.exit_code, DIFFERENT, "no such scene: %s", other.err);
}

Test(verify, is_equal_again_after_a_replay_of_lost_writes)
{
    struct worker_process *const worker = play_story();
    stop(worker);
    REDIS("FLUSHALL");
    verify_fixture_expect(VERIFY("--timeout", "20000"), DIFFERENT, "scene s1: missing");
    world_start_worker(verify_world);
    verify_fixture_await_equal("3 scenes with 3 elements and 2 removed ones: 3 equal");
}
