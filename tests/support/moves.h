/**
 * A story of moves for tests under load: one scene per partition, whose batches each move element
 * `a` on and add an element of their own, so that one that is lost, repeated or out of order shows.
 *
 * Lifetime: the world's. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_MOVES_H
#define SCENESYNC_TESTS_SUPPORT_MOVES_H

#include "tests/support/world.h"

enum { MOVES_PARTITIONS = 2 };

/** Sends the batches `from` to `from` + `count` - 1 of each scene. */
void moves_send(struct world *world, int from, int count);

/** The first `batch_count` batches of each scene have their effect once, in order, in one attempt,
 * and equal results. Returns how many results there are. */
size_t moves_expect(struct world *world, int batch_count);

/** The same, and each result stands once beside those that say they are repeated. */
void moves_expect_new_once(struct world *world, int batch_count);

/** The same, and each result stands once. */
void moves_expect_told_once(struct world *world, int batch_count);

#endif
