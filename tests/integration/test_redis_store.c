/* The Redis store beyond the shared contract: its one connection, its replies in order, what it
 * leaves in Redis. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/support/child_process.h"
#include "tests/support/fake_redis.h"
#include "tests/support/redis_store_fixture.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_requests.h"
#include "tests/support/store_watch.h"

enum { ARENA_BYTES_MAX = 256 << 20, LARGE_BYTES = 200 * 1000, LARGE_COMMITS = 100 };

/** A scene that the store sees on a real server. */
struct scene {
    struct redis_server *server;
    struct store *store;
    struct arena arena;
};

static struct scene open_scene(const struct store_retention *retention)
{
    struct scene scene = {.server = redis_server_start()};
    scene.store = redis_fixture_create_store(scene.server, retention);
    arena_init(&scene.arena, ARENA_BYTES_MAX);
    await_ready(scene.store);
    return scene;
}

static void close_scene(struct scene *scene)
{
    store_destroy(scene->store);
    arena_deinit(&scene->arena);
    redis_server_stop(scene->server);
}

static long long query_integer(struct redis_server *server, const char *command, const char *key)
{
    redisReply *const reply = redis_server_query(server, (const char *const[]){command, key, NULL});
    cr_assert_eq(reply->type, REDIS_REPLY_INTEGER);
    const long long integer = reply->integer;
    freeReplyObject(reply);
    return integer;
}

static void commit_one_record(struct scene *scene, uint64_t version)
{
    char field[16];
    (void)snprintf(field, sizeof(field), "b%d", (int)version);
    const struct record_write record = record_of(&scene->arena, field, 1, 1, false);
    struct scene_commit commit = commit_to("s", version, &scene->arena);
    commit.records = &record;
    commit.record_count = 1;
    cr_assert_eq(run_commit(scene->store, &commit), STORE_DONE, "%s", commit.error.message);
}

Test(redis_store, leaves_nothing_behind_but_what_it_is_told)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    redisReply *const reply =
        redis_server_query(scene.server, (const char *const[]){"KEYS", "*", NULL});
    cr_assert_eq(reply->elements, 0);
    freeReplyObject(reply);
    close_scene(&scene);
}

Test(redis_store, records_expire_together_after_the_window)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = 1;
    retention.dedupe_window_ms = 7200000;
    struct scene scene = open_scene(&retention);
    commit_one_record(&scene, 1);
    REDIS_RUN(scene.server, "PEXPIRE", "scene:{s}:batches", "1000");
    commit_one_record(&scene, 2); /* the first one is of the old generation now */
    const long long new_ms = query_integer(scene.server, "PTTL", "scene:{s}:batches");
    const long long old_ms = query_integer(scene.server, "PTTL", "scene:{s}:batches.old");
    /* A sixteenth more: it is not set with every commit. */
    cr_assert(new_ms > 7640000 && new_ms <= 7650000, "%lld", new_ms);
    cr_assert(old_ms > 7640000 && old_ms <= 7650000, "%lld", old_ms);
    cr_assert_eq(query_integer(scene.server, "PTTL", "scene:{s}"), -1);
    close_scene(&scene);
}

Test(redis_store, records_stay_for_an_hour_whatever_the_window)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_window_ms = 0;
    struct scene scene = open_scene(&retention);
    commit_one_record(&scene, 1);
    const long long ttl_ms = query_integer(scene.server, "PTTL", "scene:{s}:batches");
    cr_assert(ttl_ms > 3815000 && ttl_ms <= 3825000, "%lld", ttl_ms);
    close_scene(&scene);
}

Test(redis_store, expired_generation_is_no_obstacle_to_the_next_rotation)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = 1;
    struct scene scene = open_scene(&retention);
    commit_one_record(&scene, 1);
    REDIS_RUN(scene.server, "DEL", "scene:{s}:batches");
    commit_one_record(&scene, 2);
    commit_one_record(&scene, 3);
    cr_assert(!span_is_absent(find_record(scene.store, "s", "b2", &scene.arena)));
    cr_assert(!span_is_absent(find_record(scene.store, "s", "b3", &scene.arena)));
    close_scene(&scene);
}

