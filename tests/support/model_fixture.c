#include "tests/support/model_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/messages.h"

struct model_fixture model_fixture;

void model_fixture_begin(void)
{
    model_fixture.settings = model_settings_default();
}

void model_fixture_end(void)
{
    model_scene_free(&model_fixture.scene);
    pool_free(&model_fixture.pool);
}

static struct span batch_message(enum model_strategy strategy, const char *operations)
{
    return message_of_format("{'session_id':'s','batch_id':'b','strategy':'%s','operations':%s}",
                             model_strategy_name(strategy), operations);
}

void begin_batch(struct batch_run *it, enum model_strategy strategy, const char *operations)
{
    model_batch_read(batch_message(strategy, operations), &model_fixture.settings, false,
                     &model_fixture.pool, &it->batch);
    cr_assert_null(it->batch.code, "refused: %s", it->batch.code);
    model_run_init(&it->run, &it->batch, &model_fixture.settings, ARRIVAL_MS);
}

void attempt_batch(struct batch_run *it)
{
    struct model_attempt decided;
    model_attempt_decide(&model_fixture.scene, &it->run, RECORD_MS, false, &decided);
    model_attempt_take(&decided, &model_fixture.scene, &it->run);
}

void exhaust_batch(struct batch_run *it)
{
    do {
        attempt_batch(it);
    } while (model_run_counts(&it->run).pending > 0);
}

struct model_verdict apply_batch(enum model_strategy strategy, const char *operations)
{
    struct batch_run it;
    begin_batch(&it, strategy, operations);
    attempt_batch(&it);
    const struct model_verdict verdict = it.run.verdicts[it.batch.operation_count - 1];
    model_run_free(&it.run);
    return verdict;
}

void given_by(enum model_strategy strategy, const char *operations)
{
    struct batch_run it;
    begin_batch(&it, strategy, operations);
    exhaust_batch(&it);
    model_run_free(&it.run);
}

void given(const char *operations)
{
    given_by(MODEL_LAST_WRITE_WINS, operations);
}

const struct model_element *element(const char *id)
{
    const struct model_element *const found =
        model_scene_find(&model_fixture.scene, span_of_text(id));
    cr_assert_not_null(found, "%s is unknown", id);
    return found;
}

const char *outcome_of(const struct model_verdict *verdict)
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

void expect_document(const char *id, const char *json)
{
    char path[200];
    const struct value *const expected = value_read(message_of(json), &model_fixture.pool);
    const struct value *const found =
        value_read(value_write(element(id)->document, &model_fixture.pool), &model_fixture.pool);
    cr_assert(value_is_same(expected, found, path, sizeof(path)), "%s: '%s' differs", id, path);
}
