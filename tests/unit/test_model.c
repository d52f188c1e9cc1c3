/*
 * The independent model (tests/model) against protocol.md, sections 3 and 4: what is written here
 * by hand is the document's tables and examples, so that the model can be trusted where it judges
 * the worker.
 */
#include "tests/model/model.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/dice.h"
#include "tests/support/messages.h"

enum { ARRIVAL_MS = 1000000, RECORD_MS = 5000, OPERATIONS_MAX = 8 };

static struct model_settings settings;
static struct model_scene scene;
static struct pool pool;

static void setup(void)
{
    settings = model_settings_default();
}

static void teardown(void)
{
    model_scene_free(&scene);
    pool_free(&pool);
}

TestSuite(model, .init = setup, .fini = teardown);

/* --- Batches that run on the scene --- */

struct batch_run {
    struct model_batch batch;
    struct model_run run;
};

static struct span batch_message(enum model_strategy strategy, const char *operations)
{
    return message_of_format("{'session_id':'s','batch_id':'b','strategy':'%s','operations':%s}",
                             model_strategy_name(strategy), operations);
}

static void begin(struct batch_run *it, enum model_strategy strategy, const char *operations)
{
    model_batch_read(batch_message(strategy, operations), &settings, false, &pool, &it->batch);
    cr_assert_null(it->batch.code, "refused: %s", it->batch.code);
    model_run_init(&it->run, &it->batch, &settings, ARRIVAL_MS);
}

static void attempt(struct batch_run *it)
{
    struct model_attempt decided;
    model_attempt_decide(&scene, &it->run, RECORD_MS, false, &decided);
    model_attempt_take(&decided, &scene, &it->run);
}

/* All attempts that there can be. */
static void exhaust(struct batch_run *it)
{
    do {
        attempt(it);
    } while (model_run_counts(&it->run).pending > 0);
}

/* One attempt of a batch; what became of its last operation. */
static struct model_verdict apply(enum model_strategy strategy, const char *operations)
{
    struct batch_run it;
    begin(&it, strategy, operations);
    attempt(&it);
    const struct model_verdict verdict = it.run.verdicts[it.batch.operation_count - 1];
    model_run_free(&it.run);
    return verdict;
}

static void given_by(enum model_strategy strategy, const char *operations)
{
    struct batch_run it;
    begin(&it, strategy, operations);
    exhaust(&it);
    model_run_free(&it.run);
}

static void given(const char *operations)
{
    given_by(MODEL_LAST_WRITE_WINS, operations);
}

static const struct model_element *element(const char *id)
{
    const struct model_element *const found = model_scene_find(&scene, span_of_text(id));
    cr_assert_not_null(found, "%s is unknown", id);
    return found;
}

static void expect_document(const char *id, const char *json)
{
    char path[200];
    const struct value *const expected = value_read(message_of(json), &pool);
    const struct value *const found = value_read(value_write(element(id)->document, &pool), &pool);
    cr_assert(value_is_same(expected, found, path, sizeof(path)), "%s: '%s' differs", id, path);
}

/* --- The table of section 4 --- */

enum state { UNKNOWN, REMOVED, PRESENT };

/* What an operation at `t` does to an element whose clock is 100, by strategy: "ok" is synced
 * without, "remote" with a conflict, "merge" merged; else the code, "+" in front: pending. */
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

static const char *outcome_of(const struct model_verdict *verdict)
{
    static char text[64];
    if (verdict->standing == MODEL_SYNCED) {
        if (!verdict->has_conflict) {
            return "ok";
        }
        return strcmp(verdict->resolution, "merge") == 0 ? "merge" : "remote";
    }
    (void)snprintf(text, sizeof(text), "%s%s", verdict->standing == MODEL_PENDING ? "+" : "",
                   verdict->code);
    return text;
}

