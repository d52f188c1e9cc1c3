/*
 * The independent model (tests/model) against protocol.md, the table of section 4, retries and base
 * versions: what is written here by hand, and in the tests of its elements and of merge, is the
 * document's tables and examples, so that the model can be trusted where it judges the worker.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/model_fixture.h"

TestSuite(model, .init = model_fixture_begin, .fini = model_fixture_end);

/* --- The table of section 4 --- */

enum state { UNKNOWN, REMOVED, PRESENT };

/* What an operation at `t` does to an element whose clock is 100: its outcome_of() by strategy. */
struct row {
    const char *operation;
    enum state state;
    const char *reason, *outcomes[4];
};

static const struct row rows[] = {
    {ADD("a", 2, 100), UNKNOWN, NULL, {"ok", "ok", "ok", "ok"}},
    {ADD("a", 2, 101), REMOVED, NULL, {"ok", "ok", "ok", "ok"}},
    {ADD("a", 2, 100),
     REMOVED,
     "StaleTimestamp",
     {"stale_timestamp", "stale_timestamp", "remote", "stale_timestamp"}},
    {ADD("a", 2, 99),
     REMOVED,
     "StaleTimestamp",
     {"stale_timestamp", "stale_timestamp", "remote", "stale_timestamp"}},
    {ADD("a", 2, 100),
     PRESENT,
     "ElementAlreadyExists",
     {"remote", "element_already_exists", "remote", "merge"}},
    {ADD("a", 2, 99),
     PRESENT,
     "StaleTimestamp",
     {"stale_timestamp", "stale_timestamp", "remote", "stale_timestamp"}},
    {UPDATE("a", 2, 100),
     UNKNOWN,
     "ElementNotFound",
     {"+element_not_found", "+element_not_found", "+element_not_found", "+element_not_found"}},
    {UPDATE("a", 2, 99),
     REMOVED,
     "StaleTimestamp",
     {"stale_timestamp", "stale_timestamp", "stale_timestamp", "stale_timestamp"}},
    {UPDATE("a", 2, 100),
     REMOVED,
     "ElementNotFound",
     {"+element_not_found", "+element_not_found", "+element_not_found", "+element_not_found"}},
    {UPDATE("a", 2, 100), PRESENT, NULL, {"ok", "ok", "ok", "ok"}},
    {UPDATE("a", 2, 99),
     PRESENT,
     "StaleTimestamp",
     {"stale_timestamp", "stale_timestamp", "remote", "stale_timestamp"}},
    {REMOVE("a", 100), PRESENT, NULL, {"ok", "ok", "ok", "ok"}},
    {REMOVE("a", 99),
     PRESENT,
     "StaleTimestamp",
     {"stale_timestamp", "stale_timestamp", "remote", "stale_timestamp"}},
    {REMOVE("a", 100),
     UNKNOWN,
     "ElementNotFound",
     {"+element_not_found", "+element_not_found", "+element_not_found", "+element_not_found"}},
    {REMOVE("a", 500),
     REMOVED,
     "ElementNotFound",
     {"element_removed", "element_removed", "element_removed", "element_removed"}},
    {INTERACTION(5), PRESENT, NULL, {"ok", "ok", "ok", "ok"}},
};

static void given_state(enum state state)
{
    if (state != UNKNOWN) {
        given(OPERATIONS(ADD("a", 1, 100)));
    }
    if (state == REMOVED) {
        given(OPERATIONS(REMOVE("a", 100)));
    }
}

Test(model, does_what_the_table_says)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned strategy = MODEL_LAST_WRITE_WINS; strategy <= MODEL_MERGE; strategy++) {
            const struct row *const row = &rows[i];
            model_scene_free(&model_fixture.scene);
            given_state(row->state);
            const uint64_t version = model_fixture.scene.version;
            char operations[300];
            (void)snprintf(operations, sizeof(operations), "[%s]", row->operation);
            const struct model_verdict verdict =
                apply_batch((enum model_strategy)strategy, operations);
            const char *const name = model_strategy_name((enum model_strategy)strategy);
            cr_assert_str_eq(outcome_of(&verdict), row->outcomes[strategy], "%s in state %d, %s",
                             row->operation, (int)row->state, name);
            cr_assert_eq(verdict.has_conflict, row->reason != NULL);
            cr_assert(row->reason == NULL || strcmp(verdict.reason, row->reason) == 0);
            const bool is_interaction = strstr(row->operation, "interaction") != NULL;
            const bool is_raised = strcmp(row->outcomes[strategy], "element_removed") == 0;
            const bool changes = (verdict.standing == MODEL_SYNCED && !is_interaction) || is_raised;
            cr_assert_eq(model_fixture.scene.version, version + (changes ? 1 : 0), "%s, %s",
                         row->operation, name);
        }
    }
}

