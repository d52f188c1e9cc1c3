#include "tests/support/world.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/batch.h"
#include "tests/support/child_process.h"
#include "tests/support/kafka_lag.h"
#include "tests/support/temp_dir.h"

enum {
    WORKERS_MAX = 8,
    SETTINGS_MAX = 40,
    READS_MAX = 20000,
    PATH_BYTES_MAX = 320,
    POLL_MS = 50,
    ARENA_BYTES_MAX = 512 << 20
};

/* What a topic held when it was read; kept because views of it are handed out. */
struct reading {
    struct kafka_record *records;
    size_t count;
};

struct world {
    struct temp_dir directory;
    struct kafka_broker *broker;
    struct redis_server *redis;
    struct kafka_lag *lag;
    int partition_count;
    uint32_t tier_count;
    const char *settings[SETTINGS_MAX + 1];
    size_t setting_count;
    struct worker_process *workers[WORKERS_MAX];
    size_t worker_count;
    struct reading *readings;
    size_t reading_count;
    struct arena arena;
};

static const char *topic_of_tier(uint32_t tier)
{
    return tier == 0 ? TOPIC_OPS : text_of_format("%s%u", TOPIC_RETRY_PREFIX, (unsigned)tier);
}

static void create_topics(struct world *world)
{
    kafka_broker_create_stamped_topic(world->broker, TOPIC_OPS, world->partition_count);
    for (uint32_t tier = 1; tier <= world->tier_count; tier++) {
        kafka_broker_create_topic(world->broker, topic_of_tier(tier), world->partition_count);
    }
    kafka_broker_create_topic(world->broker, TOPIC_RESULTS, world->partition_count);
    kafka_broker_create_topic(world->broker, TOPIC_DEAD, world->partition_count);
}

/* The mock broker gives a group that is new its first members after 3 s, whatever is set; the rest
 * is as quick as it can be. */
static void set_defaults(struct world *world)
{
    world_set(world, "topics.ops=%s", TOPIC_OPS);
    world_set(world, "topics.results=%s", TOPIC_RESULTS);
    world_set(world, "topics.dead_letter=%s", TOPIC_DEAD);
    world_set(world, "topics.retry_prefix=%s", TOPIC_RETRY_PREFIX);
    world_set(world, "kafka.session.timeout.ms=6000");
    world_set(world, "kafka.heartbeat.interval.ms=200");
    world_set(world, "kafka.topic.metadata.refresh.interval.ms=1000");
    world_set(world, "kafka.reconnect.backoff.max.ms=500");
    world_set(world, "http.listen=off");
    world_set(world, "retry.max_retries=%u", (unsigned)world->tier_count);
}

struct world *world_create_on(struct kafka_broker *broker, int partition_count, uint32_t tier_count,
                              const char *const *redis_arguments)
{
    struct world *const world = calloc(1, sizeof(*world));
    cr_assert_not_null(world);
    arena_init(&world->arena, ARENA_BYTES_MAX);
    world->readings = calloc(READS_MAX, sizeof(*world->readings));
    cr_assert_not_null(world->readings);
    temp_dir_create(&world->directory);
    world->redis = redis_server_start_with(redis_arguments);
    world->broker = broker;
    world->partition_count = partition_count;
    world->tier_count = tier_count;
    create_topics(world);
    set_defaults(world);
    world_set_group(world, GROUP);
    return world;
}

struct world *world_create_with(int partition_count, uint32_t tier_count,
                                const char *const *redis_arguments)
{
    return world_create_on(kafka_broker_start(), partition_count, tier_count, redis_arguments);
}

struct world *world_create(int partition_count, uint32_t tier_count)
{
    return world_create_with(partition_count, tier_count, NULL);
}

/* Workers end as they would in service: only so do their sanitizers have the last word. */
static void end_workers(struct world *world)
{
    for (size_t i = 0; i < world->worker_count; i++) {
        if (worker_process_is_running(world->workers[i])) {
            worker_process_signal(world->workers[i], SIGTERM);
        }
    }
    for (size_t i = 0; i < world->worker_count; i++) {
        struct worker_process *const worker = world->workers[i];
        if (worker_process_is_running(worker) &&
            worker_process_await_exit(worker, WORLD_WAIT_MS) != 0) {
            worker_process_show_log(worker);
            cr_expect_fail("worker %zu did not end well", i + 1);
        }
        worker_process_destroy(worker);
    }
}