Test(model, does_what_the_table_says)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned strategy = MODEL_LAST_WRITE_WINS; strategy <= MODEL_MERGE; strategy++) {
            const struct row *const row = &rows[i];
            model_scene_free(&scene);
            given_state(row->state);
            const uint64_t version = scene.version;
            char operations[300];
            (void)snprintf(operations, sizeof(operations), "[%s]", row->operation);
            const struct model_verdict verdict = apply((enum model_strategy)strategy, operations);
            const char *const name = model_strategy_name((enum model_strategy)strategy);
            cr_assert_str_eq(outcome_of(&verdict), row->outcomes[strategy], "%s in state %d, %s",
                             row->operation, (int)row->state, name);
            cr_assert_eq(verdict.has_conflict, row->reason != NULL);
            cr_assert(row->reason == NULL || strcmp(verdict.reason, row->reason) == 0);
            const bool is_interaction = strstr(row->operation, "interaction") != NULL;
            const bool is_raised = strcmp(row->outcomes[strategy], "element_removed") == 0;
            const bool changes = (verdict.standing == MODEL_SYNCED && !is_interaction) || is_raised;
            cr_assert_eq(scene.version, version + (changes ? 1 : 0), "%s, %s", row->operation,
                         name);
        }
    }
}

Test(model, keeps_clocks_from_going_back)
{
    given_state(PRESENT);
    (void)apply(MODEL_REMOTE_WINS, OPERATIONS(UPDATE("a", 2, 50)));
    cr_assert_eq(element("a")->timestamp_ms, 100);
    (void)apply(MODEL_REMOTE_WINS, OPERATIONS(REMOVE("a", 50)));
    cr_assert_eq(element("a")->timestamp_ms, 100);
    (void)apply(MODEL_REMOTE_WINS, OPERATIONS(ADD("a", 2, 50)));
    cr_assert_eq(element("a")->timestamp_ms, 100);
    cr_assert_eq(scene.version, 4);
}

Test(model, raises_a_tombstone_and_its_version)
{
    given_state(REMOVED);
    const struct model_verdict verdict = apply(MODEL_LOCAL_WINS, OPERATIONS(REMOVE("a", 300)));
    cr_assert_eq(verdict.local.version, 2);
    cr_assert(verdict.local.is_removed);
    cr_assert_eq(element("a")->timestamp_ms, 300);
    cr_assert_eq(element("a")->version, 3);
    cr_assert_eq(element("a")->removed_at_ms, RECORD_MS);
    (void)apply(MODEL_LOCAL_WINS, OPERATIONS(REMOVE("a", 200)));
    cr_assert_eq(scene.version, 3, "nothing rose");
}

Test(model, lets_a_batch_add_what_it_removed)
{
    given_state(PRESENT);
    const struct model_verdict verdict =
        apply(MODEL_LAST_WRITE_WINS, OPERATIONS(REMOVE("a", 100), ADD("a", 5, 100)));
    cr_assert_str_eq(outcome_of(&verdict), "ok");
    cr_assert_eq(scene.version, 2, "one attempt, one version");
    cr_assert_eq(scene.element_count, 1);
}

Test(model, retries_until_there_are_no_retries_left)
{
    struct batch_run it;
    begin(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(UPDATE("u", 1, 10), REMOVE("r", 10)));
    exhaust(&it);
    cr_assert_eq(it.run.attempt, 4);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_str_eq(it.run.verdicts[i].code, "element_not_found");
        cr_assert(it.run.verdicts[i].is_retryable && it.run.verdicts[i].is_out_of_retries);
    }
    cr_assert(element("r")->is_removed, "an older add shall not bring it back");
    cr_assert_eq(scene.version, 1);
    model_run_free(&it.run);
}

Test(model, ends_an_update_of_a_removed_element_as_element_removed)
{
    given_state(REMOVED);
    struct batch_run it;
    begin(&it, MODEL_REMOTE_WINS, OPERATIONS(UPDATE("a", 1, 200)));
    exhaust(&it);
    cr_assert_str_eq(it.run.verdicts[0].code, "element_removed");
    cr_assert_not(it.run.verdicts[0].is_retryable);
    cr_assert(it.run.verdicts[0].is_out_of_retries);
    model_run_free(&it.run);
}