Test(redis_store, fields_of_others_in_the_meta_stay)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    REDIS_RUN(scene.server, "HSET", "scene:{s}", "title", "theirs");
    commit_one_record(&scene, 1);
    redisReply *const reply =
        redis_server_query(scene.server, (const char *const[]){"HGET", "scene:{s}", "title", NULL});
    cr_assert_str_eq(reply->str, "theirs");
    freeReplyObject(reply);
    close_scene(&scene);
}

Test(redis_store, meta_that_it_cannot_read_fails_the_load)
{
    static const char *const wrong[][2] = {
        {"version", "seven"},
        {"version", "-1"},
        {"version", "18446744073709551616"},
        {"element_count", "1.5"},
        {"at:t/0", "12"},
        {"at:t/0", "x 1"},
        {"commit", "a token of more than 32 bytes....."},
    };
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct store_position position = {.name = span_of_text("t/0")};
        struct scene_load load = {.session_id = span_of_text("s"),
                                  .positions = &position,
                                  .position_count = 1,
                                  .arena = &scene.arena};
        REDIS_RUN(scene.server, "HSET", "scene:{s}", wrong[i][0], wrong[i][1]);
        cr_assert_eq(run_load(scene.store, &load), STORE_FAILED, "%s %s", wrong[i][0], wrong[i][1]);
        cr_assert_eq(load.error.code, ERROR_STORE_ERROR);
        REDIS_RUN(scene.server, "HDEL", "scene:{s}", wrong[i][0]);
    }
    close_scene(&scene);
}

Test(redis_store, error_reply_of_one_request_leaves_its_neighbours_alone)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    commit_one_record(&scene, 1);
    REDIS_RUN(scene.server, "SET", "scene:{wrong}:elements", "a string");
    const struct span id = span_of_text("a"), field = span_of_text("b1");
    struct scene_load loads[30];
    for (size_t i = 0; i < 30; i++) {
        loads[i] = (struct scene_load){.session_id = span_of_text(i % 3 == 1 ? "wrong" : "s"),
                                       .element_ids = &id,
                                       .element_count = 1,
                                       .record_fields = &field,
                                       .record_count = 1,
                                       .arena = &scene.arena};
        store_submit_load(scene.store, &loads[i]);
    }
    while (store_poll(scene.store, 50) > 0) {
    }
    for (size_t i = 0; i < 30; i++) {
        cr_assert_eq(loads[i].status, i % 3 == 1 ? STORE_FAILED : STORE_DONE, "load %zu", i);
        if (i % 3 != 1) {
            cr_assert_eq(loads[i].version, 1);
            cr_assert(!span_is_absent(loads[i].record_values[0]), "load %zu", i);
        }
    }
    close_scene(&scene);
}

Test(redis_store, more_bytes_than_the_sockets_take_at_once)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    uint8_t *const large = calloc(1, LARGE_BYTES);
    struct scene_commit commits[LARGE_COMMITS];
    struct scene_load loads[LARGE_COMMITS];
    const struct span id = span_of_text("a");
    const struct element_write element = {.id = id, .value = span_make(large, LARGE_BYTES)};
    for (size_t i = 0; i < LARGE_COMMITS; i++) {
        commits[i] = commit_to("s", i + 1, &scene.arena);
        commits[i].elements = &element;
        commits[i].element_count = 1;
        store_submit_commit(scene.store, &commits[i]);
        loads[i] = (struct scene_load){.session_id = span_of_text("s"),
                                       .element_ids = &id,
                                       .element_count = 1,
                                       .arena = &scene.arena};
        store_submit_load(scene.store, &loads[i]);
    }
    (void)store_poll(scene.store, 0); /* sends a part */
    struct scene_load last = {.session_id = span_of_text("s"), .arena = &scene.arena};
    store_submit_load(scene.store, &last);
    while (store_poll(scene.store, 50) > 0) {
    }
    cr_assert_eq(last.version, LARGE_COMMITS);
    const uint64_t start_ms = monotonic_ms();
    (void)store_poll(scene.store, 50);
    cr_assert_geq(monotonic_ms() - start_ms, 49, "it does not know that all is sent");
    for (size_t i = 0; i < LARGE_COMMITS; i++) {
        cr_assert_eq(commits[i].status, STORE_DONE, "commit %zu", i);
        cr_assert_eq(loads[i].status, STORE_DONE, "load %zu", i);
        cr_assert_eq(loads[i].version, i + 1);
        cr_assert_eq(loads[i].element_values[0].size, LARGE_BYTES);
    }
    free(large);
    close_scene(&scene);
}

