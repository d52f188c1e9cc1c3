/* What Redis does to the store, and what the store does about it (store/README.md, "Faults"): the
 * status of the request concerned, what the observer hears, and that work goes on by itself. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/fake_redis.h"
#include "tests/support/store_requests.h"
#include "tests/support/store_trial.h"

/* The connection. */

Test(redis_faults, goes_on_after_a_restart)
{
    struct trial trial;
    open_trial(&trial, NULL);
    commit_works(&trial);
    const uint64_t epoch = store_epoch(trial.store);
    struct scene_commit commit = next_commit(&trial);
    redis_server_kill(trial.server);
    cr_assert_eq(run_commit(trial.store, &commit), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "closed the connection");
    redis_server_launch(trial.server);
    if (trial.watch.count == trial.watch.seen) {
        await_ready(trial.store);
    }
    while (trial.watch.events[trial.watch.seen] == STORE_EVENT_DISCONNECTED) {
        await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "connect");
    }
    trial.version = 0; /* it had no file */
    expect_recovery(&trial);
    cr_assert_gt(store_epoch(trial.store), epoch);
    close_trial(&trial);
}

Test(redis_faults, tells_once_that_nobody_listens_and_connects_later)
{
    struct trial trial = {.server = redis_server_start()};
    redis_server_kill(trial.server);
    const struct redis_store_options options = options_on(&trial);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "Connection refused");
    const uint64_t until_ms = monotonic_ms() + 300;
    while (monotonic_ms() < until_ms) {
        (void)store_poll(trial.store, 20);
    }
    cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
    redis_server_launch(trial.server);
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, drops_a_connection_that_does_not_answer)
{
    struct trial trial;
    open_trial(&trial, NULL);
    commit_works(&trial);
    redis_server_pause(trial.server);
    const uint64_t start_ms = monotonic_ms();
    cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
    cr_assert_geq(monotonic_ms() - start_ms, TRIAL_TIMEOUT_MS - 1);
    cr_assert_lt(monotonic_ms() - start_ms, 10 * TRIAL_TIMEOUT_MS);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "no reply from Redis for 200");
    redis_server_resume(trial.server);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    /* Redis has executed what it was sent before it was stopped. */
    struct scene_load load = {.session_id = span_of_text("s"), .arena = &trial.arena};
    cr_assert_eq(run_load(trial.store, &load), STORE_DONE);
    cr_assert_eq(load.version, trial.version + 1);
    trial.version = load.version;
    commit_works(&trial);
    close_trial(&trial);
}

/* A listener whose queue is full: Linux drops what else wants to connect. */
Test(redis_faults, gives_up_connecting_after_a_while)
{
    struct trial trial = {.server = redis_server_start()};
    struct fake_redis fake = fake_redis_start();
    const int others[] = {fake_redis_knock(&fake), fake_redis_knock(&fake),
                          fake_redis_knock(&fake)};
    struct redis_store_options options = options_on(&trial);
    options.address.port = fake.port;
    options.connect_timeout_ms = 100;
    open_store(&trial, &options);
    const uint64_t start_ms = monotonic_ms();
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED,
                "connecting to Redis took 100");
    cr_assert_geq(monotonic_ms() - start_ms, 99);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        (void)close(others[i]);
    }
    fake_redis_stop(&fake);
    close_trial(&trial);
}

static uint64_t read_stopped_clock(void *context)
{
    (void)context;
    return 1000;
}

Test(redis_faults, poll_returns_in_time_even_where_the_clock_stands_still)
{
    struct trial trial = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&trial);
    options.monotonic_ms = read_stopped_clock;
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    const uint64_t start_ms = monotonic_ms();
    cr_assert_eq(store_poll(trial.store, 50), 0);
    cr_assert_geq(monotonic_ms() - start_ms, 49);
    commit_works(&trial);
    close_trial(&trial);
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
    struct trial trial = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&trial);
    options.monotonic_ms = read_test_clock;
    options.command_timeout_ms = INT32_MAX;
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "1");
    open_store(&trial, &options);
    for (int i = 0; i < 10; i++) {
        test_clock_ms += 5000;
        let_things_settle(trial.store);
    }
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "OOM");
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "0");
    test_clock_ms += 5000;
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    for (int i = 0; i < 5; i++) {
        REDIS_RUN(trial.server, "CLIENT", "KILL", "TYPE", "normal");
        await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "closed");
        test_clock_ms += 50;
        await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    }
    close_trial(&trial);
}

Test(redis_faults, is_patient_while_its_own_process_was_slow)
{
    struct trial trial;
    open_trial(&trial, NULL);
    struct scene_commit commit = next_commit(&trial);
    store_submit_commit(trial.store, &commit);
    (void)store_poll(trial.store, 0);
    sleep_ms(2 * TRIAL_TIMEOUT_MS);
    while (commit.status == STORE_IN_FLIGHT) {
        (void)store_poll(trial.store, 10);
    }
    cr_assert_eq(commit.status, STORE_DONE);
    trial.version = 1;
    commit = next_commit(&trial);
    store_submit_commit(trial.store, &commit);
    sleep_ms(2 * TRIAL_TIMEOUT_MS);
    while (commit.status == STORE_IN_FLIGHT) {
        (void)store_poll(trial.store, 10);
    }
    cr_assert_eq(commit.status, STORE_DONE);
    close_trial(&trial);
}

