/*
 * The strategy merge through a real worker: for a deployment and for a batch, with what the result
 * says, what stands in Redis, and what a worker that starts anew makes of it.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/command.h"
#include "tests/support/world.h"

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(merge, .fini = end, .timeout = 120);

/* An operation on element a: the rectangle's corner, with what more there is to change. */
static const char *op_change(const char *changes, uint64_t timestamp_ms)
{
    return text_of_format("{'op':'update','id':'a','timestamp':%llu,'changes':{%s}}",
                          (unsigned long long)timestamp_ms, changes);
}

static void send_alone(const char *client, const char *strategy, const char *batch_id,
                       const char *operation)
{
    world_send(world, 0, sent_batch_by(client, strategy, "s1", batch_id, operation));
    world_settle(world);
}

static void expect_merged(const char *batch_id, const char *applied, const char *kept)
{
    const struct sync_result result = world_result(world, batch_id);
    cr_assert(sync_result_is_success(&result) && result.final);
    cr_assert_eq(result.strategy, STRATEGY_MERGE);
    cr_assert_eq(result.conflict_entry_count, 1);
    const struct conflict_entry *const conflict = &result.conflicts[0];
    cr_assert_eq(conflict->reason, CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(conflict->resolution, RESOLUTION_MERGE);
    cr_assert(conflict->resolved);
    cr_assert(span_equal(conflict->applied, message_of(applied)), "not %s", applied);
    cr_assert(span_equal(conflict->kept, message_of(kept)), "not %s", kept);
}

static void expect_kept(const char *batch_id)
{
    const struct sync_result result = world_result(world, batch_id);
    cr_assert_eq(result.failed_count, 1);
    cr_assert_eq(result.failures[0].code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(result.conflicts[0].resolution, RESOLUTION_KEEP_LOCAL);
}

static void expect_corner(double x, double y)
{
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), x);
    cr_assert_eq(scene_view_transform(&scene, "a", "y"), y);
}

static void expect_clocks(const char *json)
{
    const struct scene_view scene = world_scene(world, "s1");
    const struct span clocks = scene_view_find(&scene, "a")->value.clocks;
    if (json == NULL) {
        cr_assert(span_is_absent(clocks));
    } else {
        cr_assert(span_equal(clocks, message_of(json)), "not %s", json);
    }
}

/* Runs a subcommand against the world's broker and store. */
static struct command_outcome run(const char *name, const char *argument, const char *option)
{
    const char *const settings[] = {
        text_of_format("kafka.bootstrap.servers=%s", kafka_broker_bootstrap(world_broker(world))),
        text_of_format("redis.url=%s", redis_server_url(world_redis(world))),
        text_of_format("topics.ops=%s", TOPIC_OPS),
        text_of_format("topics.results=%s", TOPIC_RESULTS),
        text_of_format("topics.retry_prefix=%s", TOPIC_RETRY_PREFIX),
    };
    struct command command = {.arguments = {name, argument, option}};
    size_t count = option != NULL ? 3 : 2;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        command.arguments[count++] = "--set";
        command.arguments[count++] = settings[i];
    }
    return command_run(world_directory(world), &command);
}

static void expect_said(struct command_outcome outcome, int exit_code, const char *text)
{
    cr_assert_eq(outcome.exit_code, exit_code, "exit %d\n%s%s", outcome.exit_code, outcome.out,
                 outcome.err);
    cr_assert_not_null(strstr(outcome.out, text), "\"%s\" is not in:\n%s", text, outcome.out);
}

/* Two clients move one rectangle while apart, each along one axis: both moves stay. */
Test(merge, a_deployment_under_merge_keeps_what_each_client_changed)
{
    world = world_create(1, 1);
    world_set(world, "conflict.strategy=merge");
    struct worker_process *const first = world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch("s1", "b2", op_move("a", 7, 3000)));
    world_send(
        world, 0,
        sent_batch("s1", "b3", op_change("'transform':{'x':9,'y':9},'tag':{'a/b':1}", 2000)));
    world_settle(world);
    expect_merged("b3", "['/transform/y','/tag/a~1b']", "['/transform/x']");
    expect_corner(7, 9);

    /* Nothing of this is in memory only. */
    worker_process_signal(first, SIGTERM);
    cr_assert_eq(worker_process_await_exit(first, WORLD_WAIT_MS), 0);
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b4", op_change("'transform':{'x':5,'y':5}", 1999)));
    world_send(world, 0, sent_batch("s1", "b5", op_change("'transform':{'x':4,'y':4}", 2500)));
    world_send(world, 0, sent_batch("s1", "b6", op_remove("a", 999)));
    world_settle(world);
    expect_kept("b4");
    expect_merged("b5", "['/transform/y']", "['/transform/x']");
    expect_kept("b6");
    expect_corner(7, 4);
    expect_said(run("scene", "s1", "--clocks"), 0, "\"/transform/y\": 2500");
    expect_said(run("verify", "--timeout", "20000"), 0, "1 equal, 0 different");
}

