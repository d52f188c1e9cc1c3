/* The watermark on a real Redis, beyond the shared contract: where it stands, what becomes of it
 * and of the commits that name it when Redis loses writes, changes hands or refuses, and what the
 * observer hears. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/fake_redis.h"
#include "tests/support/store_requests.h"
#include "tests/support/store_trial.h"

enum { SYNC_WAIT_MS = 20000, PIPELINED = 20 };

/** A commit to the scene's next version that builds on "t/0" being `mark`. */
static enum store_status try_marked_commit(struct trial *trial, const char *mark)
{
    const struct store_position position = {.name = span_of_text("t/0"),
                                            .offset = (int64_t)trial->version,
                                            .timestamp_ms = 1,
                                            .mark = span_of_text(mark)};
    struct scene_commit commit = next_commit(trial);
    commit.positions = &position;
    commit.position_count = 1;
    const enum store_status status = run_commit(trial->store, &commit);
    trial->version += status == STORE_DONE;
    return status;
}

/** The number behind `name` in a section of INFO; -1: it is not there. */
static long long info_number(struct redis_server *server, const char *section, const char *name)
{
    redisReply *const reply =
        redis_server_query(server, (const char *const[]){"INFO", section, NULL});
    const char *const found = strstr(reply->str, name);
    const long long number = found != NULL ? strtoll(found + strlen(name), NULL, 10) : -1;
    freeReplyObject(reply);
    return number;
}

/* Where it stands. */

static void expect_hash_field(struct redis_server *server, const char *key, const char *field,
                              const char *value)
{
    redisReply *const reply =
        redis_server_query(server, (const char *const[]){"HGETALL", key, NULL});
    cr_assert_eq(reply->elements, 2, "%s has %zu fields and values", key, reply->elements);
    cr_assert_str_eq(reply->element[0]->str, field);
    cr_assert_str_eq(reply->element[1]->str, value);
    freeReplyObject(reply);
}

Test(redis_watermark, stands_under_its_groups_key)
{
    struct trial first, second = {0};
    open_trial(&first, NULL);
    cr_assert_eq(try_mark(&first, NULL, "7 me"), STORE_DONE);
    second.server = first.server;
    struct redis_store_options options = options_on(&second);
    options.group = "other group";
    open_store(&second, &options);
    await_event(second.store, &second.watch, STORE_EVENT_CONNECTED, "");
    cr_assert(span_is_absent(find_mark(&second)));
    cr_assert_eq(try_mark(&second, NULL, "8 you"), STORE_DONE);
    expect_hash_field(first.server, "scene:watermark:group", "at:t/0", "7 me");
    expect_hash_field(first.server, "scene:watermark:other group", "at:t/0", "8 you");
    store_destroy(second.store);
    arena_deinit(&second.arena);
    close_trial(&first);
}

Test(redis_watermark, is_not_looked_at_where_there_is_no_group)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "-info", "resetkeys", "~scene:{*");
    struct redis_store_options options = options_on(&trial);
    options.username = "worker";
    options.password = "secret";
    options.group = NULL;
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&trial);
    close_trial(&trial);
}

Test(redis_watermark, request_without_a_group_is_a_bug, .signal = SIGABRT)
{
    struct trial trial = {.server = redis_server_start()};
    struct redis_store_options options = options_on(&trial);
    options.group = NULL;
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    (void)try_mark(&trial, NULL, "1");
    close_trial(&trial);
}

/* Lost writes. */

Test(redis_watermark, emptied_store_disowns_without_a_disconnect)
{
    struct trial trial;
    open_trial(&trial, NULL);
    const uint64_t epoch = store_epoch(trial.store);
    cr_assert_eq(try_mark(&trial, NULL, "1"), STORE_DONE);
    cr_assert_eq(try_marked_commit(&trial, "1"), STORE_DONE);
    REDIS_RUN(trial.server, "FLUSHALL");
    trial.version = 0; /* the check would pass */
    cr_assert_eq(try_marked_commit(&trial, "1"), STORE_DISOWNED);
    cr_assert_eq(try_mark(&trial, "1", "2"), STORE_DISOWNED);
    cr_assert(span_is_absent(find_mark(&trial)));
    redisReply *const reply =
        redis_server_query(trial.server, (const char *const[]){"DBSIZE", NULL});
    cr_assert_eq(reply->integer, 0, "something was written");
    freeReplyObject(reply);
    cr_assert_eq(store_epoch(trial.store), epoch);
    close_trial(&trial);
}