Test(redis_store, requests_in_flight_at_its_end_are_unknown)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    struct scene_load load = {.session_id = span_of_text("s"), .arena = &scene.arena};
    struct scene_commit commit = commit_to("s", 1, &scene.arena);
    store_submit_load(scene.store, &load);
    store_submit_commit(scene.store, &commit);
    store_destroy(scene.store);
    scene.store = NULL;
    cr_assert_eq(load.status, STORE_UNKNOWN);
    cr_assert_eq(commit.status, STORE_UNKNOWN);
    close_scene(&scene);
}

Test(redis_store, requests_before_it_is_ready_are_unknown_at_the_next_poll)
{
    struct redis_server *const server = redis_server_start();
    const struct store_retention retention = contract_retention();
    struct store *const store = redis_fixture_create_store(server, &retention);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct scene_load load = {.session_id = span_of_text("s"), .arena = &arena};
    struct scene_commit commit = commit_to("s", 1, &arena);
    cr_assert(!store_is_ready(store));
    store_submit_load(store, &load);
    store_submit_commit(store, &commit);
    cr_assert_eq(load.status, STORE_IN_FLIGHT);
    cr_assert_eq(store_poll(store, 1000), 0);
    cr_assert_eq(load.status, STORE_UNKNOWN);
    cr_assert_eq(commit.status, STORE_UNKNOWN);
    store_destroy(store);
    arena_deinit(&arena);
    redis_server_stop(server);
}

Test(redis_store, reads_a_whole_scene)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    struct element_write elements[300];
    for (int i = 0; i < 300; i++) {
        const struct span id = text_in(&scene.arena, "e%d", i);
        elements[i] = (struct element_write){.id = id, .value = id};
    }
    struct scene_commit commit = commit_to("s", 1, &scene.arena);
    commit.elements = elements;
    commit.element_count = 300;
    commit.updated_at_ms = 1700000000000;
    cr_assert_eq(run_commit(scene.store, &commit), STORE_DONE);

    struct scene_dump dump;
    struct error error;
    cr_assert(
        redis_store_read_scene(scene.store, span_of_text("s"), 2000, &scene.arena, &dump, &error),
        "%s", error.message);
    cr_assert_eq(dump.version, 1);
    cr_assert_eq(dump.updated_at_ms, 1700000000000);
    cr_assert_eq(dump.count, 300);
    for (size_t i = 0; i < dump.count; i++) {
        cr_assert(span_equal(dump.ids[i], dump.values[i]), "element %zu", i);
    }
    cr_assert(redis_store_read_scene(scene.store, span_of_text("none"), 2000, &scene.arena, &dump,
                                     &error));
    cr_assert_eq(dump.count, 0);
    cr_assert_eq(dump.version, 0);

    REDIS_RUN(scene.server, "SET", "scene:{wrong}:elements", "a string");
    cr_assert(!redis_store_read_scene(scene.store, span_of_text("wrong"), 2000, &scene.arena, &dump,
                                      &error));
    cr_assert_not_null(strstr(error.message, "WRONGTYPE"), "%s", error.message);
    redis_server_kill(scene.server);
    cr_assert(
        !redis_store_read_scene(scene.store, span_of_text("s"), 300, &scene.arena, &dump, &error));
    cr_assert_not_null(strstr(error.message, "not ready"), "%s", error.message);
    close_scene(&scene);
}

