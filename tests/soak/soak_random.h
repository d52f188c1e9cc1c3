/**
 * The soak's only source of chance: the same seed gives the same batches and the same faults, on
 * every machine.
 *
 * Lifetime: a plain value. Threading: one thread per generator.
 */
#ifndef SCENESYNC_TESTS_SOAK_RANDOM_H
#define SCENESYNC_TESTS_SOAK_RANDOM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct soak_random {
    uint64_t state;
};

/** Weyl sequence with a finalizer of two multiplications: no state is a bad one. */
static inline uint64_t soak_random_next(struct soak_random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t bits = random->state;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

/** Generators of one seed and different streams, and of neighbouring seeds, share nothing: without
 * the scattering they would be one sequence, a step apart. */
static inline struct soak_random soak_random_make(uint64_t seed, uint64_t stream)
{
    struct soak_random of_seed = {.state = seed};
    struct soak_random of_stream = {.state = soak_random_next(&of_seed) + stream};
    return (struct soak_random){.state = soak_random_next(&of_stream)};
}

/** 0 to `bound` - 1; the bias of the remainder does not matter here. */
static inline uint32_t soak_random_below(struct soak_random *random, uint32_t bound)
{
    assert(bound > 0);
    return (uint32_t)(soak_random_next(random) % bound);
}

/** `low` to `high`, both included. */
static inline int64_t soak_random_between(struct soak_random *random, int64_t low, int64_t high)
{
    assert(low <= high && high - low < UINT32_MAX);
    return low + (int64_t)soak_random_below(random, (uint32_t)(high - low) + 1);
}

/** True `per_mille` times in a thousand. */
static inline bool soak_random_chance(struct soak_random *random, uint32_t per_mille)
{
    return soak_random_below(random, 1000) < per_mille;
}

#endif
