#include "tests/soak/soak_lanes.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/faults/fault_point_name.h"

enum {
    OVERCOME_TIMEOUT_MS = 180000,
    CAUGHT_UP_SECONDS = 2, /* of production: a lag below counts as none */
    CLOCK_SHIFT_MS = 3600000,
    PASSAGES_MAX = 40, /* of a fault point, before the worker is killed there */
    FAULT_TEXT_BYTES = 64
};

enum lane_state { LANE_QUIET, LANE_ACTIVE, LANE_RECOVERING, LANE_EMPTY };

struct lane {
    enum lane_state state;
    struct soak_step step;
    uint64_t since_ms; /* of the state */
    uint64_t look;     /* the last one before the end of the fault */
    int64_t work;      /* at that time */
};

struct soak_lanes {
    struct soak_subjects subjects;
    struct soak_plan plan;
    struct lane lanes[SOAK_LANE_COUNT];
    unsigned counts[SOAK_FAULT_COUNT];
};

/* Workers. */

static int slot_of(const struct soak_step *step)
{
    return step->fault == SOAK_WORKER_VISITOR ? SOAK_SLOT_VISITOR
                                              : (int)(step->choice % SOAK_WORKERS);
}

/* "after_commit:17:kill": the worker dies at the 17th passage. */
static void start_doomed(struct soak_workers *workers, const struct soak_step *step)
{
    char fault[FAULT_TEXT_BYTES];
    (void)snprintf(fault, sizeof(fault), "%s:%u:kill",
                   fault_point_name((enum fault_point)((step->choice >> 8) % FAULT_POINT_COUNT)),
                   1 + (unsigned)((step->choice >> 16) % PASSAGES_MAX));
    soak_workers_start(workers, slot_of(step), fault);
}

static void begin_worker_fault(struct soak_workers *workers, const struct soak_step *step)
{
    const int slot = slot_of(step);
    if (step->fault == SOAK_WORKER_KILL) {
        soak_workers_signal(workers, slot, SIGKILL);
    } else if (step->fault == SOAK_WORKER_TERM) {
        soak_workers_signal(workers, slot, SIGTERM);
    } else if (step->fault == SOAK_WORKER_VISITOR) {
        soak_workers_start(workers, slot, NULL);
    } else if (step->fault == SOAK_WORKER_POINT) {
        soak_workers_signal(workers, slot, SIGKILL);
        start_doomed(workers, step);
    } else if (step->fault == SOAK_WORKER_FENCED) {
        soak_workers_replace(workers, slot);
    } else if (step->fault == SOAK_WORKER_CLOCK) {
        soak_workers_shift_clock(workers, slot,
                                 step->choice % 2 == 0 ? CLOCK_SHIFT_MS : -CLOCK_SHIFT_MS);
    } else {
        soak_workers_signal(workers, slot, SIGSTOP);
    }
}

static void end_worker_fault(struct soak_workers *workers, const struct soak_step *step)
{
    const int slot = slot_of(step);
    if (step->fault == SOAK_WORKER_KILL || step->fault == SOAK_WORKER_TERM) {
        soak_workers_start(workers, slot, NULL);
    } else if (step->fault == SOAK_WORKER_VISITOR) {
        soak_workers_signal(workers, slot, step->choice % 2 == 0 ? SIGTERM : SIGKILL);
    } else if (step->fault == SOAK_WORKER_FENCED) {
        soak_workers_wake(workers);
    } else if (step->fault == SOAK_WORKER_CLOCK) {
        soak_workers_shift_clock(workers, slot, 0);
    } else if (step->fault != SOAK_WORKER_POINT) {
        soak_workers_signal(workers, slot, SIGCONT);
    }
}

/* Broker. */

static void begin_broker_fault(struct soak_broker *broker, const struct soak_step *step)
{
    if (step->fault == SOAK_BROKER_STOP) {
        soak_broker_signal(broker, SIGSTOP);
    } else if (step->fault == SOAK_BROKER_KILL) {
        soak_broker_signal(broker, SIGKILL);
    } else {
        soak_broker_signal(broker, SIGTERM);
    }
}

static void end_broker_fault(struct soak_broker *broker, const struct soak_step *step)
{
    if (step->fault == SOAK_BROKER_STOP) {
        soak_broker_signal(broker, SIGCONT);
    } else {
        soak_broker_restart(broker);
    }
}

/* Lanes. */

static void begin_fault(struct soak_lanes *lanes, enum soak_lane number)
{
    const struct soak_step *const step = &lanes->lanes[number].step;
    lanes->counts[step->fault]++;
    soak_log_line(lanes->subjects.log, "fault: %s, for %lld ms", soak_fault_name(step->fault),
                  (long long)step->duration_ms);
    if (number == SOAK_LANE_WORKERS) {
        begin_worker_fault(lanes->subjects.workers, step);
    } else if (number == SOAK_LANE_BROKER) {
        begin_broker_fault(lanes->subjects.broker, step);
    } else {
        soak_store_begin(lanes->subjects.store, step);
    }
}