Test(model, keeps_clocks_from_going_back)
{
    given_state(PRESENT);
    (void)apply_batch(MODEL_REMOTE_WINS, OPERATIONS(UPDATE("a", 2, 50)));
    cr_assert_eq(element("a")->timestamp_ms, 100);
    (void)apply_batch(MODEL_REMOTE_WINS, OPERATIONS(REMOVE("a", 50)));
    cr_assert_eq(element("a")->timestamp_ms, 100);
    (void)apply_batch(MODEL_REMOTE_WINS, OPERATIONS(ADD("a", 2, 50)));
    cr_assert_eq(element("a")->timestamp_ms, 100);
    cr_assert_eq(model_fixture.scene.version, 4);
}

Test(model, raises_a_tombstone_and_its_version)
{
    given_state(REMOVED);
    const struct model_verdict verdict =
        apply_batch(MODEL_LOCAL_WINS, OPERATIONS(REMOVE("a", 300)));
    cr_assert_eq(verdict.local.version, 2);
    cr_assert(verdict.local.is_removed);
    cr_assert_eq(element("a")->timestamp_ms, 300);
    cr_assert_eq(element("a")->version, 3);
    cr_assert_eq(element("a")->removed_at_ms, RECORD_MS);
    (void)apply_batch(MODEL_LOCAL_WINS, OPERATIONS(REMOVE("a", 200)));
    cr_assert_eq(model_fixture.scene.version, 3, "nothing rose");
}

Test(model, lets_a_batch_add_what_it_removed)
{
    given_state(PRESENT);
    const struct model_verdict verdict =
        apply_batch(MODEL_LAST_WRITE_WINS, OPERATIONS(REMOVE("a", 100), ADD("a", 5, 100)));
    cr_assert_str_eq(outcome_of(&verdict), "ok");
    cr_assert_eq(model_fixture.scene.version, 2, "one attempt, one version");
    cr_assert_eq(model_fixture.scene.element_count, 1);
}

Test(model, retries_until_there_are_no_retries_left)
{
    struct batch_run it;
    begin_batch(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(UPDATE("u", 1, 10), REMOVE("r", 10)));
    exhaust_batch(&it);
    cr_assert_eq(it.run.attempt, 4);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_str_eq(it.run.verdicts[i].code, "element_not_found");
        cr_assert(it.run.verdicts[i].is_retryable && it.run.verdicts[i].is_out_of_retries);
    }
    cr_assert(element("r")->is_removed, "an older add shall not bring it back");
    cr_assert_eq(model_fixture.scene.version, 1);
    model_run_free(&it.run);
}

Test(model, ends_an_update_of_a_removed_element_as_element_removed)
{
    given_state(REMOVED);
    struct batch_run it;
    begin_batch(&it, MODEL_REMOTE_WINS, OPERATIONS(UPDATE("a", 1, 200)));
    exhaust_batch(&it);
    cr_assert_str_eq(it.run.verdicts[0].code, "element_removed");
    cr_assert_not(it.run.verdicts[0].is_retryable);
    cr_assert(it.run.verdicts[0].is_out_of_retries);
    model_run_free(&it.run);
}

Test(model, applies_on_a_retry_and_remembers_the_conflict)
{
    struct batch_run it;
    begin_batch(&it, MODEL_LOCAL_WINS, OPERATIONS(INTERACTION(1), UPDATE("a", 7, 200)));
    attempt_batch(&it);
    cr_assert_eq(model_run_counts(&it.run).pending, 1);
    given(OPERATIONS(ADD("a", 1, 100)));
    attempt_batch(&it);
    const struct model_verdict *const verdict = &it.run.verdicts[1];
    cr_assert_str_eq(outcome_of(verdict), "remote");
    cr_assert_str_eq(verdict->reason, "ElementNotFound");
    cr_assert_eq(verdict->local.version, 0);
    cr_assert_eq(it.run.verdicts[0].attempt, 1);
    cr_assert_eq(verdict->attempt, 2);
    cr_assert_eq(model_run_counts(&it.run).synced, 2);
    model_run_free(&it.run);
}

Test(model, keeps_local_on_a_retry_under_remote_wins)
{
    struct batch_run it;
    begin_batch(&it, MODEL_REMOTE_WINS, OPERATIONS(UPDATE("a", 7, 50)));
    attempt_batch(&it);
    given(OPERATIONS(ADD("a", 1, 100)));
    attempt_batch(&it);
    cr_assert_str_eq(outcome_of(&it.run.verdicts[0]), "stale_timestamp");
    model_run_free(&it.run);
}

