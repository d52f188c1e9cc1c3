/*
 * `scenesync verify`: equal where it should be, every tampering named, and nothing written.
 */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/support/child_process.h"
#include "tests/support/command.h"
#include "tests/support/world.h"

enum { OK = 0, DIFFERENT = 1, USAGE = 64, UNAVAILABLE = 69, INTERNAL = 70 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(verify, .fini = end, .timeout = 180);

/* Runs it against the world's broker and store; options that are given win. */
static struct command_outcome verify(struct command command)
{
    const char *const settings[] = {
        text_of_format("kafka.bootstrap.servers=%s", kafka_broker_bootstrap(world_broker(world))),
        text_of_format("redis.url=%s", redis_server_url(world_redis(world))),
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
    return command_run(world_directory(world), &whole);
}

#define VERIFY(...) verify((struct command){.arguments = {__VA_ARGS__}})

static void expect(struct command_outcome outcome, int exit_code, const char *out)
{
    cr_assert_eq(outcome.exit_code, exit_code, "exit %d\n%s%s", outcome.exit_code, outcome.out,
                 outcome.err);
    cr_assert_not_null(strstr(outcome.out, out), "\"%s\" is not in:\n%s", out, outcome.out);
}

static void expect_equal(const char *summary)
{
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    expect(outcome, OK, summary);
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
    world_send(world, 0, sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_add("b", 2, 1000))));
    world_send(world, 0,
               sent_batch("s1", "b2", ops(op_move("a", 5, 900), op_move("late", 7, 2000))));
    world_send(world, 0, sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_add("b", 2, 1000))));
    world_send(world, 0, sent_batch("s1", "b2", op_add("c", 3, 1000)));
    world_send(world, 1, sent_batch("s1", "b3", ops(op_remove("b", 3000), op_remove("b", 3100))));
    world_send(world, 0, message_of("{'session_id':'s1','operations':7}"));
    world_send(world, 0,
               sent_batch("s2", NULL, ops(op_add("x", 1, 1000), op_remove("ghost", 5000))));
    world_send(world, 0, sent_batch_by("ann", "remote_wins", "s2", "r", op_move("x", 9, 10)));
    world_send(world, 0, sent_batch_by("ann", "local_wins", "s2", "l", op_add("x", 10, 9000)));
    world_send(world, 1, sent_batch("s3", "n", op_move("never", 1, 1000)));
}

/* `late` comes while its move waits for a retry. */
static struct worker_process *play_story(void)
{
    world = world_create(2, 2);
    world_set(world, "retry.initial_delay_ms=1500");
    send_story();
    struct worker_process *const worker = world_start_worker(world);
    (void)world_await_results(world, "b2", 1);
    world_send(world, 0, sent_batch("s1", "b4", op_add("late", 4, 500)));
    world_settle(world);
    return worker;
}

Test(verify, finds_nothing_where_nothing_is_wrong)
{
    struct worker_process *const worker = play_story();
    expect_equal("3 scenes with 5 elements: 3 equal, 0 different (0 differences), 0 not judged");
    stop(worker);
    expect_equal("3 equal");
    const struct command_outcome one = VERIFY("--session", "s2");
    expect(one, OK, "1 scenes with 2 elements: 1 equal");
    const struct command_outcome json = VERIFY("--json");
    expect(json, OK, "\"scenes_equal\":3");
    cr_assert_eq(json.err[0], '\0', "no bar where there is no terminal: %s", json.err);
}

static void redis(const char *const *arguments)
{
    (void)world_redis_command(world, arguments);
}

#define REDIS(...) redis((const char *const[]){__VA_ARGS__, NULL})

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
    expect(outcome, DIFFERENT,
           "scene s1, element a: different: /id is not there, the log makes it \"a\"; /kind is not "
           "there, the log makes it {");
    expect(outcome, DIFFERENT, "timestamp is 2, the log makes it 1000");
    expect(outcome, DIFFERENT,
           "scene s1, element b: different: it is {}, the log makes it removed; ");
    expect(outcome, DIFFERENT,
           "scene s1, element foreign: unexpected, nothing in the log explains "
           "it: {\"k\":1}\n");
    expect(outcome, DIFFERENT,
           "scene s1, element late: missing: the log makes it {\"id\":\"late\"");
    expect(outcome, DIFFERENT,
           "scene s1, element rubbish: unreadable: the stored value is neither "
           "[version, timestamp, element] nor a map");
    expect(outcome, DIFFERENT,
           "scene s2: different: element_count is 7, the log makes it 1; "
           "version is 9, the log makes it 3");
    expect(outcome, DIFFERENT,
           "3 scenes with 7 elements: 1 equal, 2 different (6 differences), 0 "
           "not judged");
    const struct command_outcome other = VERIFY("--session", "s3");
    expect(other, OK, "1 scenes with 0 elements: 1 equal");
    const struct command_outcome json = VERIFY("--session", "s2", "--json");
    expect(json, DIFFERENT,
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
    expect(outcome, DIFFERENT, "scene s1: missing: the log makes element_count 2");
    expect(outcome, DIFFERENT,
           "scene other: unexpected, nothing in the log explains it: "
           "element_count is 1\n");
    expect(outcome, DIFFERENT, "scene s3: unreadable: WRONGTYPE");
    expect(outcome, DIFFERENT, "4 scenes with 2 elements: 1 equal, 3 different (3 differences)");
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
        world_send(world, 0, sent_batch("s1", NULL, op_move("a", i, 10000)));
        world_send(world, 1, sent_batch("s4", NULL, op_add("z", i, 10000)));
    }
    expect_equal("3 scenes with 5 elements: 3 equal");
    world_start_worker(world);
    world_settle(world);
    expect_equal("4 scenes with 6 elements: 4 equal");
}

