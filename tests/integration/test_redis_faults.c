/* What Redis does to the store, and what the store does about it (store/README.md, "Faults"): the
 * status of the request concerned, what the observer hears, and that work goes on by itself. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/fake_redis.h"
#include "tests/support/redis_store_fixture.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_requests.h"
#include "tests/support/store_watch.h"

enum { ARENA_BYTES_MAX = 1 << 20, SHORT_TIMEOUT_MS = 200 };

/** One server, one store on it, one scene's next version. */
struct scene {
    struct redis_server *server;
    struct store *store;
    struct store_watch watch;
    struct arena arena;
    uint64_t version;
};

static struct redis_store_options options_on(struct scene *scene)
{
    const struct store_retention retention = contract_retention();
    struct redis_store_options options = redis_fixture_options(scene->server, &retention);
    options.command_timeout_ms = SHORT_TIMEOUT_MS;
    options.observer = store_watch_observer(&scene->watch);
    return options;
}

static void open_store(struct scene *scene, const struct redis_store_options *options)
{
    scene->store = redis_store_create(options);
    cr_assert_not_null(scene->store);
    arena_init(&scene->arena, ARENA_BYTES_MAX);
}

/** A store that has come up on a server with more arguments. */
static void open_scene(struct scene *scene, const char *const *arguments)
{
    *scene = (struct scene){.server = redis_server_start_with(arguments)};
    const struct redis_store_options options = options_on(scene);
    open_store(scene, &options);
    await_event(scene->store, &scene->watch, STORE_EVENT_CONNECTED, "127.0.0.1");
    cr_assert(store_is_ready(scene->store));
}

static void close_scene(struct scene *scene)
{
    cr_assert_eq(scene->watch.seen, scene->watch.count, "one event more: %s",
                 scene->watch.details[scene->watch.seen]);
    store_destroy(scene->store);
    arena_deinit(&scene->arena);
    redis_server_stop(scene->server);
}

static struct scene_commit next_commit(struct scene *scene)
{
    static const struct element_write element = {
        .id = {.data = (const uint8_t *)"a", .size = 1},
        .value = {.data = (const uint8_t *)"v", .size = 1}};
    struct scene_commit commit = commit_to("s", scene->version + 1, &scene->arena);
    commit.elements = &element;
    commit.element_count = 1;
    return commit;
}

static enum store_status try_commit(struct scene *scene)
{
    struct scene_commit commit = next_commit(scene);
    const enum store_status status = run_commit(scene->store, &commit);
    scene->version += status == STORE_DONE;
    return status;
}

static void commit_works(struct scene *scene)
{
    await_ready(scene->store);
    cr_assert_eq(try_commit(scene), STORE_DONE);
}

/** What Redis refuses for a while: unknown, not ready, the reason told, going on by itself. */
static void expect_waiting(struct scene *scene, const char *reason)
{
    cr_assert_eq(try_commit(scene), STORE_UNKNOWN);
    cr_assert(!store_is_ready(scene->store));
    await_event(scene->store, &scene->watch, STORE_EVENT_WAITING, reason);
    cr_assert_eq(try_commit(scene), STORE_UNKNOWN);
}

static void expect_recovery(struct scene *scene)
{
    await_event(scene->store, &scene->watch, STORE_EVENT_CONNECTED, "");
    commit_works(scene);
}

/* The connection. */

Test(redis_faults, goes_on_after_a_restart)
{
    struct scene scene;
    open_scene(&scene, NULL);
    commit_works(&scene);
    const uint64_t epoch = store_epoch(scene.store);
    struct scene_commit commit = next_commit(&scene);
    redis_server_kill(scene.server);
    cr_assert_eq(run_commit(scene.store, &commit), STORE_UNKNOWN);
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "closed the connection");
    redis_server_launch(scene.server);
    if (scene.watch.count == scene.watch.seen) {
        await_ready(scene.store);
    }
    while (scene.watch.events[scene.watch.seen] == STORE_EVENT_DISCONNECTED) {
        await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "connect");
    }
    scene.version = 0; /* it had no file */
    expect_recovery(&scene);
    cr_assert_gt(store_epoch(scene.store), epoch);
    close_scene(&scene);
}

