/**
 * The soak's store: a Redis with an append-only file, a replica that may take its place, and a
 * proxy between them and the workers; and everything bad that can happen to the three.
 *
 * Lifetime: soak_store_start() .. soak_store_stop(). Threading: one thread. Failures of the helper
 * itself end the running test.
 */
#ifndef SCENESYNC_TESTS_SOAK_STORE_H
#define SCENESYNC_TESTS_SOAK_STORE_H

#include "tests/soak/soak_log.h"
#include "tests/soak/soak_plan.h"
#include "tests/soak/soak_setup.h"

struct soak_store;
struct redis_server;

/** Both serve, the replica follows. Returns owned. */
struct soak_store *soak_store_start(const struct soak_setup *setup, struct soak_log *log);
void soak_store_stop(struct soak_store *store);

/** Where the workers find it: the proxy. */
const char *soak_store_url(const struct soak_store *store);

/** The one that has the scenes now. */
struct redis_server *soak_store_primary(const struct soak_store *store);

/** Begins and ends a fault of the lanes SOAK_LANE_STORE and SOAK_LANE_NETWORK. In between,
 * soak_store_tend() is to be called all the time. */
void soak_store_begin(struct soak_store *store, const struct soak_step *step);
void soak_store_tend(struct soak_store *store, const struct soak_step *step);
void soak_store_end(struct soak_store *store, const struct soak_step *step);

/** Whether the primary is stopped, so that asking it anything would take its time. */
bool soak_store_is_paused(const struct soak_store *store);

/** Whether the primary serves and the replica follows. */
bool soak_store_is_well(const struct soak_store *store);

#endif
