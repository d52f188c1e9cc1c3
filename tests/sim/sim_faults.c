/* What goes wrong in a simulated world, and when (sim_world.h). */
#include "tests/sim/sim_world.h"

enum {
    CRASH_POINTS = 40,
    AWAY_MS_MAX = 6000,
    LONG_AWAY_MS_MAX = 25000,
    LOSS_WRITES_MAX = 60,
    CLOCK_JUMP_MS_MAX = 600000,
    FEW_MAX = 5,
    SOON_MS_MAX = 400
};

/* Mostly short, now and then beyond every time-out. */
static uint64_t away_until_ms(struct sim_world *world)
{
    uint32_t max_ms = dice_chance(&world->dice, 150) ? LONG_AWAY_MS_MAX : AWAY_MS_MAX;
    return world->time.now_ms + 1 + dice_below(&world->dice, 1 + dice_below(&world->dice, max_ms));
}

static unsigned few(struct sim_world *world)
{
    return 1 + dice_below(&world->dice, FEW_MAX);
}

static void lose(struct sim_world *world)
{
    static const enum sim_redis_loss losses[] = {
        SIM_LOSS_RESTART, SIM_LOSS_FAILOVER, SIM_LOSS_RESTART, SIM_LOSS_FAILOVER, SIM_LOSS_EMPTIED};
    enum sim_redis_loss loss = losses[dice_below(&world->dice, 5)];
    size_t writes = 1 + dice_below(&world->dice, LOSS_WRITES_MAX);
    if (dice_chance(&world->dice, 100)) {
        writes *= 10;
    }
    sim_world_tell(world, "redis forgets %zu writes (%d)", writes, (int)loss);
    sim_watch_forget(world->watch);
    world->has_lost = true;
    sim_redis_lose(world->redis, loss, writes);
}

static void crash(struct sim_world *world, struct sim_worker *worker)
{
    if (dice_chance(&world->dice, 500)) {
        worker->process.crash_in = 1 + dice_below(&world->dice, CRASH_POINTS);
    } else {
        sim_process_kill(&worker->process);
    }
}

static void restart(struct sim_world *world, struct sim_worker *worker)
{
    (void)world;
    sim_worker_stop(worker);
}

static void stop(struct sim_world *world, struct sim_worker *worker)
{
    worker->process.stopped_until_ms = away_until_ms(world);
}

static void cut_off_kafka(struct sim_world *world, struct sim_worker *worker)
{
    worker->process.cut_until_ms = away_until_ms(world);
}

static void take_kafka_down(struct sim_world *world)
{
    sim_kafka_set_down(world->kafka, away_until_ms(world));
}

static void rebalance(struct sim_world *world)
{
    sim_kafka_rebalance(world->kafka);
}

static void lose_offset_commits(struct sim_world *world)
{
    unsigned requests = few(world) - 1;
    sim_kafka_lose_commits(world->kafka, requests, few(world) - 1);
}

static void refuse_sending(struct sim_world *world)
{
    sim_kafka_fail_sends(world->kafka, few(world));
}

static void end_producer_now(void *context)
{
    const struct sim_start *start = context;
    const struct sim_worker *worker = start->world->workers[start->number];
    if (worker != NULL && !start->world->is_mended) {
        sim_kafka_end_producer(start->world->kafka, &worker->process);
    }
}

/* At once, or while what was refused before waits to be sent again. */
static void end_producer(struct sim_world *world, struct sim_worker *worker)
{
    uint64_t at_ms = world->time.now_ms;
    if (dice_chance(&world->dice, 500)) {
        sim_kafka_fail_sends(world->kafka, few(world));
        at_ms += dice_below(&world->dice, SOON_MS_MAX);
    }
    sim_time_plan(&world->time, at_ms, end_producer_now, &world->starts[worker->process.number]);
}

static void ignore_questions(struct sim_world *world)
{
    sim_kafka_fail_asks(world->kafka, few(world));
}

static void cut_off_redis(struct sim_world *world, struct sim_worker *worker)
{
    sim_redis_cut(world->redis, &worker->process);
}