static void end_fault(struct soak_lanes *lanes, enum soak_lane number)
{
    const struct soak_step *const step = &lanes->lanes[number].step;
    if (number == SOAK_LANE_WORKERS) {
        end_worker_fault(lanes->subjects.workers, step);
    } else if (number == SOAK_LANE_BROKER) {
        end_broker_fault(lanes->subjects.broker, step);
    } else {
        soak_store_end(lanes->subjects.store, step);
    }
    soak_log_line(lanes->subjects.log, "end:   %s", soak_fault_name(step->fault));
}

struct soak_lanes *soak_lanes_create(const struct soak_subjects *subjects,
                                     const struct soak_plan *plan)
{
    struct soak_lanes *const lanes = calloc(1, sizeof(*lanes));
    cr_assert_not_null(lanes);
    lanes->subjects = *subjects;
    lanes->plan = *plan;
    for (int number = 0; number < SOAK_LANE_COUNT; number++) {
        struct lane *const lane = &lanes->lanes[number];
        if (!soak_plan_next(&lanes->plan, (enum soak_lane)number, &lane->step)) {
            lane->state = LANE_EMPTY;
        }
    }
    return lanes;
}

void soak_lanes_destroy(struct soak_lanes *lanes)
{
    free(lanes);
}

static void enter(struct lane *lane, enum lane_state state, uint64_t now_ms)
{
    lane->state = state;
    lane->since_ms = now_ms;
}

static bool is_subject_well(struct soak_lanes *lanes, enum soak_lane number)
{
    return number == SOAK_LANE_BROKER ? soak_broker_is_up(lanes->subjects.broker)
                                      : soak_store_is_well(lanes->subjects.store);
}

static bool is_overcome(struct soak_lanes *lanes, enum soak_lane number,
                        const struct soak_progress *progress)
{
    const struct lane *const lane = &lanes->lanes[number];
    const int64_t small_lag = (int64_t)CAUGHT_UP_SECONDS * lanes->subjects.setup->batches_per_s;
    if (number == SOAK_LANE_WORKERS) {
        return true;
    }
    /* The look that is under way when a fault ends is of before it. */
    if (progress->look <= lane->look + 1 || !is_subject_well(lanes, number)) {
        return false;
    }
    if (soak_fault_loses_writes(lane->step.fault)) {
        return progress->lag < small_lag;
    }
    return progress->work > lane->work;
}

static void tend_lane(struct soak_lanes *lanes, enum soak_lane number, uint64_t now_ms,
                      const struct soak_progress *progress)
{
    struct lane *const lane = &lanes->lanes[number];
    const int64_t elapsed_ms = (int64_t)(now_ms - lane->since_ms);
    switch (lane->state) {
    case LANE_QUIET:
        if (elapsed_ms >= lane->step.gap_ms) {
            begin_fault(lanes, number);
            enter(lane, LANE_ACTIVE, now_ms);
        }
        break;
    case LANE_ACTIVE:
        soak_store_tend(lanes->subjects.store, &lane->step);
        if (elapsed_ms >= lane->step.duration_ms) {
            end_fault(lanes, number);
            enter(lane, LANE_RECOVERING, now_ms);
            lane->look = progress->look;
            lane->work = progress->work;
        }
        break;
    case LANE_RECOVERING:
        if (is_overcome(lanes, number, progress)) {
            (void)soak_plan_next(&lanes->plan, number, &lane->step);
            enter(lane, LANE_QUIET, now_ms);
        }
        break;
    case LANE_EMPTY:
        break;
    }
}

bool soak_lanes_tend(struct soak_lanes *lanes, uint64_t now_ms,
                     const struct soak_progress *progress)
{
    for (int number = 0; number < SOAK_LANE_COUNT; number++) {
        struct lane *const lane = &lanes->lanes[number];
        if (lane->since_ms == 0) {
            lane->since_ms = now_ms;
        }
        tend_lane(lanes, (enum soak_lane)number, now_ms, progress);
        if (lane->state == LANE_RECOVERING && now_ms - lane->since_ms > OVERCOME_TIMEOUT_MS) {
            soak_log_line(lanes->subjects.log, "FOUND: \"%s\" is not overcome after %d s",
                          soak_fault_name(lane->step.fault), OVERCOME_TIMEOUT_MS / 1000);
            return false;
        }
    }
    return true;
}

void soak_lanes_heal(struct soak_lanes *lanes)
{
    for (int number = 0; number < SOAK_LANE_COUNT; number++) {
        if (lanes->lanes[number].state == LANE_ACTIVE) {
            end_fault(lanes, (enum soak_lane)number);
        }
        lanes->lanes[number].state = LANE_EMPTY;
    }
}

bool soak_lanes_are_well(struct soak_lanes *lanes)
{
    return soak_broker_is_up(lanes->subjects.broker) && soak_store_is_well(lanes->subjects.store);
}

unsigned soak_lanes_count(const struct soak_lanes *lanes, enum soak_fault fault)
{
    return lanes->counts[fault];
}
