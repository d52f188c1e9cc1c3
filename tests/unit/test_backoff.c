#include <criterion/criterion.h>

#include "store/backoff.h"

enum { TRIES = 2000 };

Test(backoff, limit_doubles_up_to_its_maximum)
{
    static const uint32_t limits_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    uint32_t longest_ms[10] = {0};
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct backoff backoff;
        backoff_init(&backoff, seed);
        for (size_t i = 0; i < 10; i++) {
            const uint32_t wait_ms = backoff_next_ms(&backoff);
            cr_assert(wait_ms >= 1 && wait_ms <= limits_ms[i], "wait %zu: %u ms", i, wait_ms);
            longest_ms[i] = wait_ms > longest_ms[i] ? wait_ms : longest_ms[i];
        }
    }
    for (size_t i = 0; i < 10; i++) {
        cr_assert_gt(longest_ms[i], limits_ms[i] * 9 / 10, "wait %zu: %u ms", i, longest_ms[i]);
    }
}

Test(backoff, jitter_covers_the_whole_wait)
{
    unsigned short_waits = 0;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct backoff backoff;
        backoff_init(&backoff, seed);
        short_waits += backoff_next_ms(&backoff) <= BACKOFF_FIRST_MS / 2;
    }
    cr_assert(short_waits > TRIES * 4 / 10 && short_waits < TRIES * 6 / 10, "%u", short_waits);
}

Test(backoff, starts_anew_after_a_success)
{
    struct backoff backoff;
    backoff_init(&backoff, 1);
    for (int i = 0; i < 20; i++) {
        (void)backoff_next_ms(&backoff);
    }
    backoff_reset(&backoff);
    cr_assert_leq(backoff_next_ms(&backoff), BACKOFF_FIRST_MS);
}
