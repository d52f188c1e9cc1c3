/*
 * Merge: whatever order the clients' operations arrive in, the elements are the same in the end
 * (protocol.md section 4, "Convergence").
 *
 * Two things that the clause does not say have to be excluded, or it is not true: updates that are
 * invalid once applied (`kind.type` deleted: whether that leaf is stale decides whether the rest is
 * applied), and empty maps in updates (a write to all that is below by their clock, and to nothing
 * of it by the merge patch).
 */
#include <stdlib.h>

#include "protocol/arena.h"
#include "protocol/vocabulary.h"
#include "tests/model/model.h"
#include "tests/property/engine.h"
#include "tests/property/property.h"
#include "tests/property/state.h"

enum { ORDERS = 3, CUT_MAX = 5, MESSAGE_BYTES_MAX = 1 << 20, ARENA_BYTES_MAX = 16 << 20 };

/* Each client's own order is kept. */
static bool is_before(const struct step *a, const struct step *b)
{
    return a->client == b->client && a->serial < b->serial;
}

/* Whether the batch holds the add that the other one's edits need: no update may end in
 * ElementNotFound. */
static bool is_needed_by(const struct step *a, const struct step *b)
{
    for (uint32_t i = 0; i < a->edit_count; i++) {
        for (uint32_t k = 0; k < b->edit_count && a->edits[i].kind == EDIT_ADD; k++) {
            if (a->scene == b->scene && a->edits[i].element == b->edits[k].element) {
                return true;
            }
        }
    }
    return false;
}

/* A random order that keeps what must be kept. */
static void interleave(const struct history *history, struct dice *dice, uint32_t *order)
{
    uint32_t count = history->step_count;
    bool *is_taken = calloc(count + 1, sizeof(*is_taken));
    if (is_taken == NULL) {
        abort();
    }
    for (uint32_t at = 0; at < count; at++) {
        uint32_t candidates = 0;
        uint32_t chosen = 0;
        for (uint32_t i = 0; i < count; i++) {
            bool is_free = !is_taken[i];
            for (uint32_t k = 0; k < count && is_free; k++) {
                is_free = is_taken[k] || k == i ||
                          (!is_before(&history->steps[k], &history->steps[i]) &&
                           !(k < i && is_needed_by(&history->steps[k], &history->steps[i])));
            }
            if (is_free && dice_below(dice, ++candidates) == 0) {
                chosen = i;
            }
        }
        is_taken[chosen] = true;
        order[at] = chosen;
    }
    free(is_taken);
}

/* --- Whether the clause speaks of the history --- */

/* What was sent before: an element's add, and the times of all edits. */
struct sent {
    bool is_added[HISTORY_SCENES][HISTORY_ELEMENTS];
    uint64_t times; /* bits; the generator counts from 0 up */
};

static bool allows_edit(const struct step *step, const struct edit *edit, struct sent *sent)
{
    bool *is_added = &sent->is_added[step->scene % HISTORY_SCENES][edit->element];
    if (edit->time_ms >= 0 || edit->time_ms < -HISTORY_CONVERGING_MS) {
        return false;
    }
    uint64_t bit = UINT64_C(1) << (HISTORY_CONVERGING_MS + edit->time_ms);
    if ((sent->times & bit) != 0 || *is_added == (edit->kind == EDIT_ADD) ||
        !edit_can_converge(edit)) {
        return false;
    }
    *is_added = true;
    sent->times |= bit;
    return true;
}

static bool allows(const struct history *history)
{
    struct sent sent = {.times = 0};
    for (uint32_t i = 0; i < history->step_count; i++) {
        const struct step *step = &history->steps[i];
        for (uint32_t k = 0; k < step->edit_count; k++) {
            if (!allows_edit(step, &step->edits[k], &sent)) {
                return false;
            }
        }
    }
    return true;
}

/* --- Outcomes --- */

enum { PLACES = HISTORY_SCENES * HISTORY_ELEMENTS };

/* The elements in the end, read from their bytes; NULL: it is not there. */
struct outcome {
    struct pool pool;
    const struct value *documents[PLACES];
};

static void apply(const struct history *history, const struct step *step,
                  const struct model_settings *settings, struct model_scene *scenes,
                  struct pool *pool)
{
    struct buffer message;
    buffer_init(&message, MESSAGE_BYTES_MAX);
    if (step_encode(history, step, &message)) {
        struct model_batch batch;
        struct model_run run;
        struct model_attempt attempt;
        const struct span bytes = pool_copy(pool, buffer_span(&message));
        model_batch_read(bytes, settings, false, pool, &batch);
        model_run_init(&run, &batch, settings, UINT64_MAX);
        model_attempt_decide(&scenes[step->scene], &run, HISTORY_START_MS, false, &attempt);
        model_attempt_take(&attempt, &scenes[step->scene], &run);
        model_run_free(&run);
    }
    buffer_deinit(&message);
}