/** A server whose replicas need not wait for others to come. */
static const char *const quick_replicas[] = {"--repl-diskless-sync-delay", "0", NULL};

/** Makes it a replica, and waits until it has all that its primary has. */
static void follow(struct redis_server *replica, struct redis_server *primary)
{
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", redis_server_port(primary));
    REDIS_RUN(replica, "REPLICAOF", "127.0.0.1", port);
    const uint64_t deadline_ms = monotonic_ms() + SYNC_WAIT_MS;
    while (info_number(replica, "replication", "master_link_status:up") == -1 ||
           info_number(replica, "replication", "slave_repl_offset:") <
               info_number(primary, "replication", "master_repl_offset:")) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "the replica does not follow");
        sleep_ms(10);
    }
}

/* The history that a comparison of entries alone would not notice: the primary's last commit is
 * lost with it, the watermark of before it is there, and the connection never broke. */
Test(redis_watermark, replica_promoted_behind_the_connection_is_noticed)
{
    struct trial trial = {.server = redis_server_start_with(quick_replicas)};
    struct redis_server *const other = redis_server_start_with(quick_replicas);
    follow(other, trial.server);
    const struct redis_store_options options = options_on(&trial);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    commit_works(&trial);
    cr_assert_eq(try_mark(&trial, NULL, "1"), STORE_DONE);
    follow(other, trial.server);
    REDIS_RUN(other, "REPLICAOF", "NO", "ONE");
    const uint64_t epoch = store_epoch(trial.store);
    cr_assert_eq(try_marked_commit(&trial, "1"), STORE_DONE);
    follow(trial.server, other);
    REDIS_RUN(trial.server, "REPLICAOF", "NO", "ONE");

    cr_assert_eq(try_mark(&trial, "1", "2"), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED,
                "Redis's replication history changed from ");
    cr_assert_not_null(strstr(trial.watch.details[trial.watch.seen - 1],
                              "another primary took over behind this connection"));
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    cr_assert_gt(store_epoch(trial.store), epoch);
    cr_assert(span_equal_text(find_mark(&trial), "1"));
    struct scene_load load = {.session_id = span_of_text("s"), .arena = &trial.arena};
    cr_assert_eq(run_load(trial.store, &load), STORE_DONE);
    cr_assert_eq(load.version, trial.version - 1, "nothing was lost: this test shows nothing");
    trial.version = load.version;
    cr_assert_eq(try_marked_commit(&trial, "1"), STORE_DONE);
    cr_assert_eq(try_mark(&trial, "1", "2"), STORE_DONE);
    redis_server_stop(other);
    close_trial(&trial);
}

/* The probe on the same connection must not take the new history for the one that it began with. */
Test(redis_watermark, takeover_while_it_waits_is_noticed)
{
    struct trial trial;
    open_trial(&trial, NULL);
    const uint64_t epoch = store_epoch(trial.store);
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "1");
    expect_waiting(&trial, "OOM");
    REDIS_RUN(trial.server, "REPLICAOF", "127.0.0.1", "1");
    REDIS_RUN(trial.server, "REPLICAOF", "NO", "ONE");
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "0");
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "history changed");
    expect_recovery(&trial);
    cr_assert_gt(store_epoch(trial.store), epoch);
    close_trial(&trial);
}

/* Redis begins a new history for its first replica: a false alarm that costs a new connection. */
Test(redis_watermark, first_replica_costs_a_connection_and_nothing_else)
{
    struct trial trial;
    struct redis_server *const replica = redis_server_start();
    open_trial(&trial, quick_replicas);
    cr_assert_eq(try_mark(&trial, NULL, "1"), STORE_DONE);
    follow(replica, trial.server);
    cr_assert_eq(try_mark(&trial, "1", "2"), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "or the first replica came");
    expect_recovery(&trial);
    cr_assert_eq(try_mark(&trial, "1", "2"), STORE_DONE);
    redis_server_stop(replica);
    cr_assert_eq(try_mark(&trial, "2", "3"), STORE_DONE);
    close_trial(&trial);
}

