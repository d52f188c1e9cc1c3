#include "tests/allocations/refusing.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "protocol/arena.h"

enum { TRIES_MAX = 100000 };

/* Where the count stands. A test's process has one thread and one piece of work at a time. */
static struct {
    bool is_on, onwards;
    unsigned long count, nth, refused;
} state;

static bool is_refused(void)
{
    if (!state.is_on) {
        return false;
    }
    state.count++;
    const bool refused =
        state.nth > 0 && (state.onwards ? state.count >= state.nth : state.count == state.nth);
    state.refused += refused ? 1 : 0;
    return refused;
}

/* What the linker calls instead, and what it calls the originals (ld, --wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_arena_alloc(struct arena *arena, size_t size);
void *__real_arena_alloc_array(struct arena *arena, size_t count, size_t item_size);
struct span __real_arena_copy(struct arena *arena, struct span span);

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_refused() ? NULL : __real_realloc(memory, size);
}

void *__wrap_arena_alloc(struct arena *arena, size_t size)
{
    return is_refused() ? NULL : __real_arena_alloc(arena, size);
}

void *__wrap_arena_alloc_array(struct arena *arena, size_t count, size_t item_size)
{
    return is_refused() ? NULL : __real_arena_alloc_array(arena, count, item_size);
}

struct span __wrap_arena_copy(struct arena *arena, struct span span)
{
    return is_refused() ? (struct span){0} : __real_arena_copy(arena, span);
}

/* Returns how many allocations were refused. */
static unsigned long try_once(const struct trial *trial, unsigned long nth, bool onwards)
{
    struct error error = {.code = ERROR_NONE};
    trial->prepare(trial->context);
    state.onwards = onwards;
    state.count = state.refused = 0;
    state.nth = nth;
    state.is_on = true;
    const bool is_done = trial->work(trial->context, &error);
    state.is_on = false;
    if (!is_done) {
        cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY, "allocation %lu%s: %s: %s", nth,
                     onwards ? " and on" : "", error_code_name(error.code), error.message);
        cr_assert_gt(strlen(error.message), 0);
        cr_assert_gt(state.refused, 0, "it fails without a refusal: %s", error.message);
    }
    trial->verify(trial->context, is_done);
    return state.refused;
}

void refuse_each(const struct trial *trial, unsigned long least)
{
    for (int onwards = 0; onwards < 2; onwards++) {
        unsigned long nth = 1;
        while (nth < TRIES_MAX && try_once(trial, nth, onwards != 0) > 0) {
            nth++;
        }
        cr_assert_lt(nth, TRIES_MAX);
        cr_assert_gt(nth, least, "only %lu allocations", nth - 1);
    }
}