/* Makes the elements e1, e2 ... of a scene at version 1. */
static void fill(struct redis_server *server, const char *key, const char *count,
                 const char *value_bytes)
{
    static const char script[] =
        "for i = 1, ARGV[1] do"
        "  redis.call('HSET', KEYS[1] .. ':elements', 'e' .. i, string.rep('x', ARGV[2])) end "
        "redis.call('HSET', KEYS[1], 'version', 1, 'commit', 't')";
    REDIS_RUN(server, "EVAL", script, "1", key, count, value_bytes);
}

static double output_bytes(struct redis_server *server)
{
    redisReply *const reply =
        redis_server_query(server, (const char *const[]){"INFO", "stats", NULL});
    const char *const name = "total_net_output_bytes:", *const at = strstr(reply->str, name);
    cr_assert_not_null(at);
    const double bytes = strtod(at + strlen(name), NULL);
    freeReplyObject(reply);
    return bytes;
}

/* hiredis would have it whole in memory before the arena could refuse any of it. */
Test(redis_store, does_not_ask_for_a_scene_that_is_too_large)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    struct arena arena;
    struct scene_dump dump;
    struct error error;
    fill(scene.server, "scene:{large}", "4000", "20000");
    fill(scene.server, "scene:{many}", "20000", "1");
    arena_init(&arena, 1 << 20);
    static const char *const sessions[] = {"large", "many"};
    static const double bytes_max[] = {8e6, 1e5};
    for (size_t i = 0; i < 2; i++) {
        const double before = output_bytes(scene.server);
        cr_assert(!redis_store_read_scene(scene.store, span_of_text(sessions[i]), 2000, &arena,
                                          &dump, &error));
        cr_expect_eq(error.code, ERROR_OUT_OF_MEMORY);
        cr_expect_not_null(strstr(error.message, "arena of 1048576 bytes is full"), "%s",
                           error.message);
        const double bytes = output_bytes(scene.server) - before;
        cr_expect_lt(bytes, bytes_max[i], "%s: %.0f bytes came", sessions[i], bytes);
    }
    arena_deinit(&arena);
    close_scene(&scene);
}

/* Somebody who drags an element all the time. */
struct dragging {
    int port;
    _Atomic bool is_over;
};

static void *drag(void *context)
{
    static const char script[] = "local version = redis.call('HINCRBY', KEYS[1], 'version', 1) "
                                 "redis.call('HSET', KEYS[1], 'commit', 't' .. version) "
                                 "redis.call('HSET', KEYS[1] .. ':elements', 'e1', version) "
                                 "redis.call('HSET', KEYS[1] .. ':elements', 'e20000', version)";
    struct dragging *const dragging = context;
    redisContext *const connection = redisConnect("127.0.0.1", dragging->port);
    const char *arguments[] = {"EVAL", script, "1", "scene:{busy}"};
    while (!dragging->is_over && connection != NULL && connection->err == 0) {
        freeReplyObject(redisCommandArgv(connection, 4, arguments, NULL));
    }
    redisFree(connection);
    return NULL;
}

Test(redis_store, reads_a_large_scene_of_one_version_while_it_is_edited)
{
    const struct store_retention retention = contract_retention();
    struct scene scene = open_scene(&retention);
    struct dragging dragging = {.port = redis_server_port(scene.server)};
    struct error error;
    pthread_t thread;
    fill(scene.server, "scene:{busy}", "20000", "100");
    cr_assert_eq(pthread_create(&thread, NULL, drag, &dragging), 0);
    for (int i = 0; i < 5; i++) {
        struct scene_dump dump;
        cr_assert(redis_store_read_scene(scene.store, span_of_text("busy"), 2000, &scene.arena,
                                         &dump, &error),
                  "%s", error.message);
        cr_assert_eq(dump.count, 20000);
        char version[24];
        (void)snprintf(version, sizeof(version), "%d", (int)dump.version);
        for (size_t k = 0; dump.version > 1 && k < dump.count; k++) {
            const bool is_dragged =
                span_equal_text(dump.ids[k], "e1") || span_equal_text(dump.ids[k], "e20000");
            cr_assert(!is_dragged || span_equal_text(dump.values[k], version));
        }
    }
    dragging.is_over = true;
    cr_assert_eq(pthread_join(thread, NULL), 0);
    close_scene(&scene);
}