Test(redis_faults, tells_once_that_nobody_listens_and_connects_later)
{
    struct scene scene = {.server = redis_server_start()};
    redis_server_kill(scene.server);
    const struct redis_store_options options = options_on(&scene);
    open_store(&scene, &options);
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "Connection refused");
    const uint64_t until_ms = monotonic_ms() + 300;
    while (monotonic_ms() < until_ms) {
        (void)store_poll(scene.store, 20);
    }
    cr_assert_eq(try_commit(&scene), STORE_UNKNOWN);
    redis_server_launch(scene.server);
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, drops_a_connection_that_does_not_answer)
{
    struct scene scene;
    open_scene(&scene, NULL);
    commit_works(&scene);
    redis_server_pause(scene.server);
    const uint64_t start_ms = monotonic_ms();
    cr_assert_eq(try_commit(&scene), STORE_UNKNOWN);
    cr_assert_geq(monotonic_ms() - start_ms, SHORT_TIMEOUT_MS - 1);
    cr_assert_lt(monotonic_ms() - start_ms, 10 * SHORT_TIMEOUT_MS);
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "no reply from Redis for 200");
    redis_server_resume(scene.server);
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    /* Redis has executed what it was sent before it was stopped. */
    struct scene_load load = {.session_id = span_of_text("s"), .arena = &scene.arena};
    cr_assert_eq(run_load(scene.store, &load), STORE_DONE);
    cr_assert_eq(load.version, scene.version + 1);
    scene.version = load.version;
    commit_works(&scene);
    close_scene(&scene);
}

/* A listener whose queue is full: Linux drops what else wants to connect. */
Test(redis_faults, gives_up_connecting_after_a_while)
{
    struct scene scene = {.server = redis_server_start()};
    struct fake_redis fake = fake_redis_start();
    const int others[] = {fake_redis_knock(&fake), fake_redis_knock(&fake),
                          fake_redis_knock(&fake)};
    struct redis_store_options options = options_on(&scene);
    options.address.port = fake.port;
    options.connect_timeout_ms = 100;
    open_store(&scene, &options);
    const uint64_t start_ms = monotonic_ms();
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED,
                "connecting to Redis took 100");
    cr_assert_geq(monotonic_ms() - start_ms, 99);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        (void)close(others[i]);
    }
    fake_redis_stop(&fake);
    close_scene(&scene);
}

static uint64_t read_stopped_clock(void *context)
{
    (void)context;
    return 1000;
}

Test(redis_faults, poll_returns_in_time_even_where_the_clock_stands_still)
{
    struct scene scene = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&scene);
    options.monotonic_ms = read_stopped_clock;
    open_store(&scene, &options);
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    const uint64_t start_ms = monotonic_ms();
    cr_assert_eq(store_poll(scene.store, 50), 0);
    cr_assert_geq(monotonic_ms() - start_ms, 49);
    commit_works(&scene);
    close_scene(&scene);
}

static uint64_t test_clock_ms = 1000;

static uint64_t read_test_clock(void *context)
{
    (void)context;
    return test_clock_ms;
}

/** Polls until nothing moves any more. */
static void let_things_settle(struct store *store)
{
    for (int i = 0; i < 10; i++) {
        (void)store_poll(store, 20);
    }
}

Test(redis_faults, waits_shortly_again_after_a_success)
{
    struct scene scene = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&scene);
    options.monotonic_ms = read_test_clock;
    options.command_timeout_ms = INT32_MAX;
    REDIS_RUN(scene.server, "CONFIG", "SET", "maxmemory", "1");
    open_store(&scene, &options);
    for (int i = 0; i < 10; i++) {
        test_clock_ms += 5000;
        let_things_settle(scene.store);
    }
    await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "OOM");
    REDIS_RUN(scene.server, "CONFIG", "SET", "maxmemory", "0");
    test_clock_ms += 5000;
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    for (int i = 0; i < 5; i++) {
        REDIS_RUN(scene.server, "CLIENT", "KILL", "TYPE", "normal");
        await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "closed");
        test_clock_ms += 50;
        await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    }
    close_scene(&scene);
}

Test(redis_faults, is_patient_while_its_own_process_was_slow)
{
    struct scene scene;
    open_scene(&scene, NULL);
    struct scene_commit commit = next_commit(&scene);
    store_submit_commit(scene.store, &commit);
    (void)store_poll(scene.store, 0);
    sleep_ms(2 * SHORT_TIMEOUT_MS);
    while (commit.status == STORE_IN_FLIGHT) {
        (void)store_poll(scene.store, 10);
    }
    cr_assert_eq(commit.status, STORE_DONE);
    scene.version = 1;
    commit = next_commit(&scene);
    store_submit_commit(scene.store, &commit);
    sleep_ms(2 * SHORT_TIMEOUT_MS);
    while (commit.status == STORE_IN_FLIGHT) {
        (void)store_poll(scene.store, 10);
    }
    cr_assert_eq(commit.status, STORE_DONE);
    close_scene(&scene);
}