/* The store as it was earlier: what was answered since is lost, and its position tells. */
Test(verify, lost_writes_are_named)
{
    world = world_create(1, 0);
    struct worker_process *const worker = world_start_worker(world);
    world_send(world, 0, sent_batch("s1", NULL, op_add("a", 1, 1000)));
    world_settle(world);
    REDIS("COPY", "scene:{s1}", "old:meta");
    REDIS("COPY", "scene:{s1}:elements", "old:elements");
    world_send(world, 0, sent_batch("s1", NULL, ops(op_move("a", 2, 2000), op_add("b", 1, 1000))));
    world_settle(world);
    stop(worker);
    REDIS("COPY", "old:meta", "scene:{s1}", "REPLACE");
    REDIS("COPY", "old:elements", "scene:{s1}:elements", "REPLACE");
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    expect(outcome, DIFFERENT,
           text_of_format("scene s1: writes were lost: at:%s/0 is 0, answered was up to 1\n",
                          TOPIC_OPS));
    expect(outcome, DIFFERENT,
           "scene s1, element a: different: /transform/x is 1, the log makes it "
           "2;");
    expect(outcome, DIFFERENT, "scene s1, element b: missing");
    expect(outcome, DIFFERENT, "1 different (3 differences)");
}

/* What nothing but the results tells: a forgotten resend was applied again, and tombstones are
 * dropped by later commits. */
Test(verify, what_the_store_forgets_is_no_difference)
{
    world = world_create(1, 1);
    world_set(world, "dedupe.max_batches=0");
    world_set(world, "tombstones.max_per_scene=2");
    world_start_worker(world);
    const struct span batch = sent_batch("s1", "again", op_add("a", 1, 1000));
    for (int i = 0; i < 8; i++) {
        world_send(world, 0, batch);
        world_send(world, 0,
                   sent_batch("s1", NULL,
                              ops(op_add(text_of_format("e%d", i), i, 1000),
                                  op_remove(text_of_format("e%d", i), 2000))));
        world_settle(world);
    }
    world_send(world, 0, sent_batch("s1", NULL, op_move("a", 2, 2000)));
    world_send(world, 0, batch);
    world_settle(world);
    const struct command_outcome outcome =
        VERIFY("--set", "dedupe.max_batches=0", "--set", "tombstones.max_per_scene=2");
    expect(outcome, OK, "1 equal, 0 different (0 differences), 0 not judged");
}

static uint64_t commands_called(const char *name)
{
    const char *const command[] = {"INFO", "commandstats", NULL};
    const char *const line =
        strstr(world_redis_command(world, command), text_of_format("cmdstat_%s:calls=", name));
    return line == NULL ? 0 : strtoull(strchr(line, '=') + 1, NULL, 10);
}

static void expect_no_group(void)
{
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers",
                                   kafka_broker_bootstrap(world_broker(world)), NULL, 0),
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
        strstr(world_redis_command(world, command), "total_commands_processed:");
    cr_assert_leq(strtoull(strchr(stats, ':') + 1, NULL, 10), called + 8, "others were called");
    cr_assert_gt(commands_called("hgetall"), 0);
    if (kafka_shared_address() != NULL) {
        expect_no_group(); /* the mock cannot tell */
    }
}

Test(verify, says_what_cannot_be_reached)
{
    world = world_create(1, 0);
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
    const struct command_outcome password = verify((struct command){
        .arguments = {"--timeout", "1000"}, .environment = {"SCENESYNC_REDIS_PASSWORD=wrong"}});
    cr_assert_eq(password.exit_code, UNAVAILABLE);
    cr_assert_not_null(strstr(password.err, "redis"), "%s", password.err);
    cr_assert_lt(monotonic_ms() - begun_ms, 20000u);
    expect(VERIFY("--session", "no/slash"), USAGE, "");
    expect(VERIFY("--memory", "0"), USAGE, "");
    const struct command_outcome help = VERIFY("--help");
    expect(help, OK, "--session ID");
}

