/**
 * A Redis that is replicated and fails over: workers reach the primary through a proxy, the world's
 * own Redis is the replica; it is the one that is left in the end.
 *
 * What the replica gets can be held up, as a slow link does it: what the primary acknowledges from
 * then on is lost by the promotion. Lifetime: failover_begin() .. failover_end(). Threading: one
 * thread (the proxies have their own). What goes wrong ends the running test.
 */
#ifndef SCENESYNC_TESTS_FAULTS_FAILOVER_H
#define SCENESYNC_TESTS_FAULTS_FAILOVER_H

#include "tests/support/world.h"

struct failover;

/** Makes the world's Redis the replica of a new one; workers started from now on go to that. */
struct failover *failover_begin(struct world *world);

/** NULL is allowed. */
void failover_end(struct failover *failover);

/** Waits until the replica has everything, then holds the rest up. */
void failover_hold_replica_up(struct failover *failover);

/** The primary is gone, the replica is the primary, and who connects again reaches it. */
void failover_promote(struct failover *failover);

#endif