Test(redis_faults, unix_socket)
{
    struct scene scene = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&scene);
    struct error error;
    char url[600];
    (void)snprintf(url, sizeof(url), "unix://%s?db=3", redis_server_socket_path(scene.server));
    cr_assert(redis_address_parse(url, &options.address, &error), "%s", error.message);
    open_store(&scene, &options);
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "redis.sock");
    commit_works(&scene);
    redisReply *const reply =
        redis_server_query(scene.server, (const char *const[]){"INFO", "keyspace", NULL});
    cr_assert_not_null(strstr(reply->str, "db3:"), "%s", reply->str);
    freeReplyObject(reply);
    close_scene(&scene);
}

/* What Redis cannot do for a while. */

Test(redis_faults, full_memory)
{
    struct scene scene;
    open_scene(&scene, NULL);
    commit_works(&scene);
    const uint64_t epoch = store_epoch(scene.store);
    REDIS_RUN(scene.server, "CONFIG", "SET", "maxmemory", "1");
    expect_waiting(&scene, "OOM");
    REDIS_RUN(scene.server, "CONFIG", "SET", "maxmemory", "0");
    expect_recovery(&scene);
    cr_assert_eq(store_epoch(scene.store), epoch, "the connection was lost");
    close_scene(&scene);
}

Test(redis_faults, missing_replicas)
{
    struct scene scene;
    open_scene(&scene, NULL);
    commit_works(&scene);
    REDIS_RUN(scene.server, "CONFIG", "SET", "min-replicas-to-write", "1");
    expect_waiting(&scene, "NOREPLICAS");
    REDIS_RUN(scene.server, "CONFIG", "SET", "min-replicas-to-write", "0");
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, disk_that_cannot_be_written)
{
    struct scene scene;
    char directory[512];
    open_scene(&scene, (const char *const[]){"--enable-protected-configs", "yes", NULL});
    (void)snprintf(directory, sizeof(directory), "%s/gone", redis_server_directory(scene.server));
    cr_assert_eq(mkdir(directory, 0700), 0);
    REDIS_RUN(scene.server, "CONFIG", "SET", "dir", directory);
    REDIS_RUN(scene.server, "CONFIG", "SET", "save", "3600 1");
    cr_assert_eq(rmdir(directory), 0);
    commit_works(&scene);
    REDIS_RUN(scene.server, "BGSAVE");
    for (int i = 0; i < 1000 && try_commit(&scene) == STORE_DONE; i++) {
        sleep_ms(5);
    }
    await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "MISCONF");
    REDIS_RUN(scene.server, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, data_set_that_is_being_read)
{
    struct scene scene;
    open_scene(&scene,
               (const char *const[]){"--key-load-delay", "3000",
                                     "--loading-process-events-interval-bytes", "1024", NULL});
    for (int i = 0; i < 300; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%d", i);
        REDIS_RUN(scene.server, "SET", key, "a value that makes the file somewhat longer");
    }
    commit_works(&scene);
    REDIS_RUN(scene.server, "SAVE");
    redis_server_kill(scene.server);
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "");
    redis_server_launch(scene.server);
    redis_server_await(scene.server);
    if (scene.watch.seen < scene.watch.count) {
        await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "");
    }
    await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "LOADING");
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, another_programs_endless_script)
{
    struct scene scene;
    open_scene(&scene, (const char *const[]){"--busy-reply-threshold", "20", NULL});
    commit_works(&scene);
    redisContext *const other = redisConnectUnix(redis_server_socket_path(scene.server));
    int done = 0;
    const char *arguments[] = {"EVAL", "while true do end", "0"};
    cr_assert_eq(redisAppendCommandArgv(other, 3, arguments, NULL), REDIS_OK);
    while (!done) {
        cr_assert_eq(redisBufferWrite(other, &done), REDIS_OK);
    }
    sleep_ms(50);
    expect_waiting(&scene, "BUSY");
    REDIS_RUN(scene.server, "SCRIPT", "KILL");
    expect_recovery(&scene);
    redisFree(other);
    close_scene(&scene);
}

Test(redis_faults, replica)
{
    struct scene scene;
    open_scene(&scene, NULL);
    commit_works(&scene);
    const uint64_t epoch = store_epoch(scene.store);
    REDIS_RUN(scene.server, "REPLICAOF", "127.0.0.1", "1");
    cr_assert_eq(try_commit(&scene), STORE_UNKNOWN);
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "READONLY You can't write");
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "READONLY the server is");
    REDIS_RUN(scene.server, "REPLICAOF", "NO", "ONE");
    expect_recovery(&scene);
    cr_assert_gt(store_epoch(scene.store), epoch);
    close_scene(&scene);
}

/* The script. */