Test(model, fails_everything_of_an_attempt_that_lost_its_races)
{
    given_state(PRESENT);
    struct batch_run it;
    begin_batch(&it, MODEL_LAST_WRITE_WINS,
                OPERATIONS(UPDATE("a", 7, 500), INTERACTION(1), INVALID));
    struct model_attempt decided;
    model_attempt_decide(&model_fixture.scene, &it.run, RECORD_MS, true, &decided);
    model_attempt_take(&decided, &model_fixture.scene, &it.run);
    cr_assert_str_eq(outcome_of(&it.run.verdicts[0]), "+concurrent_modification");
    cr_assert_str_eq(outcome_of(&it.run.verdicts[1]), "ok");
    cr_assert_str_eq(outcome_of(&it.run.verdicts[2]), "invalid_operation");
    cr_assert_eq(model_fixture.scene.version, 1);
    model_run_free(&it.run);
}

Test(model, clamps_clocks_that_run_ahead)
{
    struct batch_run it;
    begin_batch(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(ADD("a", 1, 9000000), INTERACTION(9000000)));
    attempt_batch(&it);
    cr_assert_eq(element("a")->timestamp_ms, ARRIVAL_MS);
    cr_assert_eq(model_run_counts(&it.run).clamped, 2);
    model_run_free(&it.run);
}

Test(model, leaves_the_scene_alone_until_an_attempt_is_taken)
{
    struct batch_run it;
    struct model_attempt decided;
    begin_batch(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(ADD("a", 1, 1)));
    model_attempt_decide(&model_fixture.scene, &it.run, RECORD_MS, false, &decided);
    cr_assert(decided.has_changed);
    model_attempt_free(&decided);
    cr_assert_eq(model_fixture.scene.count, 0);
    model_attempt_decide(&model_fixture.scene, &it.run, RECORD_MS, false, &decided);
    model_attempt_drop_changes(&decided, &model_fixture.scene);
    model_attempt_take(&decided, &model_fixture.scene, &it.run);
    cr_assert_eq(model_fixture.scene.count, 0);
    cr_assert_eq(model_fixture.scene.version, 0);
    cr_assert_eq(it.run.verdicts[0].standing, MODEL_SYNCED);
    model_run_free(&it.run);
}

/* --- base_version --- */

static const char *outcome_on_base(enum model_strategy strategy, uint64_t base, uint64_t t_ms)
{
    static char text[64];
    model_scene_free(&model_fixture.scene);
    given_state(PRESENT);
    char operations[200];
    (void)snprintf(operations, sizeof(operations),
                   "[{'op':'update','id':'a','changes':{'n':9},'timestamp':%llu,"
                   "'base_version':%llu}]",
                   (unsigned long long)t_ms, (unsigned long long)base);
    const struct model_verdict verdict = apply_batch(strategy, operations);
    (void)snprintf(text, sizeof(text), "%s", outcome_of(&verdict));
    cr_assert_eq(verdict.has_conflict, base != 1);
    cr_assert(base == 1 || strcmp(verdict.reason, "ConcurrentModification") == 0);
    return text;
}

Test(model, compares_base_versions)
{
    for (unsigned strategy = MODEL_LAST_WRITE_WINS; strategy <= MODEL_MERGE; strategy++) {
        cr_assert_str_eq(outcome_on_base((enum model_strategy)strategy, 1, 5), "ok");
    }
    cr_assert_str_eq(outcome_on_base(MODEL_LAST_WRITE_WINS, 7, 100), "remote");
    cr_assert_str_eq(outcome_on_base(MODEL_LAST_WRITE_WINS, 7, 99), "concurrent_modification");
    cr_assert_str_eq(outcome_on_base(MODEL_LOCAL_WINS, 7, 500), "concurrent_modification");
    cr_assert_str_eq(outcome_on_base(MODEL_REMOTE_WINS, 7, 5), "remote");
    cr_assert_str_eq(outcome_on_base(MODEL_MERGE, 7, 500), "merge");
    cr_assert_str_eq(outcome_on_base(MODEL_MERGE, 7, 5), "concurrent_modification");
}

Test(model, compares_with_the_version_before_the_batch)
{
    given_state(PRESENT);
    const struct model_verdict verdict = apply_batch(
        MODEL_LOCAL_WINS, OPERATIONS(UPDATE_ON(1, "a", 5, 200), UPDATE_ON(1, "a", 6, 201)));
    cr_assert_str_eq(outcome_of(&verdict), "ok");
    const struct model_verdict added =
        apply_batch(MODEL_LOCAL_WINS, OPERATIONS(ADD("b", 1, 100), UPDATE_ON(9, "b", 6, 201)));
    cr_assert_str_eq(outcome_of(&added), "ok", "it has no effect on what the batch added");
}