Test(model, applies_on_a_retry_and_remembers_the_conflict)
{
    struct batch_run it;
    begin(&it, MODEL_LOCAL_WINS, OPERATIONS(INTERACTION(1), UPDATE("a", 7, 200)));
    attempt(&it);
    cr_assert_eq(model_run_counts(&it.run).pending, 1);
    given(OPERATIONS(ADD("a", 1, 100)));
    attempt(&it);
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
    begin(&it, MODEL_REMOTE_WINS, OPERATIONS(UPDATE("a", 7, 50)));
    attempt(&it);
    given(OPERATIONS(ADD("a", 1, 100)));
    attempt(&it);
    cr_assert_str_eq(outcome_of(&it.run.verdicts[0]), "stale_timestamp");
    model_run_free(&it.run);
}

Test(model, fails_everything_of_an_attempt_that_lost_its_races)
{
    given_state(PRESENT);
    struct batch_run it;
    begin(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(UPDATE("a", 7, 500), INTERACTION(1), INVALID));
    struct model_attempt decided;
    model_attempt_decide(&scene, &it.run, RECORD_MS, true, &decided);
    model_attempt_take(&decided, &scene, &it.run);
    cr_assert_str_eq(outcome_of(&it.run.verdicts[0]), "+concurrent_modification");
    cr_assert_str_eq(outcome_of(&it.run.verdicts[1]), "ok");
    cr_assert_str_eq(outcome_of(&it.run.verdicts[2]), "invalid_operation");
    cr_assert_eq(scene.version, 1);
    model_run_free(&it.run);
}

Test(model, clamps_clocks_that_run_ahead)
{
    struct batch_run it;
    begin(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(ADD("a", 1, 9000000), INTERACTION(9000000)));
    attempt(&it);
    cr_assert_eq(element("a")->timestamp_ms, ARRIVAL_MS);
    cr_assert_eq(model_run_counts(&it.run).clamped, 2);
    model_run_free(&it.run);
}

Test(model, leaves_the_scene_alone_until_an_attempt_is_taken)
{
    struct batch_run it;
    struct model_attempt decided;
    begin(&it, MODEL_LAST_WRITE_WINS, OPERATIONS(ADD("a", 1, 1)));
    model_attempt_decide(&scene, &it.run, RECORD_MS, false, &decided);
    cr_assert(decided.has_changed);
    model_attempt_free(&decided);
    cr_assert_eq(scene.count, 0);
    model_attempt_decide(&scene, &it.run, RECORD_MS, false, &decided);
    model_attempt_drop_changes(&decided, &scene);
    model_attempt_take(&decided, &scene, &it.run);
    cr_assert_eq(scene.count, 0);
    cr_assert_eq(scene.version, 0);
    cr_assert_eq(it.run.verdicts[0].standing, MODEL_SYNCED);
    model_run_free(&it.run);
}

/* --- base_version --- */

static const char *outcome_on_base(enum model_strategy strategy, uint64_t base, uint64_t t_ms)
{
    static char text[64];
    model_scene_free(&scene);
    given_state(PRESENT);
    char operations[200];
    (void)snprintf(operations, sizeof(operations),
                   "[{'op':'update','id':'a','changes':{'n':9},'timestamp':%llu,"
                   "'base_version':%llu}]",
                   (unsigned long long)t_ms, (unsigned long long)base);
    const struct model_verdict verdict = apply(strategy, operations);
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
    const struct model_verdict verdict =
        apply(MODEL_LOCAL_WINS, OPERATIONS(UPDATE_ON(1, "a", 5, 200), UPDATE_ON(1, "a", 6, 201)));
    cr_assert_str_eq(outcome_of(&verdict), "ok");
    const struct model_verdict added =
        apply(MODEL_LOCAL_WINS, OPERATIONS(ADD("b", 1, 100), UPDATE_ON(9, "b", 6, 201)));
    cr_assert_str_eq(outcome_of(&added), "ok", "it has no effect on what the batch added");
}

/* --- Merge --- */

static void given_lamp(void)
{
    given_by(MODEL_MERGE, "[{'op':'add','timestamp':10,'element':{'id':'l','kind':{'type':'T'},"
                          "'a':1,'m':{'n':1}}}]");
    given("[{'op':'update','timestamp':50,'id':'l','changes':{'a':2,'gone':null}}]");
}