Test(redis_faults, unix_socket)
{
    struct trial trial = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&trial);
    struct error error;
    char url[600];
    (void)snprintf(url, sizeof(url), "unix://%s?db=3", redis_server_socket_path(trial.server));
    cr_assert(redis_address_parse(url, &options.address, &error), "%s", error.message);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "redis.sock");
    commit_works(&trial);
    redisReply *const reply =
        redis_server_query(trial.server, (const char *const[]){"INFO", "keyspace", NULL});
    cr_assert_not_null(strstr(reply->str, "db3:"), "%s", reply->str);
    freeReplyObject(reply);
    close_trial(&trial);
}

/* What Redis cannot do for a while. */

Test(redis_faults, full_memory)
{
    struct trial trial;
    open_trial(&trial, NULL);
    commit_works(&trial);
    const uint64_t epoch = store_epoch(trial.store);
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "1");
    expect_waiting(&trial, "OOM");
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "0");
    expect_recovery(&trial);
    cr_assert_eq(store_epoch(trial.store), epoch, "the connection was lost");
    close_trial(&trial);
}

Test(redis_faults, missing_replicas)
{
    struct trial trial;
    open_trial(&trial, NULL);
    commit_works(&trial);
    REDIS_RUN(trial.server, "CONFIG", "SET", "min-replicas-to-write", "1");
    expect_waiting(&trial, "NOREPLICAS");
    REDIS_RUN(trial.server, "CONFIG", "SET", "min-replicas-to-write", "0");
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, disk_that_cannot_be_written)
{
    struct trial trial;
    char directory[512];
    open_trial(&trial, (const char *const[]){"--enable-protected-configs", "yes", NULL});
    (void)snprintf(directory, sizeof(directory), "%s/gone", redis_server_directory(trial.server));
    cr_assert_eq(mkdir(directory, 0700), 0);
    REDIS_RUN(trial.server, "CONFIG", "SET", "dir", directory);
    REDIS_RUN(trial.server, "CONFIG", "SET", "save", "3600 1");
    cr_assert_eq(rmdir(directory), 0);
    commit_works(&trial);
    REDIS_RUN(trial.server, "BGSAVE");
    for (int i = 0; i < 1000 && try_commit(&trial) == STORE_DONE; i++) {
        sleep_ms(5);
    }
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "MISCONF");
    REDIS_RUN(trial.server, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, data_set_that_is_being_read)
{
    struct trial trial;
    open_trial(&trial,
               (const char *const[]){"--key-load-delay", "3000",
                                     "--loading-process-events-interval-bytes", "1024", NULL});
    for (int i = 0; i < 300; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%d", i);
        REDIS_RUN(trial.server, "SET", key, "a value that makes the file somewhat longer");
    }
    commit_works(&trial);
    REDIS_RUN(trial.server, "SAVE");
    redis_server_kill(trial.server);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "");
    redis_server_launch(trial.server);
    redis_server_await(trial.server);
    if (trial.watch.seen < trial.watch.count) {
        await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "");
    }
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "LOADING");
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, another_programs_endless_script)
{
    struct trial trial;
    open_trial(&trial, (const char *const[]){"--busy-reply-threshold", "20", NULL});
    commit_works(&trial);
    redisContext *const other = redisConnectUnix(redis_server_socket_path(trial.server));
    int done = 0;
    const char *arguments[] = {"EVAL", "while true do end", "0"};
    cr_assert_eq(redisAppendCommandArgv(other, 3, arguments, NULL), REDIS_OK);
    while (!done) {
        cr_assert_eq(redisBufferWrite(other, &done), REDIS_OK);
    }
    sleep_ms(50);
    expect_waiting(&trial, "BUSY");
    REDIS_RUN(trial.server, "SCRIPT", "KILL");
    expect_recovery(&trial);
    redisFree(other);
    close_trial(&trial);
}

Test(redis_faults, replica)
{
    struct trial trial;
    open_trial(&trial, NULL);
    commit_works(&trial);
    const uint64_t epoch = store_epoch(trial.store);
    REDIS_RUN(trial.server, "REPLICAOF", "127.0.0.1", "1");
    cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "READONLY You can't write");
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "READONLY the server is");
    REDIS_RUN(trial.server, "REPLICAOF", "NO", "ONE");
    expect_recovery(&trial);
    cr_assert_gt(store_epoch(trial.store), epoch);
    close_trial(&trial);
}

/* The script. */