Test(verify, a_log_that_is_too_large_is_said)
{
    world = world_create(1, 0);
    static char text[600 * 1024];
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 4; i++) {
        world_send(world, 0,
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

/* ---- At random ---- */

enum { RANDOM_SCENES = 5, RANDOM_IDS = 6, RANDOM_BATCHES = 300, RANDOM_PARTITIONS = 3 };

static uint64_t random_state;

static uint64_t test_seed(void)
{
    const char *const seed = getenv("SCENESYNC_TEST_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : 20240611;
}

static uint32_t below(uint32_t count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % count);
}

static const char *random_operation(void)
{
    const char *const id = text_of_format("e%u", below(RANDOM_IDS));
    const uint64_t time_ms = 1000 + below(50);
    switch (below(8)) {
    case 0:
    case 1:
        return op_add(id, (int)below(100), time_ms);
    case 2:
        return op_remove(id, time_ms);
    case 3:
        return text_of_format("{'op':'update','id':'%s','changes':{'tag':%u},'timestamp':%llu,"
                              "'base_version':%u}",
                              id, below(100), (unsigned long long)time_ms, below(60));
    case 4:
        return "{'op':'interaction','timestamp':5}";
    default:
        return op_move(id, (int)below(100), time_ms);
    }
}

/* Mostly to the scene's partition, now and then to another; some are sent twice. */
static void send_random_batch(int number)
{
    static const char *const strategies[] = {"last_write_wins", "local_wins", "remote_wins"};
    const uint32_t scene = below(RANDOM_SCENES);
    const uint32_t stray = below(10) == 0 ? below(RANDOM_PARTITIONS) : 0;
    const struct span batch = sent_batch_by(
        "ann", strategies[below(3)], text_of_format("s%u", scene), text_of_format("b%d", number),
        text_of_format("%s,%s,%s", random_operation(), random_operation(), random_operation()));
    const int32_t partition = (int32_t)((scene + stray) % RANDOM_PARTITIONS);
    world_send(world, partition, batch);
    if (below(15) == 0) {
        world_send(world, (partition + (int32_t)below(2)) % RANDOM_PARTITIONS, batch);
    }
}

/* Two workers, retries in three tiers, and verify beside them all the while. */
static void play_at_random(void)
{
    const uint64_t seed = test_seed();
    random_state = seed;
    world = world_create(RANDOM_PARTITIONS, 3);
    world_set(world, "retry.initial_delay_ms=40");
    world_set(world, "dedupe.max_batches=4");
    world_start_worker(world);
    world_start_worker(world);
    for (int i = 0; i < RANDOM_BATCHES; i++) {
        send_random_batch(i);
        if (i % 100 == 50) {
            const struct command_outcome live = VERIFY("--set", "dedupe.max_batches=4");
            cr_assert_eq(live.exit_code, OK, "live, seed %llu:\n%s%s", (unsigned long long)seed,
                         live.out, live.err);
        }
    }
    world_settle(world);
    const struct command_outcome last = VERIFY("--set", "dedupe.max_batches=4");
    cr_assert_eq(last.exit_code, OK, "seed %llu:\n%s%s", (unsigned long long)seed, last.out,
                 last.err);
    expect(last, OK, "5 equal, 0 different (0 differences), 0 not judged");
    cr_assert_eq(line_count(last.out), 1, "%s%s", last.out, last.err);
    /* Without the results less can be judged, but nothing that is right becomes wrong. */
    const struct command_outcome blind =
        VERIFY("--set", "dedupe.max_batches=4", "--set", "topics.results=no.such.topic");
    expect(blind, OK, "0 different");
}

Test(verify, rebuilds_what_two_workers_did_at_random)
{
    play_at_random();
}

/* ---- A log that does not reach back ---- */

enum { FILLER_BYTES = 900 * 1024, FILLER_COUNT = 7 };

static void delete_records(int64_t before_offset)
{
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers",
                                   kafka_broker_bootstrap(world_broker(world)), NULL, 0),
                 RD_KAFKA_CONF_OK);
    rd_kafka_t *const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    cr_assert_not_null(client);
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, TOPIC_OPS, 0)->offset = before_offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *const queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
    rd_kafka_event_t *const event = rd_kafka_queue_poll(queue, WORLD_WAIT_MS);
    cr_assert_not_null(event);
    cr_assert_eq(rd_kafka_event_error(event), 0, "%s", rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

/* Cuts off all that the ops topic has: a real broker deletes it, the mock forgets what is beyond 5
 * MiB. */
static void cut_log(void)
{
    static uint8_t filler[FILLER_BYTES];
    memset(filler, 0xC1, sizeof(filler));
    int64_t offset = -1;
    for (int i = 0; i < FILLER_COUNT; i++) {
        offset = kafka_broker_produce(world_broker(world), TOPIC_OPS, 0, span_of_text("filler"),
                                      span_make(filler, sizeof(filler)), NULL, 0);
    }
    if (kafka_shared_address() != NULL) {
        delete_records(offset);
    }
    world_settle(world);
}

/* Of a and x only the log's lost beginning tells; b is replaced later, c comes later, s3 begins
 * later. */
static void play_cut_story(void)
{
    world = world_create(1, 0);
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", NULL, ops(op_add("a", 1, 1000), op_add("b", 2, 1000))));
    world_send(world, 0, sent_batch("s2", NULL, op_add("x", 1, 1000)));
    world_settle(world);
    cut_log();
    world_send(world, 0, sent_batch("s1", NULL, ops(op_move("a", 3, 2000), op_add("b", 4, 2000))));
    world_send(world, 0, sent_batch("s1", NULL, ops(op_add("c", 5, 1000), op_move("b", 6, 3000))));
    world_send(world, 0, sent_batch("s3", NULL, ops(op_add("y", 1, 1000), op_remove("y", 2000))));
    world_settle(world);
}

Test(verify, what_the_log_has_lost_is_not_judged_and_said)
{
    play_cut_story();
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    expect(outcome, OK,
           "3 scenes with 5 elements: 1 equal, 0 different (0 differences), 2 not judged");
    expect(outcome, OK, "not judged: 2 elements;");
    expect(VERIFY("--session", "s3"), OK, "1 equal");

    REDIS("HSET", "scene:{s1}:elements", "a", "\x93\x01\x02\x80");
    expect(VERIFY("--timeout", "20000"), OK, "2 not judged");
    REDIS("HSET", "scene:{s1}:elements", "b", "\x93\x01\x02\x80");
    REDIS("HDEL", "scene:{s1}:elements", "c");
    REDIS("HDEL", "scene:{s3}:elements", "y");
    const struct command_outcome tampered = VERIFY("--timeout", "20000");
    expect(tampered, DIFFERENT, "scene s1, element b: different: /id is not there");
    expect(tampered, DIFFERENT,
           "; timestamp is 2, the log makes it 3000; version is 1, the log "
           "makes it 3\n");
    expect(tampered, DIFFERENT, "scene s1, element c: missing: ");
    expect(tampered, DIFFERENT, "scene s3, element y: missing: the log makes it removed\n");
    expect(tampered, DIFFERENT, "2 different (3 differences), 1 not judged");
}

/* ---- Lost writes and their replay ---- */

static void await_equal(const char *summary)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    struct command_outcome outcome = VERIFY("--set", "dedupe.max_batches=4");
    while (outcome.exit_code != OK || strstr(outcome.out, summary) == NULL) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "%s%s", outcome.out, outcome.err);
        sleep_ms(500);
        outcome = VERIFY("--set", "dedupe.max_batches=4");
    }
}