static void take_redis_down(struct sim_world *world)
{
    sim_redis_set_down(world->redis, away_until_ms(world));
}

static void hang_redis(struct sim_world *world)
{
    sim_redis_hang(world->redis, away_until_ms(world));
}

static void move_clock(struct sim_world *world, struct sim_worker *worker)
{
    worker->process.wall_skew_ms +=
        dice_between(&world->dice, -CLOCK_JUMP_MS_MAX, CLOCK_JUMP_MS_MAX);
    world->wall_skew_ms[worker->process.number] = worker->process.wall_skew_ms;
}

/* One of the two: of everybody, or of one worker. */
static const struct {
    const char *name;
    void (*strike)(struct sim_world *world);
    void (*strike_worker)(struct sim_world *world, struct sim_worker *worker);
} faults[SIM_FAULT_COUNT] = {
    [SIM_FAULT_CRASH] = {"crash", NULL, crash},
    [SIM_FAULT_RESTART] = {"restart", NULL, restart},
    [SIM_FAULT_STOP] = {"stop", NULL, stop},
    [SIM_FAULT_KAFKA_CUT] = {"kafka cut", NULL, cut_off_kafka},
    [SIM_FAULT_KAFKA_DOWN] = {"kafka down", take_kafka_down, NULL},
    [SIM_FAULT_REBALANCE] = {"rebalance", rebalance, NULL},
    [SIM_FAULT_OFFSET_COMMIT] = {"offset commit lost", lose_offset_commits, NULL},
    [SIM_FAULT_SENDING] = {"sending refused", refuse_sending, NULL},
    [SIM_FAULT_PRODUCER] = {"producer ended", NULL, end_producer},
    [SIM_FAULT_ASKING] = {"question unanswered", ignore_questions, NULL},
    [SIM_FAULT_REDIS_CUT] = {"redis cut", NULL, cut_off_redis},
    [SIM_FAULT_REDIS_DOWN] = {"redis down", take_redis_down, NULL},
    [SIM_FAULT_REDIS_HANG] = {"redis hangs", hang_redis, NULL},
    [SIM_FAULT_LOSS] = {"redis forgets", lose, NULL},
    [SIM_FAULT_CLOCK] = {"clock jumps", NULL, move_clock},
};

const char *sim_fault_name(enum sim_fault fault)
{
    return faults[fault].name;
}

static void break_something(struct sim_world *world, enum sim_fault fault)
{
    unsigned number = dice_below(&world->dice, world->character.worker_count);
    struct sim_worker *worker = world->workers[number];
    if (faults[fault].strike != NULL) {
        sim_world_tell(world, "fault: %s", faults[fault].name);
        faults[fault].strike(world);
    } else if (worker != NULL && !worker->process.is_dead) {
        sim_world_tell(world, "fault: %s, worker %u", faults[fault].name, number);
        faults[fault].strike_worker(world, worker);
    } else {
        return;
    }
    world->faults[fault]++;
}

static void plan_next(struct sim_world *world);

/* One of those that the seed has; SIM_FAULT_COUNT: it has none. */
static enum sim_fault draw_fault(struct sim_world *world)
{
    enum sim_fault drawn = SIM_FAULT_COUNT;
    uint32_t count = 0;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        count += world->character.has_fault[fault];
        if (world->character.has_fault[fault] && dice_below(&world->dice, count) == 0) {
            drawn = (enum sim_fault)fault;
        }
    }
    return drawn;
}

static void strike(void *context)
{
    struct sim_world *world = context;
    enum sim_fault fault = world->is_mended ? SIM_FAULT_COUNT : draw_fault(world);
    if (fault != SIM_FAULT_COUNT) {
        break_something(world, fault);
        plan_next(world);
    }
}

static void plan_next(struct sim_world *world)
{
    uint32_t pause_ms = 1 + dice_below(&world->dice, world->character.fault_pause_ms);
    sim_time_plan(&world->time, world->time.now_ms + pause_ms, strike, world);
}

void sim_faults_start(struct sim_world *world)
{
    plan_next(world);
}
