#include "tests/sim/sim_time.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/model/pool.h"

void sim_time_init(struct sim_time *time)
{
    *time = (struct sim_time){.now_ms = 1000};
}

void sim_time_deinit(struct sim_time *time)
{
    free(time->heap);
    *time = (struct sim_time){0};
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event other = *a;
    *a = *b;
    *b = other;
}

void sim_time_plan(struct sim_time *time, uint64_t at_ms, void (*happen)(void *context),
                   void *context)
{
    if (time->count == time->room) {
        time->room = time->room * 2 + 64;
        time->heap = grown(time->heap, time->room, sizeof *time->heap);
    }
    size_t place = time->count++;
    time->heap[place] = (struct sim_event){.at_ms = at_ms < time->now_ms ? time->now_ms : at_ms,
                                           .number = time->made++,
                                           .happen = happen,
                                           .context = context};
    while (place > 0 && is_before(&time->heap[place], &time->heap[(place - 1) / 2])) {
        swap(&time->heap[place], &time->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
}

static struct sim_event take_first(struct sim_time *time)
{
    struct sim_event first = time->heap[0];
    time->heap[0] = time->heap[--time->count];
    size_t place = 0;
    for (;;) {
        size_t least = place;
        for (size_t child = 2 * place + 1; child <= 2 * place + 2; child++) {
            if (child < time->count && is_before(&time->heap[child], &time->heap[least])) {
                least = child;
            }
        }
        if (least == place) {
            return first;
        }
        swap(&time->heap[place], &time->heap[least]);
        place = least;
    }
}

uint64_t sim_time_next_ms(const struct sim_time *time)
{
    return time->count == 0 ? UINT64_MAX : time->heap[0].at_ms;
}

void sim_time_advance(struct sim_time *time, uint64_t at_ms)
{
    assert(at_ms >= time->now_ms && at_ms != UINT64_MAX);
    while (sim_time_next_ms(time) <= at_ms) {
        struct sim_event event = take_first(time);
        time->now_ms = event.at_ms;
        event.happen(event.context);
    }
    time->now_ms = at_ms;
}