Test(verify, is_equal_again_after_a_replay_of_lost_writes)
{
    struct worker_process *const worker = play_story();
    stop(worker);
    REDIS("FLUSHALL");
    expect(VERIFY("--timeout", "20000"), DIFFERENT, "scene s1: missing");
    world_start_worker(world);
    await_equal("3 scenes with 5 elements: 3 equal");
}

/* Under load workers are killed and the store is emptied, twice each. What was done before, by
 * retries that came in another order, has results that later ones take the place of. */
Test(verify, is_equal_again_after_losses_at_random)
{
    enum { PART = RANDOM_BATCHES / 5 };
    random_state = test_seed();
    world = world_create(RANDOM_PARTITIONS, 3);
    world_set(world, "retry.initial_delay_ms=40");
    world_set(world, "dedupe.max_batches=4");
    struct worker_process *victim = world_start_worker(world);
    world_start_worker(world);
    for (int i = 0; i < RANDOM_BATCHES; i++) {
        send_random_batch(i);
        if (i == PART || i == 3 * PART) {
            worker_process_signal(victim, SIGKILL);
            (void)worker_process_await_exit(victim, WORLD_WAIT_MS);
            victim = world_start_worker(world);
        }
        if (i == 2 * PART || i == 4 * PART) {
            REDIS("FLUSHALL");
        }
    }
    world_settle(world);
    await_equal("5 equal");
}
