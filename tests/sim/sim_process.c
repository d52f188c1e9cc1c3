#include "tests/sim/sim_process.h"

#include <assert.h>
#include <time.h>

enum {
    SLICE_US = 1000,
    CALL_US = 10,
    PREEMPTED_MS_MAX = 25,
    DEATH_WAITS_MAX = 1000000 /* a dead process that waits so often never ends */
};

/* The one global: librdkafka's functions are given no environment to find their network in. */
static struct sim_process *current;

struct sim_process *sim_process_current(void)
{
    assert(current != NULL);
    return current;
}

void sim_process_resume(struct sim_process *process)
{
    assert(current == NULL);
    current = process;
    sim_fiber_resume(process->fiber);
    current = NULL;
}

uint64_t sim_process_due_ms(const struct sim_process *process)
{
    return process->is_dead ? 0 : sim_time_later(process->wake_ms, process->stopped_until_ms);
}

bool sim_process_is_due(const struct sim_process *process)
{
    return sim_process_due_ms(process) <= process->time->now_ms;
}

void sim_process_wait(struct sim_process *process, uint64_t until_ms)
{
    if (!process->is_dead) {
        process->wake_ms = until_ms;
        sim_fiber_yield(process->fiber);
    }
    if (process->is_dead) {
        uint64_t now_ms = sim_process_now_ms(process);
        process->dead_ms += until_ms != UINT64_MAX && until_ms > now_ms ? until_ms - now_ms : 1;
        process->death_waits++;
        assert(process->death_waits < DEATH_WAITS_MAX);
    }
}

void sim_process_wake(struct sim_process *process, uint64_t at_ms)
{
    if (at_ms < process->wake_ms) {
        process->wake_ms = at_ms;
    }
}

void sim_process_spend(struct sim_process *process, uint64_t us)
{
    process->spent_us += us;
    if (process->spent_us >= SLICE_US) {
        uint64_t slices = process->spent_us / SLICE_US;
        bool is_preempted = dice_chance(process->dice, 20);
        process->spent_us %= SLICE_US;
        slices += is_preempted ? dice_below(process->dice, PREEMPTED_MS_MAX) : 0;
        uint64_t until_ms = sim_process_now_ms(process) + slices;
        while (sim_process_now_ms(process) < until_ms) {
            sim_process_wait(process, until_ms);
        }
    }
}

void sim_process_kill(struct sim_process *process)
{
    process->is_dead = true;
}

uint64_t sim_process_now_ms(const struct sim_process *process)
{
    return process->time->now_ms + process->dead_ms;
}

static uint64_t monotonic_ms(void *context)
{
    return sim_process_now_ms(context);
}

static uint64_t wall_ms(void *context)
{
    const struct sim_process *process = context;
    int64_t now_ms = (int64_t)SIM_START_S * 1000 + (int64_t)sim_process_now_ms(process);
    return (uint64_t)(now_ms + process->wall_skew_ms);
}

struct clock sim_process_clock(struct sim_process *process)
{
    return (struct clock){.monotonic_ms = monotonic_ms, .wall_ms = wall_ms, .context = process};
}

/* The sink sleeps while it has no producer. The build names this instead of the C library's. */
int nanosleep(const struct timespec *requested, struct timespec *remaining)
{
    struct sim_process *process = sim_process_current();
    (void)remaining;
    sim_process_spend(process, CALL_US);
    uint64_t until_ms = sim_process_now_ms(process) + (uint64_t)requested->tv_sec * 1000 +
                        (uint64_t)requested->tv_nsec / 1000000;
    process->empty_sleeps = until_ms > sim_process_now_ms(process) ? 0 : process->empty_sleeps + 1;
    while (sim_process_now_ms(process) < until_ms) {
        sim_process_wait(process, until_ms);
    }
    return 0;
}