Test(model, merges_leaves_by_their_clocks)
{
    given_lamp();
    const struct model_verdict verdict =
        apply(MODEL_MERGE, "[{'op':'update','timestamp':20,'id':'l','changes':{'a':9,'gone':9,"
                           "'m':{'n':9,'o':9},'transform':{'x':9,'y':'ignored'},'id':'other'}}]");
    cr_assert_str_eq(outcome_of(&verdict), "merge");
    expect_document("l", "{'id':'l','kind':{'type':'T'},'a':2,'m':{'n':9,'o':9},'transform':{'x':9,"
                         "'y':0,'width':100,'height':100,'rotation':0,'z_index':0},"
                         "'interactive':true,'selected':false,'parent':null}");
    cr_assert_eq(element("l")->timestamp_ms, 50);
    cr_assert_eq(element("l")->version, 3);
}

Test(model, asks_the_clocks_above_and_below_a_leaf)
{
    given_lamp();
    struct model_verdict verdict =
        apply(MODEL_MERGE, "[{'op':'update','timestamp':60,'id':'l','changes':{'m':{'n':3}}},"
                           "{'op':'update','timestamp':55,'id':'l','changes':{'m':null}}]");
    cr_assert_str_eq(outcome_of(&verdict), "stale_timestamp", "below it is a later write");
    verdict =
        apply(MODEL_MERGE, "[{'op':'update','timestamp':70,'id':'l','changes':{'m':null}},"
                           "{'op':'update','timestamp':65,'id':'l','changes':{'m':{'z':1}}}]");
    cr_assert_str_eq(outcome_of(&verdict), "stale_timestamp", "above it is a later write");
    cr_assert_null(value_find(element("l")->document, "m"));
}

Test(model, merges_an_add_into_what_is_there)
{
    given_lamp();
    const struct model_verdict verdict =
        apply(MODEL_MERGE, "[{'op':'add','timestamp':30,'element':{'id':'l','kind':{'type':'U'},'a'"
                           ":5,'parent':'p'}}]");
    cr_assert_str_eq(outcome_of(&verdict), "merge");
    const struct value *const document = element("l")->document;
    cr_assert(value_is_text(value_find(value_find(document, "kind"), "type"), "U"));
    cr_assert(value_is_text(value_find(document, "parent"), "p"));
    cr_assert_eq(value_find(document, "a")->natural, 2, "written later");
    cr_assert_eq(element("l")->add_clock_ms, 30);
}

Test(model, removes_under_merge_what_was_added_before)
{
    given_lamp();
    struct model_verdict verdict = apply(MODEL_MERGE, OPERATIONS(REMOVE("l", 9)));
    cr_assert_str_eq(outcome_of(&verdict), "stale_timestamp");
    verdict = apply(MODEL_MERGE, OPERATIONS(REMOVE("l", 10)));
    cr_assert_str_eq(outcome_of(&verdict), "remote");
    cr_assert_eq(element("l")->timestamp_ms, 50);
}

enum { CLIENTS = 3, UPDATES = 6 };

static const char *random_leaf(struct dice *dice)
{
    static const char *const leaves[] = {"'p':%u",          "'p':null",
                                         "'q':{'r':%u}",    "'q':{'r':null}",
                                         "'q':{'s':[%u]}",  "'transform':{'x':%u}",
                                         "'selected':true", "'kind':{'data':{'c':%u}}"};
    return leaves[dice_below(dice, sizeof(leaves) / sizeof(leaves[0]))];
}

static void replace_number(char *text, size_t size, const char *pattern, unsigned number)
{
    const char *const at = strstr(pattern, "%u");
    if (at == NULL) {
        (void)snprintf(text, size, "%s", pattern);
    } else {
        (void)snprintf(text, size, "%.*s%u%s", (int)(at - pattern), pattern, number, at + 2);
    }
}

/* Each client's updates in its order, the clients' mixed by `order`. */
static struct span play(const char (*updates)[UPDATES][200], uint64_t order)
{
    unsigned next[CLIENTS] = {0};
    struct dice dice = {.state = order};
    model_scene_free(&scene);
    given_by(MODEL_MERGE, OPERATIONS(ADD("a", 1, 1)));
    for (unsigned played = 0; played < CLIENTS * UPDATES;) {
        const unsigned client = dice_below(&dice, CLIENTS);
        if (next[client] < UPDATES) {
            const struct model_verdict verdict =
                apply(MODEL_MERGE, updates[client][next[client]++]);
            cr_assert(verdict.standing == MODEL_SYNCED ||
                      strcmp(verdict.code, "stale_timestamp") == 0);
            played++;
        }
    }
    return value_write(element("a")->document, &pool);
}