Test(redis_faults, forgotten_script_is_loaded_again_and_nothing_is_lost)
{
    struct trial trial;
    open_trial(&trial, NULL);
    commit_works(&trial);
    REDIS_RUN(trial.server, "SCRIPT", "FLUSH");
    commit_works(&trial);

    struct scene_commit commits[50];
    REDIS_RUN(trial.server, "SCRIPT", "FLUSH");
    for (size_t i = 0; i < 50; i++) {
        commits[i] = next_commit(&trial);
        trial.version++;
        store_submit_commit(trial.store, &commits[i]);
    }
    while (store_poll(trial.store, 50) > 0) {
    }
    for (size_t i = 0; i < 50; i++) {
        cr_assert_eq(commits[i].status, STORE_DONE, "commit %zu", i);
    }
    close_trial(&trial);
}

/* Who may do what. */

static void add_elements(struct redis_server *server, int count)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "e%d", i);
        REDIS_RUN(server, "HSET", "scene:{s}:elements", id, "v");
    }
}

Test(redis_faults, documented_rights_are_enough)
{
    struct trial trial = {.server = redis_server_start()};
    struct error error;
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&trial, "secret");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&trial);
    struct scene_dump dump;
    cr_assert(
        redis_store_read_scene(trial.store, span_of_text("s"), 2000, &trial.arena, &dump, &error),
        "%s", error.message);
    add_elements(trial.server, 200);
    cr_assert(
        redis_store_read_scene(trial.store, span_of_text("s"), 2000, &trial.arena, &dump, &error),
        "%s", error.message);
    cr_assert_eq(dump.count, 201);
    close_trial(&trial);
}

/* A worker does its work without this right, so it is asked for where it is used. */
Test(redis_faults, read_of_a_scene_says_which_right_it_misses)
{
    struct trial trial = {.server = redis_server_start()};
    struct scene_dump dump;
    struct error error;
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS,
              "-hkeys");
    open_as_user(&trial, "secret");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&trial);
    add_elements(trial.server, 200);
    cr_assert(
        !redis_store_read_scene(trial.store, span_of_text("s"), 9000, &trial.arena, &dump, &error));
    cr_assert_not_null(strstr(error.message, "NOPERM"), "%s", error.message);
    cr_assert_not_null(strstr(error.message, "hkeys"), "%s", error.message);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "hkeys");
    store_destroy(trial.store);
    arena_deinit(&trial.arena);
    redis_server_stop(trial.server);
}

/* Without the right to DEL nothing of the self test may run: it is one transaction, so that one
 * which stops anywhere, by a worker's death as well, leaves nothing. */
static void expect_no_keys(struct redis_server *server, const char *missing_right)
{
    redisReply *const reply = redis_server_query(server, (const char *const[]){"KEYS", "*", NULL});
    cr_assert_eq(reply->elements, 0, "without %s the self test left %s", missing_right,
                 reply->elements > 0 ? reply->element[0]->str : "");
    freeReplyObject(reply);
}

Test(redis_faults, missing_right_shows_before_any_work)
{
    static const char *const rights[] = {"exists", "hget", "hgetall", "hlen",   "hmget", "hset",
                                         "hdel",   "del",  "pexpire", "rename", "zadd",  "zcard",
                                         "zrange", "zrem", "evalsha", "info",   "multi", "exec"};
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    for (size_t i = 0; i < sizeof(rights) / sizeof(*rights); i++) {
        char take[16], give[16];
        (void)snprintf(take, sizeof(take), "-%s", rights[i]);
        (void)snprintf(give, sizeof(give), "+%s", rights[i]);
        REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", take);
        trial.watch = (struct store_watch){0};
        open_as_user(&trial, "secret");
        await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "grant the user");
        cr_assert(!store_is_ready(trial.store), "%s", rights[i]);
        cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
        expect_no_keys(trial.server, rights[i]);
        REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", give);
        await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
        store_destroy(trial.store);
        arena_deinit(&trial.arena);
    }
    redis_server_stop(trial.server);
}

Test(redis_faults, right_that_is_taken_away)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&trial, "secret");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "-evalsha");
    expect_waiting(&trial, "NOPERM");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "+evalsha");
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, user_that_is_deleted)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&trial, "secret");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    REDIS_RUN(trial.server, "ACL", "DELUSER", "worker");
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "closed the connection");
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "WRONGPASS");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, password)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "CONFIG", "SET", "requirepass", "secret");
    redis_server_set_password(trial.server, "secret");
    struct redis_store_options options = options_on(&trial);
    options.password = "secret";
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&trial);
    close_trial(&trial);
}

Test(redis_faults, missing_password)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "CONFIG", "SET", "requirepass", "secret");
    redis_server_set_password(trial.server, "secret");
    const struct redis_store_options options = options_on(&trial);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "set redis.password");
    cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
    REDIS_RUN(trial.server, "CONFIG", "SET", "requirepass", "");
    expect_recovery(&trial);
    close_trial(&trial);
}

Test(redis_faults, database_that_does_not_exist)
{
    struct trial trial = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&trial);
    options.address.database = 16;
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "database in redis.url");
    cr_assert(!store_is_ready(trial.store));
    close_trial(&trial);
}
