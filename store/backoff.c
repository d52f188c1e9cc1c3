#include "store/backoff.h"

void backoff_init(struct backoff *backoff, uint64_t seed)
{
    *backoff = (struct backoff){.random = seed, .limit_ms = BACKOFF_FIRST_MS};
}

void backoff_reset(struct backoff *backoff)
{
    backoff->limit_ms = BACKOFF_FIRST_MS;
}

/** SplitMix64: any seed is a good one. */
uint64_t backoff_random(struct backoff *backoff)
{
    backoff->random += 0x9e3779b97f4a7c15U;
    uint64_t bits = backoff->random;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
    return bits ^ (bits >> 31);
}

uint32_t backoff_next_ms(struct backoff *backoff)
{
    uint32_t wait_ms = 1 + (uint32_t)(backoff_random(backoff) % backoff->limit_ms);
    backoff->limit_ms =
        backoff->limit_ms < BACKOFF_MAX_MS / 2 ? backoff->limit_ms * 2 : BACKOFF_MAX_MS;
    return wait_ms;
}