Test(model, converges_under_merge)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        static char updates[CLIENTS][UPDATES][200];
        struct dice dice = {.state = seed};
        for (unsigned i = 0; i < CLIENTS * UPDATES; i++) {
            char leaf[60];
            const unsigned time = 10 + i * 7 % (CLIENTS * UPDATES + 1) * 10; /* distinct */
            replace_number(leaf, sizeof(leaf), random_leaf(&dice), time);
            (void)snprintf(updates[i / UPDATES][i % UPDATES], sizeof(updates[0][0]),
                           "[{'op':'update','id':'a','timestamp':%u,'changes':{%s,'w':{'%u':%u}}}]",
                           time, leaf, dice_below(&dice, 3), time);
        }
        char path[100];
        const struct value *const first =
            value_read(play((const char(*)[UPDATES][200])updates, seed * 3), &pool);
        const struct value *const second =
            value_read(play((const char(*)[UPDATES][200])updates, seed * 5 + 1), &pool);
        cr_assert(value_is_same(first, second, path, sizeof(path)), "seed %d: '%s' differs",
                  (int)seed, path);
    }
}

/* --- Elements --- */

Test(model, stores_a_complete_element)
{
    given("[{'op':'add','timestamp':1,'element':{'id':'3F0C5B1A-7D0E-4C1B-9A57-0B5B8F6C2D11',"
          "'kind':{'type':'T'},'transform':{'y':1e300,'z_index':-99999999999,'skew':null},"
          "'interactive':null,'parent':'bin:00112233445566778899aabbccddeeff','x':[null]}}]");
    const struct value *const document = element("3f0c5b1a-7d0e-4c1b-9a57-0b5b8f6c2d11")->document;
    const struct value *const transform = value_find(document, "transform");
    double number = 0;
    cr_assert(value_as_number(value_find(transform, "y"), &number));
    cr_assert(number == 3.4028234663852886e+38);
    cr_assert_eq(value_find(transform, "z_index")->negative, INT32_MIN);
    cr_assert(value_as_number(value_find(transform, "width"), &number) && number == 100);
    cr_assert(value_is(value_find(transform, "skew"), VALUE_NIL));
    cr_assert(value_find(document, "interactive")->boolean);
    cr_assert_not(value_find(document, "selected")->boolean);
    cr_assert(value_is_text(value_find(document, "id"), "3f0c5b1a-7d0e-4c1b-9a57-0b5b8f6c2d11"));
    cr_assert(
        value_is_text(value_find(document, "parent"), "00112233-4455-6677-8899-aabbccddeeff"));
}

Test(model, patches_as_the_document_shows)
{
    given("[{'op':'add','timestamp':1,'element':{'id':'lamp','kind':{'type':'Shape','data':"
          "{'color':'red','size':{'w':1}}},'transform':{'x':40.5},'note':'draft'}},"
          "{'op':'update','id':'lamp','timestamp':2,'changes':{'id':'other','kind':{'data':"
          "{'color':null,'size':{'h':2}}},'transform':{'x':'left','y':1e300,'z_index':7.0},"
          "'selected':null,'parent':'3F0C5B1A-7D0E-4C1B-9A57-0B5B8F6C2D11','tags':['a',null],"
          "'note':null}}]");
    expect_document("lamp",
                    "{'id':'lamp','kind':{'type':'Shape','data':{'size':{'w':1,'h':2}}},"
                    "'transform':{'x':40.5,'y':3.4028234663852886e+38,'width':100,'height':100,"
                    "'rotation':0,'z_index':7},'interactive':true,'selected':false,"
                    "'parent':'3f0c5b1a-7d0e-4c1b-9a57-0b5b8f6c2d11','tags':['a',null]}");
}

