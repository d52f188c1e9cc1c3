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

#include "protocol/vocabulary.h"
#include "tests/model/model.h"
#include "tests/property/history.h"
#include "tests/property/property.h"

enum { CLIENTS_MAX = 4, INTERLEAVINGS = 3, MESSAGE_BYTES_MAX = 1 << 20 };

/* Who sends which batch: each client's own order is kept. Adds are sent before anything else that
 * is about their element, since no update may end in ElementNotFound. */
static bool is_before(const struct step *a, const struct step *b)
{
    if (a->client == b->client) {
        return a->serial < b->serial;
    }
    return false;
}

/* Whether the batch holds the add that the other one's edits need. */
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

struct outcome {
    struct pool pool;
    struct model_scene scenes[HISTORY_SCENES];
};

static void apply(const struct history *history, const struct step *step,
                  const struct model_settings *settings, struct outcome *outcome)
{
    struct buffer message;
    struct model_batch batch;
    struct model_run run;
    struct model_attempt attempt;
    buffer_init(&message, MESSAGE_BYTES_MAX);
    if (step_encode(history, step, &message)) {
        const struct span bytes = pool_copy(&outcome->pool, buffer_span(&message));
        struct model_scene *scene = &outcome->scenes[step->scene];
        model_batch_read(bytes, settings, false, &outcome->pool, &batch);
        model_run_init(&run, &batch, settings, UINT64_MAX);
        model_attempt_decide(scene, &run, HISTORY_START_MS, false, &attempt);
        model_attempt_take(&attempt, scene, &run);
        model_run_free(&run);
    }
    buffer_deinit(&message);
}

static void outcome_free(struct outcome *outcome)
{
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        model_scene_free(&outcome->scenes[i]);
    }
    pool_free(&outcome->pool);
}

static struct value *as_read(const struct value *document, struct pool *pool)
{
    return value_read(value_write(document, pool), pool);
}

static bool elements_equal(const struct outcome *a, const struct outcome *b,
                           struct verdict *verdict)
{
    struct pool pool = {0};
    bool is_equal = true;
    for (uint32_t i = 0; i < HISTORY_SCENES * HISTORY_ELEMENTS && is_equal; i++) {
        const char *id = history_element_id(i % HISTORY_ELEMENTS);
        const struct model_element *x =
            model_scene_find(&a->scenes[i / HISTORY_ELEMENTS], span_of_text(id));
        const struct model_element *y =
            model_scene_find(&b->scenes[i / HISTORY_ELEMENTS], span_of_text(id));
        char path[200] = "";
        if ((x == NULL) != (y == NULL) || (x != NULL && x->is_removed != y->is_removed)) {
            is_equal = verdict_fails(verdict, "%s is there in one order, and not in another", id);
        } else if (x != NULL && !x->is_removed &&
                   !value_is_same(as_read(x->document, &pool), as_read(y->document, &pool), path,
                                  sizeof(path))) {
            is_equal = verdict_fails(verdict, "%s: '%s' depends on the order", id, path);
        }
    }
    pool_free(&pool);
    return is_equal;
}

bool property_merge_converges(const struct history *history, struct verdict *verdict)
{
    struct model_settings settings = model_settings_default();
    settings.allow_merge = true;
    settings.allow_batch_strategy = false;
    settings.strategy = MODEL_MERGE;
    if (!allows(history)) {
        return true; /* shrinking has led out of what the clause is about */
    }
    struct dice dice = {.state = history->choices[0]};
    struct outcome straight = {0};
    uint32_t *order = calloc(history->step_count + 1, sizeof(*order));
    if (order == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < history->step_count; i++) {
        apply(history, &history->steps[i], &settings, &straight);
    }
    bool holds = true;
    for (int n = 0; n < INTERLEAVINGS && holds; n++) {
        struct outcome other = {0};
        interleave(history, &dice, order);
        for (uint32_t i = 0; i < history->step_count; i++) {
            apply(history, &history->steps[order[i]], &settings, &other);
        }
        holds = elements_equal(&straight, &other, verdict);
        outcome_free(&other);
    }
    outcome_free(&straight);
    free(order);
    return holds;
}
