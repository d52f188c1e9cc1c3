#include "tests/soak/soak_plan.h"

#include <string.h>

struct fault_row {
    const char *name;
    enum soak_lane lane;
    int16_t duration_min_ms, duration_max_ms;
    uint8_t times_max; /* in a run; 0: no limit */
    bool loses_writes;
};

/* A worker's session lasts 6 s: what is shorter than 5 s goes unnoticed by the group, what is
 * longer than 7 s does not. Redis is given up after 2 s without a reply. */
static const struct fault_row rows[SOAK_FAULT_COUNT] = {
    [SOAK_WORKER_KILL] = {"worker: SIGKILL", SOAK_LANE_WORKERS, 0, 8000, 0, false},
    [SOAK_WORKER_POINT] = {"worker: SIGKILL at a fault point", SOAK_LANE_WORKERS, 4000, 9000, 0,
                           false},
    [SOAK_WORKER_TERM] = {"worker: SIGTERM", SOAK_LANE_WORKERS, 0, 6000, 0, false},
    [SOAK_WORKER_STOP] = {"worker: SIGSTOP, short", SOAK_LANE_WORKERS, 300, 4000, 0, false},
    [SOAK_WORKER_ZOMBIE] = {"worker: SIGSTOP beyond its session", SOAK_LANE_WORKERS, 8000, 14000, 0,
                            false},
    [SOAK_WORKER_FENCED] = {"worker: stopped, replaced under its name", SOAK_LANE_WORKERS, 500,
                            9000, 0, false},
    [SOAK_WORKER_VISITOR] = {"worker: one more comes and goes", SOAK_LANE_WORKERS, 1000, 8000, 0,
                             false},
    [SOAK_WORKER_CLOCK] = {"worker: clock an hour off", SOAK_LANE_WORKERS, 1000, 6000, 0, false},
    [SOAK_STORE_KILL] = {"redis: SIGKILL, restart", SOAK_LANE_STORE, 0, 3000, 0, false},
    [SOAK_STORE_STOP] = {"redis: SIGSTOP", SOAK_LANE_STORE, 200, 10000, 0, false},
    [SOAK_STORE_CLIENTS] = {"redis: CLIENT KILL in a loop", SOAK_LANE_STORE, 500, 4000, 0, false},
    [SOAK_STORE_MEMORY] = {"redis: OOM", SOAK_LANE_STORE, 500, 4000, 0, false},
    [SOAK_STORE_REPLICAS] = {"redis: NOREPLICAS", SOAK_LANE_STORE, 500, 4000, 0, false},
    [SOAK_STORE_DISK] = {"redis: MISCONF", SOAK_LANE_STORE, 1000, 4000, 0, false},
    [SOAK_STORE_RIGHT] = {"redis: ACL right taken away", SOAK_LANE_STORE, 500, 4000, 0, false},
    [SOAK_STORE_BUSY] = {"redis: BUSY script", SOAK_LANE_STORE, 500, 5000, 0, false},
    [SOAK_STORE_SCRIPTS] = {"redis: SCRIPT FLUSH", SOAK_LANE_STORE, 0, 100, 0, false},
    [SOAK_STORE_CUT] = {"redis: restart, file cut short", SOAK_LANE_STORE, 0, 3000, 0, true},
    [SOAK_STORE_PROMOTE] = {"redis: lagging replica promoted", SOAK_LANE_STORE, 100, 3000, 0, true},
    [SOAK_STORE_FLUSH] = {"redis: FLUSHALL", SOAK_LANE_STORE, 0, 100, 2, true},
    [SOAK_STORE_EMPTY] = {"redis: restart with nothing", SOAK_LANE_STORE, 0, 3000, 1, true},
    [SOAK_NETWORK_DELAY] = {"network: 200 ms delay", SOAK_LANE_NETWORK, 1000, 6000, 0, false},
    [SOAK_NETWORK_REPLIES] = {"network: replies lost", SOAK_LANE_NETWORK, 300, 4000, 0, false},
    [SOAK_NETWORK_CUT] = {"network: connections cut", SOAK_LANE_NETWORK, 300, 4000, 0, false},
    [SOAK_NETWORK_SILENCE] = {"network: half open", SOAK_LANE_NETWORK, 1000, 8000, 0, false},
    [SOAK_NETWORK_REFUSE] = {"network: refused", SOAK_LANE_NETWORK, 300, 4000, 0, false},
    [SOAK_BROKER_KILL] = {"kafka: SIGKILL, restart", SOAK_LANE_BROKER, 0, 4000, 0, false},
    [SOAK_BROKER_TERM] = {"kafka: restart", SOAK_LANE_BROKER, 0, 4000, 0, false},
    [SOAK_BROKER_STOP] = {"kafka: SIGSTOP", SOAK_LANE_BROKER, 500, 20000, 0, false},
};

