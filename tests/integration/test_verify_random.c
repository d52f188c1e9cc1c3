/*
 * `scenesync verify` of what workers did with random batches, also under losses: the same seed, the
 * same batches.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/support/verify_fixture.h"

TestSuite(verify_random, .fini = verify_fixture_end, .timeout = 180);

enum { RANDOM_SCENES = 5, RANDOM_IDS = 6, RANDOM_BATCHES = 300, RANDOM_PARTITIONS = 3 };

static uint64_t random_state;

static uint64_t test_seed(void)
{
    const char *const seed = getenv("SCENESYNC_TEST_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : 20240611;
}

static uint32_t below(uint32_t count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % count);
}

static const char *random_operation(void)
{
    const char *const id = text_of_format("e%u", below(RANDOM_IDS));
    const uint64_t time_ms = 1000 + below(50);
    switch (below(8)) {
    case 0:
    case 1:
        return op_add(id, (int)below(100), time_ms);
    case 2:
        return op_remove(id, time_ms);
    case 3:
        return text_of_format("{'op':'update','id':'%s','changes':{'tag':%u},'timestamp':%llu,"
                              "'base_version':%u}",
                              id, below(100), (unsigned long long)time_ms, below(60));
    case 4:
        return "{'op':'interaction','timestamp':5}";
    default:
        return op_move(id, (int)below(100), time_ms);
    }
}

/* Mostly to the scene's partition, now and then to another; some are sent twice. */
static void send_random_batch(int number)
{
    static const char *const strategies[] = {"last_write_wins", "local_wins", "remote_wins"};
    const uint32_t scene = below(RANDOM_SCENES);
    const uint32_t stray = below(10) == 0 ? below(RANDOM_PARTITIONS) : 0;
    const struct span batch = sent_batch_by(
        "ann", strategies[below(3)], text_of_format("s%u", scene), text_of_format("b%d", number),
        text_of_format("%s,%s,%s", random_operation(), random_operation(), random_operation()));
    const int32_t partition = (int32_t)((scene + stray) % RANDOM_PARTITIONS);
    world_send(verify_world, partition, batch);
    if (below(15) == 0) {
        world_send(verify_world, (partition + (int32_t)below(2)) % RANDOM_PARTITIONS, batch);
    }
}

/* Two workers, retries in three tiers, and verify beside them all the while. */
static void play_at_random(void)
{
    const uint64_t seed = test_seed();
    random_state = seed;
    verify_world = world_create(RANDOM_PARTITIONS, 3);
    world_set(verify_world, "retry.initial_delay_ms=40");
    world_set(verify_world, "dedupe.max_batches=4");
    world_start_worker(verify_world);
    world_start_worker(verify_world);
    for (int i = 0; i < RANDOM_BATCHES; i++) {
        send_random_batch(i);
        if (i % 100 == 50) {
            const struct command_outcome live = VERIFY("--set", "dedupe.max_batches=4");
            cr_assert_eq(live.exit_code, OK, "live, seed %llu:\n%s%s", (unsigned long long)seed,
                         live.out, live.err);
        }
    }
    world_settle(verify_world);
    const struct command_outcome last = VERIFY("--set", "dedupe.max_batches=4");
    cr_assert_eq(last.exit_code, OK, "seed %llu:\n%s%s", (unsigned long long)seed, last.out,
                 last.err);
    verify_fixture_expect(last, OK, "5 equal, 0 different (0 differences), 0 not judged");
    cr_assert_eq(line_count(last.out), 1, "%s%s", last.out, last.err);
    /* Without the results less can be judged, but nothing that is right becomes wrong. */
    const struct command_outcome blind =
        VERIFY("--set", "dedupe.max_batches=4", "--set", "topics.results=no.such.topic");
    verify_fixture_expect(blind, OK, "0 different");
}

Test(verify_random, rebuilds_what_two_workers_did_at_random)
{
    play_at_random();
}

/* Under load workers are killed and the store is emptied, twice each. What was done before, by
 * retries that came in another order, has results that later ones take the place of. */
Test(verify_random, is_equal_again_after_losses_at_random)
{
    enum { PART = RANDOM_BATCHES / 5 };
    random_state = test_seed();
    verify_world = world_create(RANDOM_PARTITIONS, 3);
    world_set(verify_world, "retry.initial_delay_ms=40");
    world_set(verify_world, "dedupe.max_batches=4");
    struct worker_process *victim = world_start_worker(verify_world);
    world_start_worker(verify_world);
    for (int i = 0; i < RANDOM_BATCHES; i++) {
        send_random_batch(i);
        if (i == PART || i == 3 * PART) {
            worker_process_signal(victim, SIGKILL);
            (void)worker_process_await_exit(victim, WORLD_WAIT_MS);
            victim = world_start_worker(verify_world);
        }
        if (i == 2 * PART || i == 4 * PART) {
            REDIS("FLUSHALL");
        }
    }
    world_settle(verify_world);
    verify_fixture_await_equal("5 equal");
}
