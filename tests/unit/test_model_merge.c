/*
 * The independent model (tests/model) under the strategy merge: protocol.md's rules for leaves and
 * their clocks, and that every order of the clients' batches ends in the same element.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/dice.h"
#include "tests/support/model_fixture.h"

TestSuite(model_merge, .init = model_fixture_begin, .fini = model_fixture_end);

static void given_lamp(void)
{
    given_by(MODEL_MERGE, "[{'op':'add','timestamp':10,'element':{'id':'l','kind':{'type':'T'},"
                          "'a':1,'m':{'n':1}}}]");
    given("[{'op':'update','timestamp':50,'id':'l','changes':{'a':2,'gone':null}}]");
}

Test(model_merge, merges_leaves_by_their_clocks)
{
    given_lamp();
    const struct model_verdict verdict = apply_batch(
        MODEL_MERGE, "[{'op':'update','timestamp':20,'id':'l','changes':{'a':9,'gone':9,"
                     "'m':{'n':9,'o':9},'transform':{'x':9,'y':'ignored'},'id':'other'}}]");
    cr_assert_str_eq(outcome_of(&verdict), "merge");
    expect_document("l", "{'id':'l','kind':{'type':'T'},'a':2,'m':{'n':9,'o':9},'transform':{'x':9,"
                         "'y':0,'width':100,'height':100,'rotation':0,'z_index':0},"
                         "'interactive':true,'selected':false,'parent':null}");
    cr_assert_eq(element("l")->timestamp_ms, 50);
    cr_assert_eq(element("l")->version, 3);
}

Test(model_merge, asks_the_clocks_above_and_below_a_leaf)
{
    given_lamp();
    struct model_verdict verdict =
        apply_batch(MODEL_MERGE, "[{'op':'update','timestamp':60,'id':'l','changes':{'m':{'n':3}}},"
                                 "{'op':'update','timestamp':55,'id':'l','changes':{'m':null}}]");
    cr_assert_str_eq(outcome_of(&verdict), "stale_timestamp", "below it is a later write");
    verdict = apply_batch(MODEL_MERGE,
                          "[{'op':'update','timestamp':70,'id':'l','changes':{'m':null}},"
                          "{'op':'update','timestamp':65,'id':'l','changes':{'m':{'z':1}}}]");
    cr_assert_str_eq(outcome_of(&verdict), "stale_timestamp", "above it is a later write");
    cr_assert_null(value_find(element("l")->document, "m"));
}

Test(model_merge, merges_an_add_into_what_is_there)
{
    given_lamp();
    const struct model_verdict verdict = apply_batch(
        MODEL_MERGE, "[{'op':'add','timestamp':30,'element':{'id':'l','kind':{'type':'U'},'a'"
                     ":5,'parent':'p'}}]");
    cr_assert_str_eq(outcome_of(&verdict), "merge");
    const struct value *const document = element("l")->document;
    cr_assert(value_is_text(value_find(value_find(document, "kind"), "type"), "U"));
    cr_assert(value_is_text(value_find(document, "parent"), "p"));
    cr_assert_eq(value_find(document, "a")->natural, 2, "written later");
    cr_assert_eq(element("l")->add_clock_ms, 30);
}

Test(model_merge, removes_under_merge_what_was_added_before)
{
    given_lamp();
    struct model_verdict verdict = apply_batch(MODEL_MERGE, OPERATIONS(REMOVE("l", 9)));
    cr_assert_str_eq(outcome_of(&verdict), "stale_timestamp");
    verdict = apply_batch(MODEL_MERGE, OPERATIONS(REMOVE("l", 10)));
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
    model_scene_free(&model_fixture.scene);
    given_by(MODEL_MERGE, OPERATIONS(ADD("a", 1, 1)));
    for (unsigned played = 0; played < CLIENTS * UPDATES;) {
        const unsigned client = dice_below(&dice, CLIENTS);
        if (next[client] < UPDATES) {
            const struct model_verdict verdict =
                apply_batch(MODEL_MERGE, updates[client][next[client]++]);
            cr_assert(verdict.standing == MODEL_SYNCED ||
                      strcmp(verdict.code, "stale_timestamp") == 0);
            played++;
        }
    }
    return value_write(element("a")->document, &model_fixture.pool);
}

Test(model_merge, converges_under_merge)
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
            value_read(play((const char(*)[UPDATES][200])updates, seed * 3), &model_fixture.pool);
        const struct value *const second = value_read(
            play((const char(*)[UPDATES][200])updates, seed * 5 + 1), &model_fixture.pool);
        cr_assert(value_is_same(first, second, path, sizeof(path)), "seed %d: '%s' differs",
                  (int)seed, path);
    }
}
