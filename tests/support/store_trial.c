#include "tests/support/store_trial.h"

#include <criterion/criterion.h>

#include "tests/support/store_contract.h"
#include "tests/support/store_requests.h"

enum { ARENA_BYTES_MAX = 1 << 20 };

struct redis_store_options options_on(struct trial *trial)
{
    const struct store_retention retention = contract_retention();
    struct redis_store_options options = redis_fixture_options(trial->server, &retention);
    options.command_timeout_ms = TRIAL_TIMEOUT_MS;
    options.observer = store_watch_observer(&trial->watch);
    return options;
}

void open_store(struct trial *trial, const struct redis_store_options *options)
{
    trial->store = redis_store_create(options);
    cr_assert_not_null(trial->store);
    arena_init(&trial->arena, ARENA_BYTES_MAX);
}

void open_trial(struct trial *trial, const char *const *arguments)
{
    *trial = (struct trial){.server = redis_server_start_with(arguments)};
    const struct redis_store_options options = options_on(trial);
    open_store(trial, &options);
    await_event(trial->store, &trial->watch, STORE_EVENT_CONNECTED, "127.0.0.1");
    cr_assert(store_is_ready(trial->store));
}

void close_trial(struct trial *trial)
{
    cr_assert_eq(trial->watch.seen, trial->watch.count, "one event more: %s",
                 trial->watch.details[trial->watch.seen]);
    store_destroy(trial->store);
    arena_deinit(&trial->arena);
    redis_server_stop(trial->server);
}

struct scene_commit next_commit(struct trial *trial)
{
    static const struct element_write element = {
        .id = {.data = (const uint8_t *)"a", .size = 1},
        .value = {.data = (const uint8_t *)"v", .size = 1}};
    struct scene_commit commit = commit_to("s", trial->version + 1, &trial->arena);
    commit.elements = &element;
    commit.element_count = 1;
    return commit;
}

enum store_status try_commit(struct trial *trial)
{
    struct scene_commit commit = next_commit(trial);
    const enum store_status status = run_commit(trial->store, &commit);
    trial->version += status == STORE_DONE;
    return status;
}

void commit_works(struct trial *trial)
{
    await_ready(trial->store);
    cr_assert_eq(try_commit(trial), STORE_DONE);
}

void expect_waiting(struct trial *trial, const char *reason)
{
    cr_assert_eq(try_commit(trial), STORE_UNKNOWN);
    cr_assert(!store_is_ready(trial->store));
    await_event(trial->store, &trial->watch, STORE_EVENT_WAITING, reason);
    cr_assert_eq(try_commit(trial), STORE_UNKNOWN);
}

void expect_recovery(struct trial *trial)
{
    await_event(trial->store, &trial->watch, STORE_EVENT_CONNECTED, "");
    commit_works(trial);
}

enum store_status try_mark(struct trial *trial, const char *expected, const char *value)
{
    struct watermark_entry entry = {.name = span_of_text("t/0"), .value = span_of_text(value)};
    if (expected != NULL) {
        entry.expected = span_of_text(expected);
    }
    struct watermark_request request = {
        .entries = &entry, .count = 1, .is_write = true, .arena = &trial->arena};
    return run_watermark(trial->store, &request);
}

struct span find_mark(struct trial *trial)
{
    struct watermark_entry entry = {.name = span_of_text("t/0")};
    struct watermark_request request = {.entries = &entry, .count = 1, .arena = &trial->arena};
    cr_assert_eq(run_watermark(trial->store, &request), STORE_DONE, "%s", request.error.message);
    return entry.found;
}

void open_as_user(struct trial *trial, const char *password)
{
    struct redis_store_options options = options_on(trial);
    options.username = "worker";
    options.password = password;
    open_store(trial, &options);
}