/* What Redis refuses. */

static void expect_marks_wait(struct trial *trial, const char *found, const char *reason)
{
    cr_assert_eq(try_mark(trial, found, "x"), STORE_UNKNOWN);
    cr_assert(!store_is_ready(trial->store));
    await_event(trial->store, &trial->watch, STORE_EVENT_WAITING, reason);
    cr_assert_eq(try_mark(trial, found, "x"), STORE_UNKNOWN);
}

static void expect_marks_recover(struct trial *trial, const char *found)
{
    await_event(trial->store, &trial->watch, STORE_EVENT_CONNECTED, "");
    cr_assert_eq(try_mark(trial, found, "y"), STORE_DONE);
}

Test(redis_watermark, full_memory)
{
    struct trial trial;
    open_trial(&trial, NULL);
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "1");
    cr_assert(span_is_absent(find_mark(&trial)), "it can still be read");
    expect_marks_wait(&trial, NULL, "OOM");
    REDIS_RUN(trial.server, "CONFIG", "SET", "maxmemory", "0");
    expect_marks_recover(&trial, NULL);
    close_trial(&trial);
}

Test(redis_watermark, replica)
{
    struct trial trial;
    open_trial(&trial, NULL);
    REDIS_RUN(trial.server, "REPLICAOF", "127.0.0.1", "1");
    cr_assert_eq(try_mark(&trial, NULL, "1"), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "READONLY You can't write");
    await_event(trial.store, &trial.watch, STORE_EVENT_DISCONNECTED, "READONLY the server is");
    REDIS_RUN(trial.server, "REPLICAOF", "NO", "ONE");
    expect_marks_recover(&trial, NULL);
    close_trial(&trial);
}

Test(redis_watermark, right_to_its_key_is_missing)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "resetkeys", "~scene:{*", "%R~scene:*");
    open_as_user(&trial, "secret");
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "NOPERM");
    cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "~scene:watermark:*");
    expect_recovery(&trial);
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "resetkeys", "~scene:{*");
    expect_marks_wait(&trial, NULL, "grant the user the commands");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "~scene:watermark:*");
    expect_marks_recover(&trial, NULL);
    close_trial(&trial);
}

Test(redis_watermark, right_to_info_that_is_taken_away)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "on", ">secret", DOCUMENTED_RIGHTS);
    open_as_user(&trial, "secret");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "-info");
    commit_works(&trial);
    expect_marks_wait(&trial, NULL, "grant the user the commands");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", "+info");
    expect_marks_recover(&trial, NULL);
    close_trial(&trial);
}

Test(redis_watermark, info_that_was_renamed_away)
{
    struct trial trial = {.server = redis_server_start_with(
                              (const char *const[]){"--rename-command", "INFO", "", NULL})};
    const struct redis_store_options options = options_on(&trial);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "rename-command");
    close_trial(&trial);
}

/* Told once, and found before any work as well. */
Test(redis_watermark, key_of_a_wrong_type)
{
    struct trial trial;
    open_trial(&trial, NULL);
    REDIS_RUN(trial.server, "SET", REDIS_FIXTURE_WATERMARK_KEY, "a string");
    commit_works(&trial); /* without a mark: nobody has noticed */
    cr_assert_eq(try_marked_commit(&trial, "1"), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "WATERMARK WRONGTYPE");
    cr_assert_not_null(strstr(trial.watch.details[trial.watch.seen - 1],
                              "<redis.key_prefix>watermark:<group>: remove it"));
    sleep_ms(100);
    cr_assert_eq(try_mark(&trial, NULL, "1"), STORE_UNKNOWN);
    REDIS_RUN(trial.server, "DEL", REDIS_FIXTURE_WATERMARK_KEY);
    expect_marks_recover(&trial, NULL);
    REDIS_RUN(trial.server, "DEL", REDIS_FIXTURE_WATERMARK_KEY);
    REDIS_RUN(trial.server, "RPUSH", REDIS_FIXTURE_WATERMARK_KEY, "a list");
    struct watermark_entry entry = {.name = span_of_text("t/0")};
    struct watermark_request read = {.entries = &entry, .count = 1, .arena = &trial.arena};
    cr_assert_eq(run_watermark(trial.store, &read), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "WATERMARK WRONGTYPE");
    close_trial(&trial);
}

