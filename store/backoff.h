/**
 * How long to wait before the next try: up to 50 ms, then 100 and so on up to 5 s, a random part of
 * it each time (full jitter), so that many workers do not come back at the same moment.
 *
 * Lifetime: plain data. Threading: one thread. Randomness: the seed alone.
 */
#ifndef SCENESYNC_STORE_BACKOFF_H
#define SCENESYNC_STORE_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_FIRST_MS = 50, BACKOFF_MAX_MS = 5000 };

struct backoff {
    uint64_t random; /* the generator's state */
    uint32_t limit_ms;
};

void backoff_init(struct backoff *backoff, uint64_t seed);

/** After a success: the next wait is a short one again. */
void backoff_reset(struct backoff *backoff);

/** The next wait: 1 ms to the limit, which doubles. */
uint32_t backoff_next_ms(struct backoff *backoff);

/** 64 random bits from the same generator. */
uint64_t backoff_random(struct backoff *backoff);

#endif
