/**
 * What must hold all the time, looked at with every record that is appended, every offset that is
 * committed and every commit that takes effect:
 *
 *   - an offset is committed only past records that are answered: a batch of the ops topic with a
 *     result of its identity or a dead letter of its place, a retry with the result of its attempt
 *   - a scene's version, an element's version and timestamp never go back
 *   - two results of one batch and one attempt are the same bytes
 *
 * but for what the store forgot (sim_watch_forget()). The ledger sees the end only, and sees more;
 * this names the moment.
 *
 * Lifetime: sim_watch_create() .. sim_watch_destroy(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SIM_WATCH_H
#define SCENESYNC_TESTS_SIM_WATCH_H

#include "store/store.h"
#include "tests/model/model.h"
#include "tests/sim/sim_kafka.h"

struct sim_watch;

/** Findings go to `out`, each with the time. Borrows the time. */
struct sim_watch *sim_watch_create(const struct sim_time *time,
                                   const struct model_settings *settings, FILE *out);
void sim_watch_destroy(struct sim_watch *watch);

/** For sim_kafka_watch and sim_redis_watch; the context is the watch. */
void sim_watch_appended(void *context, const struct sim_partition *partition, int64_t offset);
void sim_watch_offset(void *context, const struct sim_partition *partition, int64_t from,
                      int64_t to);
void sim_watch_commit(void *context, const struct scene_commit *commit);

/** The store forgets what it acknowledged. */
void sim_watch_forget(struct sim_watch *watch);

uint64_t sim_watch_findings(const struct sim_watch *watch);

#endif
