/**
 * Seeded randomness: the same seed, the same throws, on every machine.
 *
 * splitmix64 (Steele, Lea, Flood 2014). Threading: one thread per dice.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_DICE_H
#define SCENESYNC_TESTS_PROPERTY_DICE_H

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

/** 0 up to below `bound`, which is at least 1. */
static inline uint32_t dice_below(struct dice *dice, uint32_t bound)
{
    return (uint32_t)(dice_throw(dice) % bound);
}

/** True once in `n` times. */
static inline bool dice_one_in(struct dice *dice, uint32_t n)
{
    return dice_below(dice, n) == 0;
}

#endif