/* One client's batches are merged, others' are not, in one scene. */
Test(merge, a_batch_may_ask_for_it)
{
    world = world_create(1, 1);
    world_start_worker(world);
    send_alone("ann", "last_write_wins", "b1", op_add("a", 1, 1000));
    send_alone("ann", "last_write_wins", "b2", op_move("a", 2, 2000));
    expect_clocks(NULL);
    /* Without clocks all of it counts as written at 2000. */
    send_alone("bob", "merge", "b3", op_change("'transform':{'y':9}", 1500));
    expect_kept("b3");
    send_alone("bob", "merge", "b4", op_change("'transform':{'y':3}", 3000));
    expect_clocks("{'':2000,'*':2000,'/transform/y':3000}");
    send_alone("ann", "last_write_wins", "b5", op_move("a", 5, 4000));
    expect_clocks("{'':2000,'*':2000,'/transform/x':4000,'/transform/y':3000}");
    send_alone("bob", "merge", "b6", op_change("'transform':{'x':6,'y':6}", 3500));
    expect_merged("b6", "['/transform/y']", "['/transform/x']");
    expect_corner(5, 6);
    expect_said(run("verify", "--timeout", "20000"), 0, "1 equal, 0 different");
}

/* A resend gets the result that the batch had, its lists and all, and changes nothing. */
Test(merge, a_resend_gets_the_same_lists)
{
    world = world_create(1, 1);
    world_set(world, "conflict.strategy=merge");
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch("s1", "b2", op_move("a", 7, 3000)));
    const struct span batch = sent_batch("s1", "b3", op_change("'transform':{'x':9,'y':9}", 2000));
    world_send(world, 0, batch);
    world_settle(world);
    world_send(world, 0, batch);
    world_settle(world);
    const struct result_list results = world_results(world, "b3");
    cr_assert_eq(results.count, 2);
    cr_assert(span_equal(results.records[0]->value, results.records[1]->value));
    cr_assert(span_equal(results.items[1].conflicts[0].applied, message_of("['/transform/y']")));
}

/* verify names a clock that was tampered with. */
Test(merge, verify_compares_clocks)
{
    world = world_create(1, 1);
    world_set(world, "conflict.strategy=merge");
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_settle(world);
    expect_said(run("verify", "--timeout", "20000"), 0, "1 equal, 0 different");
    const struct scene_view scene = world_scene(world, "s1");
    const struct element_view *const element = scene_view_find(&scene, "a");
    static const char hex[] = "0123456789abcdef";
    static char value[4000];
    size_t size = 0;
    for (size_t i = 0; i < element->value.document.size; i++) {
        value[size++] = hex[element->value.document.data[i] >> 4];
        value[size++] = hex[element->value.document.data[i] & 15];
        cr_assert_lt(size, sizeof(value) - 2);
    }
    const struct span tampered =
        message_of_format("[1,1000,'hex:%.*s',{'':1000,'/transform/x':5}]", (int)size, value);
    static char script[9000];
    size_t at = (size_t)snprintf(script, sizeof(script), "return redis.call('HSET',KEYS[1],'a','");
    for (size_t i = 0; i < tampered.size; i++) {
        at += (size_t)snprintf(script + at, sizeof(script) - at, "\\%u", tampered.data[i]);
    }
    (void)snprintf(script + at, sizeof(script) - at, "')");
    (void)world_redis_command(
        world, (const char *const[]){"EVAL", script, "1", "scene:{s1}:elements", NULL});
    expect_said(run("verify", "--timeout", "20000"), 1, "clocks is {\"\":1000,\"/transform/x\":5}");
}
