#include "tests/support/merge_fixture.h"

#include <criterion/criterion.h>

#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/sent_batch.h"

struct apply_fixture merge_fixture;

void merge_fixture_begin(void)
{
    apply_fixture_begin(&merge_fixture);
    merge_fixture.context.strategy = STRATEGY_MERGE;
}

void merge_fixture_end(void)
{
    apply_fixture_end(&merge_fixture);
}

struct outcome apply(const char *json)
{
    return apply_fixture_apply(&merge_fixture, json);
}

struct outcome apply_by(enum strategy strategy, const char *json)
{
    merge_fixture.context.strategy = strategy;
    const struct outcome outcome = apply(json);
    merge_fixture.context.strategy = STRATEGY_MERGE;
    return outcome;
}

struct outcome add(const char *members, unsigned time_ms)
{
    return apply(text_of_format("{'op':'add','element':{" SAID "%s%s},'timestamp':%u}",
                                members[0] != '\0' ? "," : "", members, time_ms));
}

const char *update_text(const char *changes, unsigned time_ms)
{
    return text_of_format("{'op':'update','id':'a','changes':{%s},'timestamp':%u}", changes,
                          time_ms);
}

struct outcome update(const char *changes, unsigned time_ms)
{
    return apply(update_text(changes, time_ms));
}

const char *update_on(int value, int time_ms, int base_version)
{
    return text_of_format("{'op':'update','id':'a','changes':{'n':%d,'m':%d},'timestamp':%d,"
                          "'base_version':%d}",
                          value, value, time_ms, base_version);
}

void expect_clocks(const char *json)
{
    const struct span found = element_clocks(scene_get(merge_fixture.scene, "a"));
    cr_assert(span_equal(found, message_of(json)), "not %s", json);
}

void expect_members(const char *members)
{
    const struct span found = element_document(scene_get(merge_fixture.scene, "a"));
    const struct span expected =
        message_of_format("{" SAID "%s%s}", members[0] != '\0' ? "," : "", members);
    cr_assert(span_equal(found, expected), "not %s", members);
}

void expect_merged(struct outcome outcome, const char *applied, const char *kept)
{
    cr_assert_eq(outcome.status, OUTCOME_SYNCED);
    cr_assert_eq(outcome.resolution, RESOLUTION_MERGE);
    cr_assert(span_equal(outcome.applied, message_of(applied)), "applied is not %s", applied);
    cr_assert(span_equal(outcome.kept, message_of(kept)), "kept is not %s", kept);
}

void expect_kept(struct outcome outcome, enum error_code code)
{
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, code);
    cr_assert_not(outcome.is_retryable);
    cr_assert_eq(outcome.resolution, RESOLUTION_KEEP_LOCAL);
    cr_assert(span_is_absent(outcome.applied) && span_is_absent(outcome.kept));
}

void expect_plain(struct outcome outcome)
{
    cr_assert_eq(outcome.status, OUTCOME_SYNCED);
    cr_assert_eq(outcome.reason, CONFLICT_NONE);
}