/* Servers that are none, or none that can be worked with. */

/** A store that has just connected to a server made of texts. */
struct pair {
    struct fake_redis fake;
    struct store *store;
    struct store_watch watch;
};

static void open_pair(struct pair *pair)
{
    const struct store_retention retention = contract_retention();
    struct redis_server *const server = redis_server_start();
    struct redis_store_options options = redis_fixture_options(server, &retention);
    redis_server_stop(server);
    *pair = (struct pair){.fake = fake_redis_start()};
    options.address.port = pair->fake.port;
    options.command_timeout_ms = 100;
    options.observer = store_watch_observer(&pair->watch);
    pair->store = redis_store_create(&options);
    cr_assert_not_null(pair->store);
    fake_redis_accept(&pair->fake, pair->store);
}

static void close_pair(struct pair *pair)
{
    cr_assert(!store_is_ready(pair->store));
    store_destroy(pair->store);
    fake_redis_stop(&pair->fake);
}

Test(redis_store, servers_that_it_cannot_work_with)
{
    static const struct {
        const char *said;
        enum store_event event;
        const char *detail;
    } cases[] = {
        {"-ERR unknown command `HELLO`, with args beginning with: `2`, \r\n", STORE_EVENT_WAITING,
         "upgrade to Redis 7.0"},
        {"*2\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n", STORE_EVENT_WAITING, "version is 6.2.14"},
        {"*2\r\n$6\r\nserver\r\n$5\r\nother\r\n", STORE_EVENT_WAITING, "names no version"},
        {":1\r\n", STORE_EVENT_WAITING, "names no version"},
        {"*4\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$4\r\nrole\r\n$7\r\nreplica\r\n",
         STORE_EVENT_DISCONNECTED, "is a replica"},
        {"-ERR max number of clients reached\r\n", STORE_EVENT_DISCONNECTED, "maxclients"},
        {"-DENIED Redis is running in protected mode\r\n", STORE_EVENT_DISCONNECTED,
         "protected-mode"},
        {"HTTP/1.1 400 Bad Request\r\n", STORE_EVENT_DISCONNECTED, "malformed"},
        {"$5\r\nab", STORE_EVENT_DISCONNECTED, "no reply from Redis for 100 ms"},
        {"", STORE_EVENT_DISCONNECTED, "no reply from Redis for 100 ms"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pair pair;
        open_pair(&pair);
        fake_redis_say(&pair.fake, cases[i].said);
        await_event(pair.store, &pair.watch, cases[i].event, cases[i].detail);
        close_pair(&pair);
    }
}

Test(redis_store, slow_reply_that_keeps_coming_is_awaited)
{
    static const char reply[] = "*2\r\n$7\r\nversion\r\n$5\r\n6.0.0\r\n";
    struct pair pair;
    open_pair(&pair);
    for (size_t i = 0; i + 1 < sizeof(reply); i += 4) {
        char part[5] = "";
        memcpy(part, reply + i, sizeof(reply) - 1 - i < 4 ? sizeof(reply) - 1 - i : 4);
        fake_redis_say(&pair.fake, part);
        const uint64_t until_ms = monotonic_ms() + 40;
        while (monotonic_ms() < until_ms) {
            (void)store_poll(pair.store, 10);
        }
    }
    await_event(pair.store, &pair.watch, STORE_EVENT_WAITING, "version is 6.0.0");
    close_pair(&pair);
}

Test(redis_store, tells_repeated_failures_once)
{
    struct pair pair;
    open_pair(&pair);
    for (int i = 0; i < 4; i++) {
        fake_redis_say(&pair.fake, "-ERR max number of clients reached\r\n");
        if (i == 0) {
            await_event(pair.store, &pair.watch, STORE_EVENT_DISCONNECTED, "maxclients");
        }
        fake_redis_accept(&pair.fake, pair.store);
    }
    cr_assert_eq(pair.watch.count, 1);
    fake_redis_hang_up(&pair.fake);
    await_event(pair.store, &pair.watch, STORE_EVENT_DISCONNECTED, "");
    close_pair(&pair);
}
