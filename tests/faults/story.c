#include "tests/faults/story.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/ledger_reader.h"

enum {
    MOVE_BASE_MS = 1000, /* `a`'s timestamps rise from here */
    ADD_MS = 500,
    WAITING = 5, /* places in a round */
    REMOVING = 6,
    AWAITED = 7,
    REMOVED = 4
};

/* One batch of a session: its place is its number among the session's. */
struct place {
    int session, number;
};

static struct place place_of(const struct story *story, int batch)
{
    return (struct place){.session = batch % story->session_count,
                          .number = batch / story->session_count};
}

static int batches_of(const struct story *story, int session)
{
    return (story->sent - session + story->session_count - 1) / story->session_count;
}

static const char *session_id(int session)
{
    return text_of_format("s%d", session);
}

static const char *batch_id(struct place place)
{
    return text_of_format("b%d-%d", place.session, place.number);
}

static uint64_t time_of(int number)
{
    return MOVE_BASE_MS + (uint64_t)number;
}

static const char *move_of(int number)
{
    return number == 0 ? op_add("a", 0, MOVE_BASE_MS) : op_move("a", number, time_of(number));
}

static const char *operations_of(int number)
{
    const char *const own = text_of_format("e%d", number);
    const char *const awaited = text_of_format("e%d", number - AWAITED + WAITING);
    switch (number % STORY_ROUND) {
    case WAITING:
        return op_move(own, number, time_of(number));
    case REMOVING:
        return ops(move_of(number),
                   op_remove(text_of_format("e%d", number - REMOVING + REMOVED), time_of(number)));
    case AWAITED:
        return ops(ops(move_of(number), op_add(own, number, ADD_MS)), op_add(awaited, -1, ADD_MS));
    default:
        return ops(move_of(number), op_add(own, number, ADD_MS));
    }
}

struct story story_begin(struct world *world, int partition_count, int session_count)
{
    cr_assert_leq(session_count, (int)STORY_SESSIONS_MAX);
    world_set(world, "retry.initial_delay_ms=300");
    world_set(world, "retry.backoff_multiplier=5");
    return (struct story){
        .world = world, .partition_count = partition_count, .session_count = session_count};
}

void story_send(struct story *story, int batch_count)
{
    for (int i = 0; i < batch_count; i++) {
        cr_assert_lt(story->sent, (int)STORY_BATCHES_MAX);
        const struct place place = place_of(story, story->sent++);
        (void)world_send(
            story->world, place.session % story->partition_count,
            sent_batch(session_id(place.session), batch_id(place), operations_of(place.number)));
    }
}

void story_send_until_count(struct story *story, struct worker_process *worker, const char *text,
                            size_t count, int pause_ms)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (worker_process_log_count(worker, text) < count) {
        if (monotonic_ms() >= deadline_ms) {
            world_show_logs(story->world);
            cr_assert_fail("\"%s\" is not %zu times in the worker's log within %d ms", text, count,
                           WORLD_WAIT_MS);
        }
        story_send(story, story->session_count);
        sleep_ms(pause_ms);
    }
}

void story_send_until(struct story *story, struct worker_process *worker, const char *text,
                      int pause_ms)
{
    story_send_until_count(story, worker, text, 1, pause_ms);
}

void story_send_for(struct story *story, int duration_ms, int pause_ms)
{
    const uint64_t end_ms = monotonic_ms() + (uint64_t)duration_ms;
    while (monotonic_ms() < end_ms) {
        story_send(story, story->session_count);
        sleep_ms(pause_ms);
    }
}

void story_settle(struct story *story)
{
    const int round = STORY_ROUND * story->session_count;
    story_send(story, (round - story->sent % round) % round);
    world_settle(story->world);
}

/* ---- Results ---- */

/* What was said of one batch. */
struct account {
    const struct sync_result *final;
    struct span attempts[4]; /* the bytes of each attempt's result */
};

struct accounts {
    struct account *by_batch;
    bool may_differ;
};

static void fail(const struct story *story, const char *batch, const char *what)
{
    world_show_logs(story->world);
    cr_assert_fail("%s: %s", batch, what);
}

static int batch_of_result(const struct story *story, const struct sync_result *result)
{
    struct place place = {.session = -1};
    char text[64];
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(result->batch_id));
    const int matched = sscanf(text, "b%d-%d", &place.session, &place.number);
    const int batch = place.number * story->session_count + place.session;
    cr_assert(matched == 2 && batch >= 0 && batch < story->sent, "a result of batch %s", text);
    return batch;
}

static void take_result(const struct story *story, struct accounts *accounts,
                        const struct sync_result *result, struct span bytes)
{
    const int batch = batch_of_result(story, result);
    const char *const name = batch_id(place_of(story, batch));
    struct account *const account = &accounts->by_batch[batch];
    const size_t attempts_max = sizeof(account->attempts) / sizeof(account->attempts[0]);
    cr_assert(result->attempts >= 1 && result->attempts <= attempts_max, "%s: attempt %u", name,
              result->attempts);
    struct span *const first = &account->attempts[result->attempts - 1];
    if (!accounts->may_differ && first->data != NULL && !span_equal(*first, bytes)) {
        fail(story, name, "two results of one attempt differ");
    }
    *first = bytes;
    if (result->final) {
        if (!accounts->may_differ && account->final != NULL &&
            account->final->attempts != result->attempts) {
            fail(story, name, "it is final twice");
        }
        account->final = result;
    }
}