void world_destroy(struct world *world)
{
    if (world == NULL) {
        return;
    }
    end_workers(world);
    for (size_t i = 0; i < world->reading_count; i++) {
        kafka_records_free(world->readings[i].records, world->readings[i].count);
    }
    free(world->readings);
    kafka_lag_destroy(world->lag);
    kafka_broker_stop(world->broker);
    redis_server_stop(world->redis);
    temp_dir_release(&world->directory);
    arena_deinit(&world->arena);
    free(world);
}

struct kafka_broker *world_broker(struct world *world)
{
    return world->broker;
}

struct redis_server *world_redis(struct world *world)
{
    return world->redis;
}

const char *world_directory(const struct world *world)
{
    return world->directory.path;
}

void world_set(struct world *world, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    cr_assert(size > 0 && (size_t)size < sizeof(text));
    cr_assert_lt(world->setting_count, (size_t)SETTINGS_MAX);
    world->settings[world->setting_count++] = text_of_format("%s", text);
}

void world_set_group(struct world *world, const char *group)
{
    if (world->lag != NULL) {
        kafka_lag_destroy(world->lag);
    }
    world->lag = kafka_lag_create(kafka_broker_bootstrap(world->broker), group);
    for (uint32_t tier = 0; tier <= world->tier_count; tier++) {
        kafka_lag_add_topic(world->lag, topic_of_tier(tier), world->partition_count);
    }
    world_set(world, "kafka.group.id=%s", group);
}

struct worker_process *world_start_worker(struct world *world)
{
    cr_assert_lt(world->worker_count, (size_t)WORKERS_MAX);
    /* These two by the environment, the rest by --set: both ways must work. */
    const char *const environment[] = {
        text_of_format("SCENESYNC_KAFKA_BOOTSTRAP_SERVERS=%s",
                       kafka_broker_bootstrap(world->broker)),
        text_of_format("SCENESYNC_REDIS_URL=%s", redis_server_url(world->redis)), NULL};
    char log_path[PATH_BYTES_MAX];
    (void)snprintf(log_path, sizeof(log_path), "%s/worker-%zu.log", world->directory.path,
                   world->worker_count + 1);
    struct worker_process *const worker =
        worker_process_start(log_path, world->settings, environment);
    world->workers[world->worker_count++] = worker;
    return worker;
}

void world_show_logs(struct world *world)
{
    for (size_t i = 0; i < world->worker_count; i++) {
        worker_process_show_log(world->workers[i]);
    }
}

/* One look at a condition that a wait is about. */
typedef bool (*world_condition)(struct world *world, void *context);

static void await(struct world *world, world_condition is_met, void *context, const char *what)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (!is_met(world, context)) {
        if (monotonic_ms() >= deadline_ms) {
            world_show_logs(world);
            kafka_lag_show(world->lag, stderr);
            cr_assert_fail("not within %d ms: %s", WORLD_WAIT_MS, what);
        }
        sleep_ms(POLL_MS);
    }
}

static bool is_assigned(struct world *world, void *context)
{
    (void)context;
    size_t held = 0;
    for (size_t i = 0; i < world->worker_count; i++) {
        if (worker_process_is_running(world->workers[i])) {
            const size_t share = worker_process_assigned(world->workers[i]);
            if (share == 0) {
                return false;
            }
            held += share;
        }
    }
    return held == (size_t)world->partition_count * (world->tier_count + 1);
}

void world_await_assignment(struct world *world)
{
    await(world, is_assigned, NULL, "all partitions are assigned");
}

int64_t world_send(struct world *world, int32_t partition, struct span message)
{
    const struct span key = wire_peek(wire_map_find(message, "session_id")).body;
    return kafka_broker_produce(world->broker, TOPIC_OPS, partition, key, message, NULL, 0);
}

