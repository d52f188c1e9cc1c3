#include "tests/property/history.h"

#include <stdlib.h>

#include "protocol/vocabulary.h"

enum {
    CLIENTS = 3,
    TIME_MAX_MS = 60,    /* small, so that clocks meet */
    AHEAD_MAX_MS = 4000, /* a clock that runs ahead: its timestamps are clamped */
    SKEW_MAX_MS = 300,
    RETRIES_MAX = 2,
    CONVERGING_FIELDS = 15 /* all but the maps that are none, and the id */
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* --- Making one --- */

struct making {
    const struct history_traits *traits;
    struct dice dice;
    struct history *history;
    int32_t clocks_ms[CLIENTS]; /* how far each client's clock is off */
    uint32_t sent;              /* batches so far */
    bool is_added[HISTORY_SCENES][HISTORY_ELEMENTS];
    int32_t next_time_ms;
};

static enum edit_kind throw_kind(struct dice *dice)
{
    static const enum edit_kind kinds[] = {
        EDIT_ADD,    EDIT_ADD,    EDIT_ADD,    EDIT_UPDATE, EDIT_UPDATE,      EDIT_UPDATE,
        EDIT_UPDATE, EDIT_REMOVE, EDIT_REMOVE, EDIT_REMOVE, EDIT_INTERACTION, EDIT_INVALID};
    return kinds[dice_below(dice, sizeof(kinds) / sizeof(kinds[0]))];
}

/* Few of all fields, mostly. */
static uint32_t throw_fields(struct dice *dice)
{
    uint32_t fields = (uint32_t)dice_throw(dice) & (uint32_t)dice_throw(dice);
    if (dice_one_in(dice, 2)) {
        fields &= (uint32_t)dice_throw(dice);
    }
    return fields & ((1U << HISTORY_FIELDS) - 1);
}

static struct edit throw_edit(struct making *making, const struct step *step)
{
    struct dice *dice = &making->dice;
    struct edit edit = {
        .kind = throw_kind(dice),
        .element = dice_below(dice, HISTORY_ELEMENTS),
        .time_ms = (int32_t)dice_below(dice, TIME_MAX_MS) + making->clocks_ms[step->client],
        .is_tagged = dice_below(dice, 2),
        .fields = throw_fields(dice),
        .value = dice_below(dice, 1000),
    };
    if (dice_one_in(dice, 6)) {
        edit.base = 1 + dice_below(dice, making->sent + 2);
    }
    return edit;
}

/* An edit that the convergence clause allows: distinct times, each element added once and known
 * when it is changed. */
static struct edit throw_converging(struct making *making, const struct step *step)
{
    struct dice *dice = &making->dice;
    struct edit edit = throw_edit(making, step);
    bool *is_added = &making->is_added[step->scene][edit.element];
    edit.base = 0;
    edit.kind = !*is_added ? EDIT_ADD : dice_one_in(dice, 10) ? EDIT_REMOVE : EDIT_UPDATE;
    *is_added = true;
    edit.fields &= (1U << CONVERGING_FIELDS) - 1;
    while (!edit_can_converge(&edit)) {
        edit.value++;
    }
    edit.time_ms = making->next_time_ms++ - HISTORY_CONVERGING_MS;
    return edit;
}

static void add_edits(struct making *making, struct step *step)
{
    uint32_t count = dice_below(&making->dice, making->traits->edits_max + 1);
    step->edits = allocate(count, sizeof(struct edit));
    step->edit_count = count;
    for (uint32_t i = 0; i < count; i++) {
        step->edits[i] = making->traits->only_converging ? throw_converging(making, step)
                                                         : throw_edit(making, step);
    }
}

static enum step_kind throw_step_kind(struct making *making)
{
    const struct history_traits *traits = making->traits;
    uint32_t sides = dice_below(&making->dice, 20);
    if (traits->only_converging || making->sent == 0) {
        return STEP_SEND;
    }
    if (sides < 4) {
        return STEP_WAIT;
    }
    if (sides < 6 && traits->has_resends) {
        return STEP_RESEND;
    }
    if (sides == 6 && traits->has_resends) {
        return STEP_REUSE;
    }
    return sides < 11 && traits->has_deliveries_again ? STEP_AGAIN : STEP_SEND;
}

static void throw_step(struct making *making, struct step *step)
{
    struct dice *dice = &making->dice;
    *step = (struct step){
        .kind = throw_step_kind(making),
        .scene = dice_below(dice, HISTORY_SCENES),
        .client = dice_below(dice, CLIENTS),
        .is_named = !dice_one_in(dice, 4),
        .skew_ms = (int32_t)dice_below(dice, 2 * SKEW_MAX_MS) - SKEW_MAX_MS,
        .wait_ms = 50 + 50 * dice_below(dice, 6),
    };
    /* Mostly the scene's own partition: a producer may also key records otherwise. */
    step->partition = dice_one_in(dice, 8) ? 1 - step->scene : step->scene;
    if (step->kind == STEP_RESEND || step->kind == STEP_AGAIN) {
        step->partition = dice_below(dice, HISTORY_PARTITIONS);
    }
    if (dice_one_in(dice, 3)) {
        step->strategy = 1 + dice_below(dice, making->traits->has_merge ? 4 : 3);
    }
    if (step->kind == STEP_SEND) {
        step->serial = ++making->sent;
    } else if (step->kind == STEP_AGAIN) {
        step->of = dice_below(dice, 8);
        step->tier = dice_one_in(dice, 3) ? 1 + dice_below(dice, RETRIES_MAX) : 0;
    } else if (step->kind != STEP_WAIT) {
        uint32_t back = dice_below(dice, making->sent < 8 ? making->sent : 8);
        step->of = making->sent - back;
    }
    if (step->kind == STEP_SEND || step->kind == STEP_REUSE) {
        add_edits(making, step);
    }
}

struct history *history_create(const struct history_traits *traits, uint64_t seed)
{
    struct making making = {.traits = traits, .dice = {.state = seed}};
    struct dice *dice = &making.dice;
    struct history *history = allocate(1, sizeof(*history));
    making.history = history;
    history->retries_max = dice_below(dice, RETRIES_MAX + 1);
    history->elements_max = dice_one_in(dice, 4) ? 1 + dice_below(dice, HISTORY_ELEMENTS) : 0;
    history->strategy = dice_below(dice, traits->has_merge ? 4 : 3);
    history->is_strategy_fixed = dice_one_in(dice, 6);
    history->is_stamped = traits->only_converging || dice_one_in(dice, 2) ? 1 : 0;
    for (int i = 0; i < HISTORY_CHOICES; i++) {
        history->choices[i] = (uint32_t)(dice_throw(dice) >> 33);
    }
    for (int i = 0; i < CLIENTS; i++) {
        making.clocks_ms[i] = (int32_t)dice_below(dice, TIME_MAX_MS) - TIME_MAX_MS;
    }
    if (dice_one_in(dice, 3)) {
        making.clocks_ms[CLIENTS - 1] = (int32_t)dice_below(dice, AHEAD_MAX_MS);
    }
    history->step_count = 1 + dice_below(dice, traits->steps_max);
    history->steps = allocate(history->step_count, sizeof(struct step));
    for (uint32_t i = 0; i < history->step_count; i++) {
        throw_step(&making, &history->steps[i]);
    }
    return history;
}

struct history *history_copy(const struct history *history)
{
    struct history *copy = allocate(1, sizeof(*copy));
    *copy = *history;
    copy->steps = allocate(history->step_count, sizeof(struct step));
    for (uint32_t i = 0; i < history->step_count; i++) {
        const struct step *step = &history->steps[i];
        copy->steps[i] = *step;
        copy->steps[i].edits = allocate(step->edit_count, sizeof(struct edit));
        if (step->edit_count > 0) {
            memcpy(copy->steps[i].edits, step->edits, step->edit_count * sizeof(struct edit));
        }
    }
    return copy;
}

void history_free(struct history *history)
{
    if (history == NULL) {
        return;
    }
    for (uint32_t i = 0; i < history->step_count; i++) {
        free(history->steps[i].edits);
    }
    free(history->steps);
    free(history);
}

const struct step *history_find(const struct history *history, uint32_t serial)
{
    for (uint32_t i = 0; i < history->step_count; i++) {
        if (history->steps[i].kind == STEP_SEND && history->steps[i].serial == serial) {
            return &history->steps[i];
        }
    }
    return NULL;
}

/* --- Text --- */

static void print_edit(const struct edit *edit, FILE *out)
{
    static const char *const names[] = {"add", "update", "remove", "interaction", "invalid"};
    (void)fprintf(out, "    %s %s at %d", names[edit->kind], history_element_id(edit->element),
                  (int)edit->time_ms);
    if (edit->base > 0) {
        (void)fprintf(out, ", base_version %u", (unsigned)(edit->base - 1));
    }
    (void)fprintf(out, ", fields 0x%x, value %u, %s\n", (unsigned)edit->fields,
                  (unsigned)edit->value, edit->is_tagged != 0 ? "tagged" : "externally tagged");
}

static void print_step(const struct step *step, FILE *out)
{
    switch (step->kind) {
    case STEP_SEND:
        (void)fprintf(out, "  send b%u: %s, client %u, %s%s", (unsigned)step->serial,
                      history_scene_id(step->scene), (unsigned)step->client,
                      step->is_named != 0 ? "named" : "without batch_id",
                      step->strategy == 0 ? "" : ", ");
        if (step->strategy != 0) {
            (void)fputs(strategy_name((enum strategy)(step->strategy - 1)), out);
        }
        break;
    case STEP_RESEND:
        (void)fprintf(out, "  resend b%u", (unsigned)step->of);
        break;
    case STEP_REUSE:
        (void)fprintf(out, "  reuse b%u", (unsigned)step->of);
        break;
    case STEP_WAIT:
        (void)fprintf(out, "  wait %u ms\n", (unsigned)step->wait_ms);
        return;
    case STEP_AGAIN:
        (void)fprintf(out, "  deliver partition %u of tier %u again, %u back\n",
                      (unsigned)step->partition, (unsigned)step->tier, (unsigned)step->of);
        return;
    }
    (void)fprintf(out, ", partition %u, clock %+d ms\n", (unsigned)step->partition,
                  (int)step->skew_ms);
    for (uint32_t i = 0; i < step->edit_count; i++) {
        print_edit(&step->edits[i], out);
    }
}

void history_print(const struct history *history, FILE *out)
{
    (void)fprintf(out,
                  "  settings: retry.max_retries %u, limits.max_elements %u%s, strategy %s%s, "
                  "timestamps by the %s; choices %u %u %u %u\n",
                  (unsigned)history->retries_max, (unsigned)history->elements_max,
                  history->elements_max == 0 ? " (default)" : "",
                  strategy_name((enum strategy)history->strategy),
                  history->is_strategy_fixed != 0 ? " for all" : "",
                  history->is_stamped != 0 ? "topic" : "producer", (unsigned)history->choices[0],
                  (unsigned)history->choices[1], (unsigned)history->choices[2],
                  (unsigned)history->choices[3]);
    for (uint32_t i = 0; i < history->step_count; i++) {
        print_step(&history->steps[i], out);
    }
}
