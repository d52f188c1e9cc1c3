/**
 * Carries the plan out: begins and ends faults in their time, and waits in each lane, before the
 * next one, until the last one is overcome.
 *
 * Overcome means: what was broken serves again, and the group has got work done since; after lost
 * writes, that it has caught up. A worker's fault needs no overcoming. What is not overcome in time
 * is a finding, and ends the run's faults.
 *
 * Lifetime: soak_lanes_create() .. soak_lanes_destroy(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_LANES_H
#define SCENESYNC_TESTS_SOAK_LANES_H

#include "tests/soak/soak_broker.h"
#include "tests/soak/soak_plan.h"
#include "tests/soak/soak_progress.h"
#include "tests/soak/soak_store.h"
#include "tests/soak/soak_workers.h"

/** What the faults are done to; borrowed. */
struct soak_subjects {
    const struct soak_setup *setup;
    struct soak_log *log;
    struct soak_broker *broker;
    struct soak_store *store;
    struct soak_workers *workers;
};

struct soak_lanes;

struct soak_lanes *soak_lanes_create(const struct soak_subjects *subjects,
                                     const struct soak_plan *plan);
void soak_lanes_destroy(struct soak_lanes *lanes);

/** Does what is due at `now_ms` (monotonic). False: something is not overcome. */
bool soak_lanes_tend(struct soak_lanes *lanes, uint64_t now_ms,
                     const struct soak_progress *progress);

/** No further faults; what is under way is ended at once. */
void soak_lanes_heal(struct soak_lanes *lanes);

/** Whether all that was broken serves again. */
bool soak_lanes_are_well(struct soak_lanes *lanes);

/** How often a fault came. */
unsigned soak_lanes_count(const struct soak_lanes *lanes, enum soak_fault fault);

#endif