Test(redis_watermark, key_that_was_of_a_wrong_type_from_the_start)
{
    struct trial trial = {.server = redis_server_start()};
    REDIS_RUN(trial.server, "SET", REDIS_FIXTURE_WATERMARK_KEY, "a string");
    const struct redis_store_options options = options_on(&trial);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "WATERMARK WRONGTYPE");
    REDIS_RUN(trial.server, "DEL", REDIS_FIXTURE_WATERMARK_KEY);
    expect_marks_recover(&trial, NULL);
    close_trial(&trial);
}

/* The scripts. */

Test(redis_watermark, both_forgotten_scripts_are_loaded_again_once)
{
    struct trial trial;
    struct watermark_entry entries[PIPELINED];
    struct watermark_request writes[PIPELINED];
    struct scene_commit commits[PIPELINED];
    open_trial(&trial, NULL);
    REDIS_RUN(trial.server, "SCRIPT", "FLUSH");
    REDIS_RUN(trial.server, "CONFIG", "RESETSTAT");
    for (size_t i = 0; i < PIPELINED; i++) {
        commits[i] = next_commit(&trial);
        trial.version++;
        store_submit_commit(trial.store, &commits[i]);
        entries[i] = (struct watermark_entry){.name = text_in(&trial.arena, "t/%zu", i),
                                              .value = span_of_text("1")};
        writes[i] = (struct watermark_request){
            .entries = &entries[i], .count = 1, .is_write = true, .arena = &trial.arena};
        store_submit_watermark(trial.store, &writes[i]);
    }
    while (store_poll(trial.store, 50) > 0) {
    }
    for (size_t i = 0; i < PIPELINED; i++) {
        cr_assert_eq(commits[i].status, STORE_DONE, "commit %zu", i);
        cr_assert_eq(writes[i].status, STORE_DONE, "write %zu", i);
    }
    cr_assert_eq(info_number(trial.server, "commandstats", "cmdstat_script|load:calls="), 2);
    close_trial(&trial);
}

static void await_cluster(struct redis_server *server)
{
    const uint64_t deadline_ms = monotonic_ms() + SYNC_WAIT_MS;
    bool is_up = false;
    while (!is_up) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "the cluster does not come up");
        redisReply *const reply =
            redis_server_query(server, (const char *const[]){"CLUSTER", "INFO", NULL});
        is_up = strstr(reply->str, "cluster_state:ok") != NULL;
        freeReplyObject(reply);
        sleep_ms(10);
    }
}

