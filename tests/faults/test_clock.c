/*
 * The worker's wall clock jumps by an hour either way: nothing that waits may notice.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"
#include "tests/support/child_process.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,

    FIRST = 24,
    PAUSE_MS = 60,
    STEP_MS = 1200,
    HOUR_MS = 3600000,
    RETRY_MS = 2500,
    LATE_MS = 5000 /* a retry may be this late, on a busy machine */
};

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(clock, .fini = end, .timeout = 120);

Test(clock, jumps_under_load)
{
    static const int64_t shifts_ms[] = {HOUR_MS, 0, -HOUR_MS, HOUR_MS};
    world = world_create(PARTITIONS, STORY_TIERS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    fault_worker_shift_clock(world, -HOUR_MS);
    struct worker_process *const worker = fault_worker_start_shifted(world);
    (void)world_await_results(world, NULL, 1);
    for (size_t i = 0; i < sizeof(shifts_ms) / sizeof(shifts_ms[0]); i++) {
        story_send_for(&story, STEP_MS, PAUSE_MS);
        fault_worker_shift_clock(world, shifts_ms[i]);
    }
    story_send_for(&story, STEP_MS, PAUSE_MS);
    story_settle(&story);
    story_expect_once(&story);
    cr_assert_eq(worker_process_log_count(worker, "partitions assigned"), 1);
    cr_assert_eq(worker_process_log_count(worker, "store connection lost"), 0);
}

/* The clock jumps while a retry is held: it is due when its delay is over, not when the wall clock
 * says so. */
static void jump_while_held(int64_t shift_ms)
{
    world = world_create(1, 1);
    world_set(world, "retry.initial_delay_ms=%d", RETRY_MS);
    (void)fault_worker_start_shifted(world);
    world_await_assignment(world);
    const uint64_t sent_ms = monotonic_ms();
    world_send(world, 0, sent_batch("s1", "b1", op_move("u", 7, 2000)));
    (void)world_await_results(world, "b1", 1);
    world_send(world, 0, sent_batch("s1", "b2", op_add("u", 1, 1000)));
    (void)world_await_results(world, "b2", 1);
    const uint64_t held_ms = monotonic_ms();
    fault_worker_shift_clock(world, shift_ms);
    const struct result_list results = world_await_results(world, "b1", 2);
    const uint64_t done_ms = monotonic_ms();
    cr_assert_geq(done_ms - sent_ms, (uint64_t)RETRY_MS, "it ran early");
    cr_assert_lt(done_ms - held_ms, (uint64_t)RETRY_MS + LATE_MS, "it ran late");
    cr_assert(sync_result_is_success(&results.items[1]));
}

Test(clock, an_hour_on_while_a_retry_is_held)
{
    jump_while_held(HOUR_MS);
}

Test(clock, an_hour_back_while_a_retry_is_held)
{
    jump_while_held(-HOUR_MS);
}

/* The pauses before the store is tried again do not follow the clock either. */
Test(clock, an_hour_back_while_the_store_is_waited_for)
{
    world = world_create(1, 1);
    struct worker_process *const worker = fault_worker_start_shifted(world);
    world_await_assignment(world);
    REDIS_RUN(world_redis(world), "CONFIG", "SET", "maxmemory", "1");
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    worker_process_await_log(worker, "OOM", WORLD_WAIT_MS);
    fault_worker_shift_clock(world, -HOUR_MS);
    REDIS_RUN(world_redis(world), "CONFIG", "SET", "maxmemory", "0");
    (void)world_await_results(world, "b1", 1);
    cr_assert(sync_result_is_success(&world_results(world, "b1").items[0]));
}

/* The requeue's time was set by a clock that was wrong: it waits its tier's delay and no longer. */
Test(clock, requeue_from_an_hour_ahead)
{
    world = world_create(1, 1);
    world_set(world, "retry.initial_delay_ms=%d", RETRY_MS);
    fault_worker_shift_clock(world, HOUR_MS);
    struct worker_process *const ahead = fault_worker_start_shifted(world);
    world_send(world, 0, sent_batch("s1", "b1", op_move("u", 7, 2000)));
    (void)world_await_results(world, "b1", 1);
    worker_process_signal(ahead, SIGKILL);
    (void)worker_process_await_exit(ahead, WORLD_WAIT_MS);
    world_send(world, 0, sent_batch("s1", "b2", op_add("u", 1, 1000)));
    struct worker_process *const heir = world_start_worker(world);
    worker_process_await_log(heir, "partitions assigned", WORLD_WAIT_MS);
    const uint64_t since_ms = monotonic_ms();
    (void)world_await_results(world, "b1", 2);
    cr_assert_lt(monotonic_ms() - since_ms, (uint64_t)RETRY_MS + LATE_MS);
}