static void run_model(const struct history *history, struct outcome *out)
{
    struct model_settings settings = model_settings_default();
    struct model_scene scenes[HISTORY_SCENES] = {{0}};
    settings.allow_batch_strategy = false;
    settings.strategy = MODEL_MERGE;
    *out = (struct outcome){0};
    for (uint32_t i = 0; i < history->step_count; i++) {
        apply(history, &history->steps[i], &settings, scenes, &out->pool);
    }
    for (uint32_t i = 0; i < PLACES; i++) {
        const struct span id = span_of_text(history_element_id(i % HISTORY_ELEMENTS));
        const struct model_element *element = model_scene_find(&scenes[i / HISTORY_ELEMENTS], id);
        if (element != NULL && !element->is_removed) {
            out->documents[i] = value_read(value_write(element->document, &out->pool), &out->pool);
        }
    }
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        model_scene_free(&scenes[i]);
    }
}

static bool read_scenes(struct engine *engine, struct arena *arena, struct outcome *out,
                        struct verdict *verdict)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        struct state state;
        struct stored_element stored = {0};
        if (i % HISTORY_ELEMENTS == 0 &&
            !state_read(engine_store(engine), history_scene_id(i / HISTORY_ELEMENTS), arena, &state,
                        verdict)) {
            return false;
        }
        const struct span value = pool_copy(&out->pool, state.values[i % HISTORY_ELEMENTS]);
        if (!span_is_absent(value) && !stored_element_read(value, &out->pool, &stored)) {
            return verdict_fails(verdict, "a stored element cannot be read");
        }
        out->documents[i] = stored.document;
    }
    return true;
}

static bool run_engine(const struct history *history, struct outcome *out, struct verdict *verdict)
{
    const struct engine_plan plan = {.cut_max = history->choices[1] % CUT_MAX,
                                     .cut_seed = history->choices[1],
                                     .has_cache = history->choices[2] % 2 == 1};
    struct arena arena;
    *out = (struct outcome){0};
    arena_init(&arena, ARENA_BYTES_MAX);
    struct engine *engine = engine_create(history, &plan);
    bool is_read = engine_run(engine, verdict) && read_scenes(engine, &arena, out, verdict);
    engine_destroy(engine);
    arena_deinit(&arena);
    return is_read;
}

static bool outcomes_equal(const struct outcome *a, const struct outcome *b,
                           struct verdict *verdict)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        const char *id = history_element_id(i % HISTORY_ELEMENTS);
        const struct value *x = a->documents[i];
        const struct value *y = b->documents[i];
        char path[200] = "";
        if ((x == NULL) != (y == NULL)) {
            return verdict_fails(verdict, "%s is there in one order, and not in another", id);
        }
        if (x != NULL && !value_is_same(x, y, path, sizeof(path))) {
            return verdict_fails(verdict, "%s: '%s' depends on the order", id, path);
        }
    }
    return true;
}

/* --- Orders --- */

/* The history as it is or, with dice, in another order. Returns owned. */
static struct history *make_order(const struct history *history, struct dice *dice)
{
    struct history *ordered = history_copy(history);
    ordered->strategy = STRATEGY_MERGE;
    ordered->is_strategy_fixed = 1;
    ordered->elements_max = 0; /* which add meets a limit hangs on the order */
    if (dice != NULL) {
        uint32_t *order = grown(NULL, history->step_count + 1, sizeof(*order));
        struct step *steps = grown(NULL, history->step_count + 1, sizeof(*steps));
        interleave(history, dice, order);
        for (uint32_t i = 0; i < history->step_count; i++) {
            steps[i] = ordered->steps[order[i]];
        }
        free(ordered->steps);
        free(order);
        ordered->steps = steps;
    }
    return ordered;
}

/* What the model, and what the engine makes of one order, against those of the straight one. */
static bool order_agrees(const struct history *ordered, const struct outcome *by_model,
                         const struct outcome *by_engine, struct verdict *verdict)
{
    struct outcome outcome;
    struct verdict inner;
    run_model(ordered, &outcome);
    bool agrees = outcomes_equal(by_model, &outcome, &inner) ||
                  verdict_fails(verdict, "by the model: %.900s", inner.reason);
    pool_free(&outcome.pool);
    if (agrees) {
        agrees = (run_engine(ordered, &outcome, &inner) &&
                  outcomes_equal(by_engine, &outcome, &inner)) ||
                 verdict_fails(verdict, "by the engine: %.900s", inner.reason);
        pool_free(&outcome.pool);
    }
    return agrees;
}

bool property_merge_converges(const struct history *history, struct verdict *verdict)
{
    if (!allows(history)) {
        return true; /* shrinking has led out of what the clause is about */
    }
    struct dice dice = {.state = history->choices[0]};
    struct outcome by_model;
    struct outcome by_engine;
    struct history *straight = make_order(history, NULL);
    run_model(straight, &by_model);
    bool holds = run_engine(straight, &by_engine, verdict);
    for (int i = 0; i < ORDERS && holds; i++) {
        struct history *ordered = make_order(history, &dice);
        holds = order_agrees(ordered, &by_model, &by_engine, verdict);
        history_free(ordered);
    }
    pool_free(&by_model.pool);
    pool_free(&by_engine.pool);
    history_free(straight);
    return holds;
}
