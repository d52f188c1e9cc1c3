/**
 * What the observer is told of the Redis store's one connection: what changed, and of a trouble
 * that comes again and again one line every now and then.
 *
 * A trouble that only some scenes meet does not show in the self test: the store is ready, the same
 * request fails, and so on. Until such a request is served it counts as the same trouble.
 *
 * Lifetime: plain data; zero and the observer are the start. Threading: one thread.
 */
#ifndef SCENESYNC_STORE_REDIS_NOTICES_H
#define SCENESYNC_STORE_REDIS_NOTICES_H

#include "store/redis_errors.h"
#include "store/store.h"

enum { REDIS_NOTICES_INTERVAL_MS = 10000 };

struct redis_notices {
    struct store_observer observer;
    enum store_event last_event;
    char last_detail[REDIS_ERROR_TEXT_BYTES_MAX]; /* told or not; empty: nothing yet */
    enum store_event trouble_event;
    char trouble[REDIS_ERROR_TEXT_BYTES_MAX]; /* the last one that was told; empty: it is over */
    uint64_t quiet_until_ms;
    bool is_quiet; /* the last trouble was not told, so its end is none to tell */
};

/** Tells the observer, once for repeated tries that end the same way. `now_ms` is monotonic. */
void redis_notices_tell(struct redis_notices *notices, uint64_t now_ms, enum store_event event,
                        const char *detail);

/** The next trouble is a new one, though it should read the same. */
void redis_notices_end_trouble(struct redis_notices *notices);

#endif
