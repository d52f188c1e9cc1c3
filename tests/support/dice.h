/**
 * Seeded randomness: the same seed, the same throws, on every machine.
 *
 * splitmix64 (Steele, Lea, Flood 2014). Threading: one thread per dice.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_DICE_H
#define SCENESYNC_TESTS_SUPPORT_DICE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_throw(struct dice *dice)
{
    uint64_t z = (dice->state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/** Dice of one seed and different streams, and of neighbouring seeds, share nothing: without the
 * scattering they would be one sequence, a step apart. */
static inline struct dice dice_make(uint64_t seed, uint64_t stream)
{
    struct dice of_seed = {.state = seed};
    struct dice of_stream = {.state = dice_throw(&of_seed) + stream};
    return (struct dice){.state = dice_throw(&of_stream)};
}

/** 0 up to below `bound`, which is at least 1; the bias of the remainder does not matter here. */
static inline uint32_t dice_below(struct dice *dice, uint32_t bound)
{
    assert(bound > 0);
    return (uint32_t)(dice_throw(dice) % bound);
}

/** `low` to `high`, both included. */
static inline int64_t dice_between(struct dice *dice, int64_t low, int64_t high)
{
    assert(low <= high && high - low < UINT32_MAX);
    return low + (int64_t)dice_below(dice, (uint32_t)(high - low) + 1);
}

/** True `per_mille` times in a thousand. */
static inline bool dice_chance(struct dice *dice, uint32_t per_mille)
{
    return dice_below(dice, 1000) < per_mille;
}

/** True once in `n` times. */
static inline bool dice_one_in(struct dice *dice, uint32_t n)
{
    return dice_below(dice, n) == 0;
}

#endif