/* In a Cluster a script's keys must be in one slot, and the watermark is not in the scenes'. */
Test(redis_watermark, commits_do_without_it_in_a_cluster)
{
    struct fake_redis bus = fake_redis_start(); /* for its free port */
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", bus.port);
    fake_redis_stop(&bus);
    struct trial trial = {.server = redis_server_start_with((const char *const[]){
                              "--cluster-enabled", "yes", "--cluster-port", port, NULL})};
    REDIS_RUN(trial.server, "CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await_cluster(trial.server);
    const struct redis_store_options options = options_on(&trial);
    open_store(&trial, &options);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    cr_assert_eq(try_marked_commit(&trial, "nothing says so"), STORE_DONE);
    cr_assert_eq(try_mark(&trial, NULL, "1"), STORE_DONE);
    cr_assert_eq(try_mark(&trial, NULL, "2"), STORE_DISOWNED);
    cr_assert(span_equal_text(find_mark(&trial), "1"));
    close_trial(&trial);
}

/* Servers that answer what the scripts never would. */

#define SHA "$40\r\n0123456789012345678901234567890123456789\r\n"
#define HELLO "*2\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n+OK\r\n" SHA SHA
#define DONE "*1\r\n:1\r\n"
#define DROPPED "*2\r\n:1\r\n$1\r\nc\r\n"
#define QUEUED "+QUEUED\r\n"
#define COMMITS                                                                                    \
    "+OK\r\n" QUEUED QUEUED QUEUED QUEUED QUEUED QUEUED "*6\r\n:0\r\n" DONE DONE DROPPED DONE      \
    ":6\r\n"
#define HISTORY "*2\r\n:1\r\n$4\r\nabcd\r\n"

/** A store that has just connected to a server made of texts. */
static struct fake_redis open_fake(struct trial *trial)
{
    *trial = (struct trial){.server = redis_server_start()};
    struct redis_store_options options = options_on(trial);
    struct fake_redis fake = fake_redis_start();
    options.address.port = fake.port;
    open_store(trial, &options);
    fake_redis_accept(&fake, trial->store);
    return fake;
}

static void close_fake(struct trial *trial, struct fake_redis *fake)
{
    fake_redis_stop(fake);
    close_trial(trial);
}

Test(redis_watermark, servers_that_it_cannot_work_with)
{
    static const struct {
        const char *check; /* the reply to the probe's call of the script */
        const char *detail;
    } cases[] = {
        {"-UNSUPPORTED the server names no replication id\r\n", "upgrade to Redis 7.0"},
        {":1\r\n", "SELFTEST the watermark's script"},
        {DONE, "SELFTEST the watermark's script"},
        {"*2\r\n:1\r\n:2\r\n", "SELFTEST the watermark's script"},
        {"*2\r\n:1\r\n$0\r\n\r\n", "SELFTEST the watermark's script"},
        {"*2\r\n:1\r\n$65\r\n01234567890123456789012345678901234567890123456789012345678901234\r\n",
         "SELFTEST the watermark's script"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct trial trial;
        struct fake_redis fake = open_fake(&trial);
        fake_redis_say(&fake, HELLO);
        fake_redis_say(&fake, cases[i].check);
        await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, cases[i].detail);
        close_fake(&trial, &fake);
    }
}

Test(redis_watermark, replies_of_another_shape_fail_the_request)
{
    static const struct {
        bool is_write;
        const char *said;
    } cases[] = {
        {false, ":1\r\n"},
        {false, "*0\r\n"},
        {false, "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"},
        {true, "+OK\r\n"},
        {true, "*0\r\n"},
        {true, "*1\r\n$1\r\n1\r\n"},
        {true, "*1\r\n:0\r\n"},
        {true, "*3\r\n:0\r\n$1\r\n1\r\n$1\r\n2\r\n"},
        {true, "*2\r\n:7\r\n$1\r\n1\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct trial trial;
        struct fake_redis fake = open_fake(&trial);
        fake_redis_say(&fake, HELLO HISTORY COMMITS);
        await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
        struct watermark_entry entry = {.name = span_of_text("t/0"), .value = span_of_text("x")};
        struct watermark_request request = {
            .entries = &entry, .count = 1, .is_write = cases[i].is_write, .arena = &trial.arena};
        fake_redis_say(&fake, cases[i].said);
        store_submit_watermark(trial.store, &request);
        for (int k = 0; k < 100 && request.status == STORE_IN_FLIGHT; k++) {
            (void)store_poll(trial.store, 10);
        }
        cr_assert_eq(request.status, STORE_FAILED, "case %zu: %d", i, (int)request.status);
        cr_assert_not_null(strstr(request.error.message, "another shape"), "case %zu", i);
        close_fake(&trial, &fake);
    }
}

Test(redis_watermark, commit_reply_of_another_shape_fails_it)
{
    struct trial trial;
    struct fake_redis fake = open_fake(&trial);
    fake_redis_say(&fake, HELLO HISTORY COMMITS);
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    fake_redis_say(&fake, "*1\r\n:3\r\n");
    cr_assert_eq(try_commit(&trial), STORE_FAILED);
    close_fake(&trial, &fake);
}