static bool is_settled(struct world *world, void *context)
{
    (void)context;
    return kafka_lag_records(world->lag) == 0;
}

void world_settle(struct world *world)
{
    await(world, is_settled, NULL, "the group has worked off all topics");
}

struct record_list world_records(struct world *world, const char *topic)
{
    cr_assert_lt(world->reading_count, (size_t)READS_MAX);
    struct reading *const reading = &world->readings[world->reading_count++];
    reading->records = kafka_broker_read(world->broker, topic, &reading->count);
    return (struct record_list){.items = reading->records, .count = reading->count};
}

struct awaited {
    const char *topic, *batch_id;
    size_t count;
    struct record_list records;
    struct result_list results;
};

static bool has_records(struct world *world, void *context)
{
    struct awaited *const awaited = context;
    awaited->records = world_records(world, awaited->topic);
    return awaited->records.count >= awaited->count;
}

struct record_list world_await_records(struct world *world, const char *topic, size_t count)
{
    struct awaited awaited = {.topic = topic, .count = count};
    await(world, has_records, &awaited, text_of_format("%zu records on %s", count, topic));
    return awaited.records;
}

struct result_list world_results(struct world *world, const char *batch_id)
{
    const struct record_list records = world_records(world, TOPIC_RESULTS);
    struct result_list list = {
        .items = arena_alloc_array(&world->arena, records.count, sizeof(*list.items)),
        .records =
            arena_alloc_array(&world->arena, records.count, sizeof(const struct kafka_record *)),
    };
    cr_assert(list.items != NULL && list.records != NULL);
    for (size_t i = 0; i < records.count; i++) {
        struct error error;
        struct sync_result *const result = &list.items[list.count];
        cr_assert(wire_check_structure(records.items[i].value, &(struct wire_structure){0}, &error),
                  "%s", error.message);
        cr_assert(sync_result_decode(records.items[i].value, &world->arena, result, &error), "%s",
                  error.message);
        if (batch_id == NULL || span_equal_text(result->batch_id, batch_id)) {
            list.records[list.count++] = &records.items[i];
        }
    }
    return list;
}

static bool has_results(struct world *world, void *context)
{
    struct awaited *const awaited = context;
    awaited->results = world_results(world, awaited->batch_id);
    return awaited->results.count >= awaited->count;
}

struct result_list world_await_results(struct world *world, const char *batch_id, size_t count)
{
    struct awaited awaited = {.batch_id = batch_id, .count = count};
    await(world, has_results, &awaited,
          text_of_format("%zu results of %s", count, batch_id != NULL ? batch_id : "all batches"));
    return awaited.results;
}

struct sync_result world_result(struct world *world, const char *batch_id)
{
    const struct result_list results = world_results(world, batch_id);
    cr_assert_eq(results.count, 1, "%zu results of %s", results.count, batch_id);
    return results.items[0];
}

struct batch world_batch(struct world *world, struct span value, bool from_retry_topic)
{
    const struct limits limits = limits_default();
    const struct batch_context context = {
        .limits = &limits, .allow_batch_strategy = true, .from_retry_topic = from_retry_topic};
    struct batch batch;
    struct error error;
    cr_assert(batch_decode(value, &context, &world->arena, &batch, &error), "%s", error.message);
    return batch;
}

struct scene_view world_scene(struct world *world, const char *session_id)
{
    return scene_view_read(world->redis, session_id, &world->arena);
}

const char *world_redis_command(struct world *world, const char *const *arguments)
{
    redisReply *const reply = redis_server_query(world->redis, arguments);
    cr_assert_neq(reply->type, REDIS_REPLY_ERROR, "%s: %s", arguments[0], reply->str);
    const char *const text = reply->type == REDIS_REPLY_INTEGER
                                 ? text_of_format("%lld", reply->integer)
                                 : text_of_format("%s", reply->str != NULL ? reply->str : "");
    freeReplyObject(reply);
    return text;
}

const char *world_header(const struct kafka_record *record, const char *name)
{
    const struct span value = kafka_record_header(record, name);
    return span_is_absent(value) ? "" : text_of_format("%.*s", SPAN_ARGS(value));
}
