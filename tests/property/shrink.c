#include "tests/property/shrink.h"

#include <stddef.h>
#include <stdlib.h>

struct shrinking {
    struct history *best; /* the smallest that fails */
    shrink_fails fails;
    void *context;
    uint32_t checks;
    bool has_progress;
};

static bool goes_on(const struct shrinking *shrinking)
{
    return shrinking->checks < SHRINK_CHECKS_MAX;
}

/* Takes the candidate where it still fails. */
static bool try_candidate(struct shrinking *shrinking, struct history *candidate)
{
    shrinking->checks++;
    bool fails = shrinking->fails(shrinking->context, candidate);
    if (fails) {
        history_free(shrinking->best);
        shrinking->best = candidate;
        shrinking->has_progress = true;
    } else {
        history_free(candidate);
    }
    return fails;
}

/* --- Leaving out --- */

static void remove_steps(struct history *history, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        free(history->steps[i].edits);
    }
    memmove(history->steps + first, history->steps + first + count,
            (history->step_count - first - count) * sizeof(struct step));
    history->step_count -= count;
}

static void remove_edits(struct step *step, uint32_t first, uint32_t count)
{
    memmove(step->edits + first, step->edits + first + count,
            (step->edit_count - first - count) * sizeof(struct edit));
    step->edit_count -= count;
}

/* Runs of steps, long ones first; from the end, where what matters less tends to be. */
static void drop_steps(struct shrinking *shrinking)
{
    for (uint32_t size = shrinking->best->step_count; size > 0; size /= 2) {
        for (uint32_t end = shrinking->best->step_count; end > 0 && goes_on(shrinking);) {
            uint32_t count = size < end ? size : end;
            struct history *candidate = history_copy(shrinking->best);
            remove_steps(candidate, end - count, count);
            (void)try_candidate(shrinking, candidate);
            end -= count;
        }
    }
}

static void drop_edits(struct shrinking *shrinking)
{
    for (uint32_t i = 0; i < shrinking->best->step_count; i++) {
        for (uint32_t size = shrinking->best->steps[i].edit_count; size > 0; size /= 2) {
            for (uint32_t end = shrinking->best->steps[i].edit_count;
                 end > 0 && goes_on(shrinking);) {
                uint32_t count = size < end ? size : end;
                struct history *candidate = history_copy(shrinking->best);
                remove_edits(&candidate->steps[i], end - count, count);
                (void)try_candidate(shrinking, candidate);
                end -= count;
            }
        }
    }
}

/* --- Simplifying --- */

/* Towards zero: at once, then by halves, then by one. Signed numbers are read as such. */
static bool simplify_number(struct shrinking *shrinking, uint32_t value,
                            void (*set)(struct history *history, const void *place, uint32_t value),
                            const void *place)
{
    int64_t number = (int32_t)value;
    const int64_t candidates[] = {0, number / 2, number > 0 ? number - 1 : number + 1};
    for (size_t i = 0; number != 0 && i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (candidates[i] == number || !goes_on(shrinking)) {
            continue;
        }
        struct history *candidate = history_copy(shrinking->best);
        set(candidate, place, (uint32_t)(int32_t)candidates[i]);
        if (try_candidate(shrinking, candidate)) {
            return true;
        }
    }
    return false;
}

/* Where a number stands: in a step, or in one of its edits. */
struct place {
    uint32_t step, edit;
    size_t offset;
    bool is_bits;
};

static void *locate(struct history *history, const struct place *place, bool is_in_edit)
{
    struct step *step = &history->steps[place->step];
    char *base = is_in_edit ? (char *)&step->edits[place->edit] : (char *)step;
    return base + place->offset;
}

static void set_in_step(struct history *history, const void *place, uint32_t value)
{
    memcpy(locate(history, place, false), &value, sizeof(value));
}

static void set_in_edit(struct history *history, const void *place, uint32_t value)
{
    memcpy(locate(history, place, true), &value, sizeof(value));
}

static void set_in_history(struct history *history, const void *place, uint32_t value)
{
    const size_t *offset = place;
    memcpy((char *)history + *offset, &value, sizeof(value));
}

static uint32_t read_number(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static void clear_bits(struct shrinking *shrinking, const struct place *place)
{
    for (uint32_t bit = 0; bit < HISTORY_FIELDS && goes_on(shrinking); bit++) {
        uint32_t value = read_number(locate(shrinking->best, place, true));
        if ((value >> bit & 1U) != 0) {
            struct history *candidate = history_copy(shrinking->best);
            set_in_edit(candidate, place, value & ~(1U << bit));
            (void)try_candidate(shrinking, candidate);
        }
    }
}

static void simplify_edit(struct shrinking *shrinking, uint32_t step, uint32_t edit)
{
    static const struct place places[] = {
        {.offset = offsetof(struct edit, base)},
        {.offset = offsetof(struct edit, element)},
        {.offset = offsetof(struct edit, fields), .is_bits = true},
        {.offset = offsetof(struct edit, value)},
        {.offset = offsetof(struct edit, time_ms)},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct place place = places[i];
        place.step = step;
        place.edit = edit;
        if (place.is_bits) {
            clear_bits(shrinking, &place);
            continue;
        }
        (void)simplify_number(shrinking, read_number(locate(shrinking->best, &place, true)),
                              set_in_edit, &place);
    }
    if (shrinking->best->steps[step].edits[edit].is_tagged == 0 && goes_on(shrinking)) {
        struct history *candidate = history_copy(shrinking->best);
        candidate->steps[step].edits[edit].is_tagged = 1;
        (void)try_candidate(shrinking, candidate);
    }
}

static void simplify_step(struct shrinking *shrinking, uint32_t step)
{
    static const size_t offsets[] = {
        offsetof(struct step, of),        offsetof(struct step, tier),
        offsetof(struct step, scene),     offsetof(struct step, client),
        offsetof(struct step, partition), offsetof(struct step, strategy),
        offsetof(struct step, skew_ms),   offsetof(struct step, wait_ms)};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct place place = {.step = step, .offset = offsets[i]};
        bool is_wait = shrinking->best->steps[step].kind == STEP_WAIT;
        if (is_wait != (offsets[i] == offsetof(struct step, wait_ms))) {
            continue; /* means nothing there */
        }
        (void)simplify_number(shrinking, read_number(locate(shrinking->best, &place, false)),
                              set_in_step, &place);
    }
    for (uint32_t i = 0; i < shrinking->best->steps[step].edit_count; i++) {
        simplify_edit(shrinking, step, i);
    }
}

static void simplify_settings(struct shrinking *shrinking)
{
    static const size_t offsets[] = {
        offsetof(struct history, retries_max), offsetof(struct history, elements_max),
        offsetof(struct history, strategy),    offsetof(struct history, is_strategy_fixed),
        offsetof(struct history, choices),     offsetof(struct history, choices) + 4,
        offsetof(struct history, choices) + 8, offsetof(struct history, choices) + 12};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        (void)simplify_number(shrinking, read_number((char *)shrinking->best + offsets[i]),
                              set_in_history, &offsets[i]);
    }
}

struct history *shrink(struct history *history, shrink_fails fails, void *context)
{
    struct shrinking shrinking = {
        .best = history, .fails = fails, .context = context, .has_progress = true};
    while (shrinking.has_progress && goes_on(&shrinking)) {
        shrinking.has_progress = false;
        drop_steps(&shrinking);
        drop_edits(&shrinking);
        simplify_settings(&shrinking);
        for (uint32_t i = 0; i < shrinking.best->step_count; i++) {
            simplify_step(&shrinking, i);
        }
    }
    return shrinking.best;
}