static struct accounts read_accounts(struct story *story, bool may_differ)
{
    const struct result_list results = world_results(story->world, NULL);
    struct accounts accounts = {.by_batch = calloc((size_t)story->sent, sizeof(struct account)),
                                .may_differ = may_differ};
    cr_assert_not_null(accounts.by_batch);
    for (size_t i = 0; i < results.count; i++) {
        take_result(story, &accounts, &results.items[i], results.records[i]->value);
    }
    return accounts;
}

static void expect_told(const struct story *story, const struct account *account,
                        struct place place)
{
    const bool must_wait = place.number % STORY_ROUND == WAITING;
    if (account->final == NULL) {
        fail(story, batch_id(place), "it has no final result");
    } else if (!sync_result_is_success(account->final)) {
        fail(story, batch_id(place), "it did not succeed");
    } else if (account->final->conflict_count != (must_wait ? 1 : 0)) {
        fail(story, batch_id(place), "it met a conflict that was none");
    } else if ((account->final->attempts > 1) != must_wait) {
        fail(story, batch_id(place), "it took another number of attempts than it should");
    }
}

/* Every version up to the last stands for one batch, in the log's order but for retries. */
static void expect_versions(const struct story *story, const struct accounts *accounts, int session)
{
    const int count = batches_of(story, session);
    bool *const is_taken = calloc((size_t)count + 1, sizeof(bool));
    cr_assert_not_null(is_taken);
    uint64_t previous = 0;
    for (int number = 0; number < count; number++) {
        const struct place place = {.session = session, .number = number};
        const int batch = number * story->session_count + session;
        const uint64_t version = accounts->by_batch[batch].final->scene_version;
        if (version < 1 || version > (uint64_t)count || is_taken[version]) {
            fail(story, batch_id(place), "its version is another's, or none");
        }
        is_taken[version] = true;
        if (number % STORY_ROUND != WAITING) {
            if (version < previous) {
                fail(story, batch_id(place), "it was applied before its predecessor");
            }
            previous = version;
        }
    }
    free(is_taken);
}

/* ---- Scenes ---- */

static void expect_element(const struct story *story, const struct scene_view *scene,
                           struct place place)
{
    const char *const id = text_of_format("e%d", place.number);
    const int in_round = place.number % STORY_ROUND;
    const struct element_view *const element = scene_view_find(scene, id);
    if (in_round == REMOVING) {
        return; /* it adds none */
    }
    if (element == NULL) {
        fail(story, batch_id(place), "its element is lost");
    } else if (in_round == REMOVED) {
        if (scene_view_has(scene, id)) {
            fail(story, batch_id(place), "its element was removed and is there");
        }
    } else if (!scene_view_has(scene, id) || scene_view_transform(scene, id, "x") != place.number) {
        fail(story, batch_id(place), "its element is not as it left it");
    }
}

static void expect_scene(const struct story *story, int session)
{
    const int count = batches_of(story, session);
    const int rounds = count / STORY_ROUND;
    const struct scene_view scene = world_scene(story->world, session_id(session));
    const char *const name = session_id(session);
    if (scene.version != (uint64_t)count) {
        fail(story, name, text_of_format("version %d of %d batches", (int)scene.version, count));
    }
    for (int number = 0; number < count; number++) {
        expect_element(story, &scene, (struct place){.session = session, .number = number});
    }
    if (scene_view_transform(&scene, "a", "x") != count - 1) {
        fail(story, name, "`a` is not where the last batch moved it");
    }
    cr_assert_eq(scene.count, (size_t)(count - rounds + 1), "%s: elements nobody made", name);
    cr_assert_eq(scene.element_count, (uint64_t)(count - 2 * rounds + 1), "%s: element_count",
                 name);
}

/* ---- The ledger ---- */

static void expect_ledger(struct story *story, bool after_losses)
{
    enum { FINDINGS_SHOWN_MAX = 20 };
    const struct ledger_config config = {
        .retries_max = STORY_TIERS, .allow_batch_strategy = true, .lost_writes = after_losses};
    const struct ledger_topics topics = {.bootstrap =
                                             kafka_broker_bootstrap(world_broker(story->world)),
                                         .ops = TOPIC_OPS,
                                         .results = TOPIC_RESULTS,
                                         .dead_letter = TOPIC_DEAD,
                                         .retry_prefix = TOPIC_RETRY_PREFIX};
    struct ledger *const ledger = ledger_create(&config);
    struct ledger_counts counts;
    cr_assert(ledger_read_kafka(ledger, &topics));
    cr_assert(
        ledger_read_redis(ledger, "127.0.0.1", redis_server_port(world_redis(story->world)), NULL));
    const bool is_good = ledger_check(ledger, stderr, FINDINGS_SHOWN_MAX, &counts);
    ledger_destroy(ledger);
    if (!is_good) {
        fail(story, "the ledger", "it found what the operations do not explain");
    }
    cr_assert_eq(counts.batches, (uint64_t)story->sent);
}

static void expect(struct story *story, bool after_losses)
{
    struct accounts accounts = read_accounts(story, after_losses);
    for (int batch = 0; batch < story->sent; batch++) {
        expect_told(story, &accounts.by_batch[batch], place_of(story, batch));
    }
    for (int session = 0; session < story->session_count && session < story->sent; session++) {
        if (!after_losses) {
            expect_versions(story, &accounts, session);
        }
        expect_scene(story, session);
    }
    free(accounts.by_batch);
    cr_assert_eq(world_records(story->world, TOPIC_DEAD).count, 0);
    expect_ledger(story, after_losses);
}

void story_expect_once(struct story *story)
{
    expect(story, false);
}

void story_expect_once_after_losses(struct story *story)
{
    expect(story, true);
}