Test(model, drops_nil_from_maps_that_a_change_makes)
{
    given("[{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'p':5}},"
          "{'op':'update','id':'a','timestamp':2,'changes':{'p':{'q':null,'r':{'s':null,'t':1}},"
          "'kind':5,'transform':null,'interactive':false}}]");
    const struct value *const p = value_find(element("a")->document, "p");
    cr_assert_eq(p->count, 1);
    cr_assert_eq(value_find(p, "r")->count, 1);
    cr_assert_not(value_find(element("a")->document, "interactive")->boolean);
}

Test(model, refuses_what_breaks_the_rules_inside_an_operation)
{
    static const char *const invalid[] = {
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':1}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a b','kind':{'type':'T'}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'transform':5}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'selected':1}}",
        "{'AddElement':{'timestamp':1,'element':{'id':'a','kind':{'type':'T'},'transform':5}}}",
        "{'op':'add','timestamp':1,'element':{'id':'a','kind':{'type':'T'},'transform':{'x':'1'}}}",
        "{'op':'add','element':{'id':'a','kind':{'type':'T'}}}",
        "{'op':'add','timestamp':-1,'element':{'id':'a','kind':{'type':'T'}}}",
        "{'op':'update','timestamp':1,'id':'present','changes':[]}",
        "{'op':'update','timestamp':1,'id':'present','changes':{},'base_version':-1}",
        "{'op':'update','timestamp':100,'id':'present','changes':{'kind':{'type':null}}}",
        "{'op':'remove','timestamp':1}",
        "{'op':'jump','timestamp':1}",
        "{'op':'remove','id':'a','timestamp':1,'RemoveElement':{'id':'a','timestamp':1}}",
        "{'RemoveElement':5}",
        "{'AddElement':{},'RemoveElement':{'id':'a','timestamp':1}}",
        "['remove','a',1]",
        "5",
        "'hex:82a26f70a672656d6f7665a26f70a672656d6f7665'",
    };
    given(OPERATIONS(ADD("present", 1, 1)));
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        char operations[400];
        (void)snprintf(operations, sizeof(operations), "[%s]", invalid[i]);
        const struct model_verdict verdict = apply(MODEL_LAST_WRITE_WINS, operations);
        cr_assert(verdict.standing == MODEL_FAILED &&
                      strcmp(verdict.code, "invalid_operation") == 0,
                  "%s", invalid[i]);
        cr_assert_not(verdict.has_conflict);
    }
    cr_assert_eq(scene.count, 1);
}

Test(model, reads_both_spellings_and_every_way_to_write_a_time)
{
    given("[{'AddElement':{'element':{'id':'a','kind':{'type':'T'}},'timestamp':10.75}},"
          "{'UpdateElement':{'id':'a','changes':{'n':1},'timestamp':'hex:ca41300000'}}]");
    cr_assert_eq(element("a")->timestamp_ms, 11);
    cr_assert(value_is(value_find(element("a")->document, "n"), VALUE_NATURAL));
}

Test(model, keeps_the_limits)
{
    settings.elements_max = 1;
    settings.element_bytes_max = 180;
    settings.text_bytes_max = 4;
    given(OPERATIONS(ADD("a", 1, 1)));
    struct model_verdict verdict = apply(MODEL_LAST_WRITE_WINS, OPERATIONS(ADD("b", 1, 1)));
    cr_assert_str_eq(outcome_of(&verdict), "too_many_elements");
    verdict = apply(MODEL_LAST_WRITE_WINS, OPERATIONS(REMOVE("a", 5), ADD("b", 1, 1)));
    cr_assert_str_eq(outcome_of(&verdict), "ok", "there is room again");
    verdict = apply(MODEL_LAST_WRITE_WINS,
                    "[{'op':'update','id':'b','timestamp':9,'changes':{'kind':{'data':{'content':"
                    "'12345'}}}}]");
    cr_assert_str_eq(outcome_of(&verdict), "invalid_operation");
    verdict = apply(MODEL_LAST_WRITE_WINS,
                    "[{'op':'update','id':'b','timestamp':9,'changes':{'long':"
                    "'1234567890123456789012345678901234567890123456789012345678901234567890'}}]");
    cr_assert_str_eq(outcome_of(&verdict), "element_too_large");
}