static const struct {
    int16_t min_ms, max_ms;
} gaps[SOAK_LANE_COUNT] = {
    [SOAK_LANE_WORKERS] = {500, 4000},
    [SOAK_LANE_STORE] = {1000, 5000},
    [SOAK_LANE_NETWORK] = {4000, 15000},
    [SOAK_LANE_BROKER] = {12000, 30000},
};

const char *soak_fault_name(enum soak_fault fault)
{
    return rows[fault].name;
}

bool soak_fault_loses_writes(enum soak_fault fault)
{
    return rows[fault].loses_writes;
}

struct soak_plan soak_plan_make(uint64_t seed, const bool allowed[SOAK_FAULT_COUNT])
{
    struct soak_plan plan = {0};
    for (uint32_t lane = 0; lane < SOAK_LANE_COUNT; lane++) {
        plan.lanes[lane].lane = (enum soak_lane)lane;
        plan.lanes[lane].dice = dice_make(seed, 100 + lane);
        memcpy(plan.lanes[lane].allowed, allowed, sizeof(plan.lanes[lane].allowed));
    }
    return plan;
}

static bool may_come(const struct soak_plan_lane *lane, enum soak_fault fault)
{
    const struct fault_row *const row = &rows[fault];
    return row->lane == lane->lane && lane->allowed[fault] &&
           (row->times_max == 0 || lane->dealt[fault] < row->times_max);
}

static void shuffle(struct soak_plan_lane *lane)
{
    for (uint32_t i = lane->left; i > 1; i--) {
        const uint32_t other = dice_below(&lane->dice, i);
        const enum soak_fault swapped = lane->deck[i - 1];
        lane->deck[i - 1] = lane->deck[other];
        lane->deck[other] = swapped;
    }
}

static void fill_deck(struct soak_plan_lane *lane)
{
    for (int fault = 0; fault < SOAK_FAULT_COUNT && lane->left < SOAK_LANE_FAULTS_MAX; fault++) {
        if (may_come(lane, (enum soak_fault)fault)) {
            lane->deck[lane->left++] = (enum soak_fault)fault;
        }
    }
    shuffle(lane);
}

bool soak_plan_next(struct soak_plan *plan, enum soak_lane lane_number, struct soak_step *step)
{
    struct soak_plan_lane *const lane = &plan->lanes[lane_number];
    if (lane->left == 0) {
        fill_deck(lane);
    }
    if (lane->left == 0) {
        return false;
    }
    const enum soak_fault fault = lane->deck[--lane->left];
    const struct fault_row *const row = &rows[fault];
    lane->dealt[fault]++;
    step->fault = fault;
    step->gap_ms = dice_between(&lane->dice, gaps[lane_number].min_ms, gaps[lane_number].max_ms);
    step->duration_ms = dice_between(&lane->dice, row->duration_min_ms, row->duration_max_ms);
    step->choice = dice_throw(&lane->dice);
    return true;
}