Test(redis_faults, forgotten_script_is_loaded_again_and_nothing_is_lost)
{
    struct scene scene;
    open_scene(&scene, NULL);
    commit_works(&scene);
    REDIS_RUN(scene.server, "SCRIPT", "FLUSH");
    commit_works(&scene);

    struct scene_commit commits[50];
    REDIS_RUN(scene.server, "SCRIPT", "FLUSH");
    for (size_t i = 0; i < 50; i++) {
        commits[i] = next_commit(&scene);
        scene.version++;
        store_submit_commit(scene.store, &commits[i]);
    }
    while (store_poll(scene.store, 50) > 0) {
    }
    for (size_t i = 0; i < 50; i++) {
        cr_assert_eq(commits[i].status, STORE_DONE, "commit %zu", i);
    }
    close_scene(&scene);
}

/* Who may do what. */

/** The rights that store/README.md asks for. */
#define DOCUMENTED_RIGHTS                                                                          \
    "~scene:{*", "+select", "+script|load", "+evalsha", "+del", "+exists", "+hget", "+hgetall",    \
        "+hlen", "+hmget", "+hset", "+hdel", "+pexpire", "+rename", "+zadd", "+zcard", "+zrange",  \
        "+zrem"

static void open_as_user(struct scene *scene, const char *password)
{
    struct redis_store_options options = options_on(scene);
    options.username = "worker";
    options.password = password;
    open_store(scene, &options);
}

Test(redis_faults, documented_rights_are_enough)
{
    struct scene scene = {.server = redis_server_start()};
    struct error error;
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&scene, "secret");
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&scene);
    struct scene_dump dump;
    cr_assert(
        redis_store_read_scene(scene.store, span_of_text("s"), 2000, &scene.arena, &dump, &error),
        "%s", error.message);
    close_scene(&scene);
}

Test(redis_faults, missing_right_shows_before_any_work)
{
    static const char *const rights[] = {"exists", "hget",   "hgetall", "hlen",   "hmget",
                                         "hset",   "hdel",   "pexpire", "rename", "zadd",
                                         "zcard",  "zrange", "zrem",    "evalsha"};
    struct scene scene = {.server = redis_server_start()};
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    for (size_t i = 0; i < sizeof(rights) / sizeof(*rights); i++) {
        char take[16], give[16];
        (void)snprintf(take, sizeof(take), "-%s", rights[i]);
        (void)snprintf(give, sizeof(give), "+%s", rights[i]);
        REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", take);
        scene.watch = (struct store_watch){0};
        open_as_user(&scene, "secret");
        await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "grant the user");
        cr_assert(!store_is_ready(scene.store), "%s", rights[i]);
        cr_assert_eq(try_commit(&scene), STORE_UNKNOWN);
        REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", give);
        await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
        store_destroy(scene.store);
        arena_deinit(&scene.arena);
    }
    redisReply *const reply =
        redis_server_query(scene.server, (const char *const[]){"KEYS", "*", NULL});
    cr_assert_eq(reply->elements, 0, "the self test left %s behind", reply->element[0]->str);
    freeReplyObject(reply);
    redis_server_stop(scene.server);
}

Test(redis_faults, right_that_is_taken_away)
{
    struct scene scene = {.server = redis_server_start()};
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&scene, "secret");
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "-evalsha");
    expect_waiting(&scene, "NOPERM");
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "+evalsha");
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, user_that_is_deleted)
{
    struct scene scene = {.server = redis_server_start()};
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&scene, "secret");
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    REDIS_RUN(scene.server, "ACL", "DELUSER", "worker");
    await_event(scene.store, &scene.watch, STORE_EVENT_DISCONNECTED, "closed the connection");
    await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "WRONGPASS");
    REDIS_RUN(scene.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, password)
{
    struct scene scene = {.server = redis_server_start()};
    REDIS_RUN(scene.server, "CONFIG", "SET", "requirepass", "secret");
    redis_server_set_password(scene.server, "secret");
    struct redis_store_options options = options_on(&scene);
    options.password = "secret";
    open_store(&scene, &options);
    await_event(scene.store, &scene.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&scene);
    close_scene(&scene);
}

Test(redis_faults, missing_password)
{
    struct scene scene = {.server = redis_server_start()};
    REDIS_RUN(scene.server, "CONFIG", "SET", "requirepass", "secret");
    redis_server_set_password(scene.server, "secret");
    const struct redis_store_options options = options_on(&scene);
    open_store(&scene, &options);
    await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "set redis.password");
    cr_assert_eq(try_commit(&scene), STORE_UNKNOWN);
    REDIS_RUN(scene.server, "CONFIG", "SET", "requirepass", "");
    expect_recovery(&scene);
    close_scene(&scene);
}

Test(redis_faults, database_that_does_not_exist)
{
    struct scene scene = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&scene);
    options.address.database = 16;
    open_store(&scene, &options);
    await_event(scene.store, &scene.watch, STORE_EVENT_WAITING, "database in redis.url");
    cr_assert(!store_is_ready(scene.store));
    close_scene(&scene);
}
