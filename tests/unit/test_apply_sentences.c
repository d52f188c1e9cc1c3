#include <criterion/criterion.h>

#include "tests/support/apply_fixture.h"
#include "tests/support/batches.h"
#include "tests/support/scenes.h"

/* What failed operations say, to the letter: clients show it. */

static struct apply_fixture fixture;

static void begin(void)
{
    apply_fixture_begin(&fixture);
}

static void end(void)
{
    apply_fixture_end(&fixture);
}

TestSuite(apply_sentences, .init = begin, .fini = end);

static void expect(const char *operation, enum strategy strategy, const char *sentence)
{
    fixture.context.strategy = strategy;
    struct outcome outcome = apply_fixture_apply(&fixture, operation);
    cr_expect_neq(outcome.status, OUTCOME_SYNCED);
    cr_expect(span_equal_text(outcome.message, sentence), "\"%.*s\" is not \"%s\"",
              SPAN_ARGS(outcome.message), sentence);
}

static void given_present(void)
{
    scene_with(fixture.scene, "a", LOCAL_VERSION, LOCAL_MS, "{'id':'a','kind':{'type':'T'},'n':7}");
}

Test(apply_sentences, of_a_stale_timestamp)
{
    given_present();
    expect(UPDATE("a", 9, 99), STRATEGY_LAST_WRITE_WINS,
           "stale timestamp (local=100, remote=99): update of 'a', last_write_wins keeps what is "
           "stored");
    expect(REMOVE("a", 7), STRATEGY_LOCAL_WINS,
           "stale timestamp (local=100, remote=7): remove of 'a', local_wins keeps what is stored");
    expect(ADD("a", 9, 0), STRATEGY_LAST_WRITE_WINS,
           "stale timestamp (local=100, remote=0): add of 'a', last_write_wins keeps what is "
           "stored");
}

Test(apply_sentences, of_a_stale_timestamp_with_the_largest_numbers_and_the_longest_id)
{
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    scene_with_tombstone(fixture.scene, id, LOCAL_VERSION, UINT64_MAX);
    fixture.context.arrival_ms = UINT64_MAX;
    expect("{'op':'update','id':'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',"
           "'changes':{'n':9},'timestamp':9223372036854775807}",
           STRATEGY_LAST_WRITE_WINS,
           "stale timestamp (local=18446744073709551615, remote=9223372036854775807): update of "
           "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', last_write_wins "
           "keeps what is stored");
}

Test(apply_sentences, of_an_element_that_is_there_already)
{
    given_present();
    expect(ADD("a", 9, 101), STRATEGY_LOCAL_WINS,
           "element already exists: 'a', local_wins keeps what is stored");
}

Test(apply_sentences, of_a_concurrent_modification)
{
    given_present();
    expect(UPDATE_ON(3, "a", 9, 101), STRATEGY_LOCAL_WINS,
           "concurrent modification: update of 'a' was made on version 3, stored is version 4, "
           "local_wins keeps what is stored");
}

Test(apply_sentences, of_an_element_that_was_never_added)
{
    expect(UPDATE("a", 9, 100), STRATEGY_LAST_WRITE_WINS,
           "element not found: update of 'a', which was never added");
    expect(REMOVE("a", 100), STRATEGY_MERGE,
           "element not found: remove of 'a', which was never added");
}

Test(apply_sentences, of_a_last_remove_are_of_what_it_met)
{
    fixture.context.is_last_attempt = true;
    expect(REMOVE("a", 100), STRATEGY_LAST_WRITE_WINS,
           "element not found: remove of 'a', which was never added");
    cr_assert_eq(scene_get(fixture.scene, "a")->presence, ELEMENT_REMOVED);
    expect(REMOVE("a", 200), STRATEGY_LAST_WRITE_WINS,
           "element not found: remove of 'a', which was removed at 100");
    cr_assert_eq(scene_get(fixture.scene, "a")->timestamp_ms, 200);
}

Test(apply_sentences, of_an_element_that_was_removed)
{
    scene_with_tombstone(fixture.scene, "a", LOCAL_VERSION, LOCAL_MS);
    expect(UPDATE("a", 9, 100), STRATEGY_LAST_WRITE_WINS,
           "element not found: update of 'a', which was removed at 100");
}

Test(apply_sentences, of_what_the_store_has_instead_of_an_element)
{
    scene_without(fixture.scene, "a")->is_unreadable = true;
    expect(ADD("a", 9, 100), STRATEGY_LAST_WRITE_WINS,
           "element 'a' in the store is not [version, timestamp, element]; repair or delete it");
}
