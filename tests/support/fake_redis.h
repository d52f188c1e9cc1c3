/**
 * A server that says what a test tells it to, for what a real Redis cannot be brought to say.
 *
 * Lifetime: fake_redis_start() .. fake_redis_stop(). Threading: one thread: the test polls its
 * store, then lets the server act. Every failure of the helper itself ends the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_FAKE_REDIS_H
#define SCENESYNC_TESTS_SUPPORT_FAKE_REDIS_H

#include "store/redis_store.h"

struct fake_redis {
    int listener, connection; /* connection -1: none */
    int port;
};

struct fake_redis fake_redis_start(void);
void fake_redis_stop(struct fake_redis *fake);

/** Starts to connect as somebody else; returns the socket, for close(). Without an accept two of
 * them fill the listener's queue. */
int fake_redis_knock(const struct fake_redis *fake);

/** Polls the store until it has connected here. */
void fake_redis_accept(struct fake_redis *fake, struct store *store);

/** Says it to the store. */
void fake_redis_say(struct fake_redis *fake, const char *bytes);
void fake_redis_hang_up(struct fake_redis *fake);

#endif
