/* Troubles that only some scenes meet: the self test, which is about others, does not see them. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "tests/support/child_process.h"
#include "tests/support/store_requests.h"
#include "tests/support/store_trial.h"

enum { TROUBLE_MS = 3000 };

/* May write to no scene but those of the self test, and "open"; may read all. */
#define RIGHTS_ON_SOME                                                                             \
    DOCUMENTED_RIGHTS, "resetkeys", "%R~scene:{*", "~scene:{scenesync-selftest-*",                 \
        "~scene:{open}*", "~scene:watermark:*"

static void open_trial_with_rights_on_some(struct trial *trial)
{
    *trial = (struct trial){.server = redis_server_start()};
    REDIS_RUN(trial->server, "ACL", "SETUSER", "worker", "on", ">secret", RIGHTS_ON_SOME);
    open_as_user(trial, "secret");
    await_event(trial->store, &trial->watch, STORE_EVENT_CONNECTED, "");
}

/* Each begins with a HELLO; nobody else here says one. */
static int self_tests(struct trial *trial)
{
    static const char *const command[] = {"INFO", "commandstats", NULL};
    redisReply *const reply = redis_server_query(trial->server, command);
    const char *const name = "cmdstat_hello:calls=", *const at = strstr(reply->str, name);
    const int calls = at != NULL ? (int)strtol(at + strlen(name), NULL, 10) : 0;
    freeReplyObject(reply);
    return calls;
}

/* As the worker does: reads, decides, commits, again and again. */
static void insist(struct trial *trial)
{
    const uint64_t until_ms = monotonic_ms() + TROUBLE_MS;
    while (monotonic_ms() < until_ms) {
        if (!store_is_ready(trial->store)) {
            (void)store_poll(trial->store, 20);
            continue;
        }
        struct span id = span_of_text("a");
        struct scene_load load = {.session_id = span_of_text("s"),
                                  .element_ids = &id,
                                  .element_count = 1,
                                  .arena = &trial->arena};
        cr_assert_eq(run_load(trial->store, &load), STORE_DONE);
        cr_assert_eq(try_commit(trial), STORE_UNKNOWN);
    }
}

Test(redis_some_scenes, pauses_grow_and_it_is_said_once)
{
    struct trial trial;
    open_trial_with_rights_on_some(&trial);
    const int before = self_tests(&trial);
    insist(&trial);
    const int tests = self_tests(&trial) - before;
    cr_expect_leq(tests, 25, "%d self tests in %d ms", tests, TROUBLE_MS);
    cr_expect_geq(tests, 2);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "NOPERM");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    cr_expect_eq(trial.watch.seen, trial.watch.count, "%zu events", trial.watch.count);

    /* A commit that is served ends it, and the next one is a new trouble. */
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", DOCUMENTED_RIGHTS);
    commit_works(&trial);
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", RIGHTS_ON_SOME);
    const uint64_t since_ms = monotonic_ms();
    expect_waiting(&trial, "NOPERM");
    REDIS_RUN(trial.server, "ACL", "SETUSER", "worker", DOCUMENTED_RIGHTS);
    expect_recovery(&trial);
    cr_expect_lt(monotonic_ms() - since_ms, (uint64_t)1000, "pauses began anew");
    close_trial(&trial);
}

/* A server that is healthy for most: their work is no trouble. */
Test(redis_some_scenes, others_go_on)
{
    struct trial trial;
    open_trial_with_rights_on_some(&trial);
    struct scene_commit commit = commit_to("open", 1, &trial.arena);
    cr_assert_eq(try_commit(&trial), STORE_UNKNOWN);
    await_event(trial.store, &trial.watch, STORE_EVENT_WAITING, "NOPERM");
    await_event(trial.store, &trial.watch, STORE_EVENT_CONNECTED, "");
    cr_assert_eq(run_commit(trial.store, &commit), STORE_DONE);
    close_trial(&trial);
}
