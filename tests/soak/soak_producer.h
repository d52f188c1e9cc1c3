/**
 * Sends the soak's batches to the ops topic at a steady rate, whatever the broker does: what cannot
 * be sent now is sent later.
 *
 * Its client is not idempotent, so that a broker that dies may have a batch twice, as with many
 * clients in the world. Lifetime: soak_producer_create() .. soak_producer_destroy(). Threading: one
 * thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_PRODUCER_H
#define SCENESYNC_TESTS_SOAK_PRODUCER_H

#include "tests/soak/soak_batches.h"
#include "tests/soak/soak_setup.h"

struct soak_produced {
    uint64_t batches[SOAK_BATCH_KIND_COUNT], operations, bytes;
    uint64_t acknowledged;
};

struct soak_producer;

/** Returns owned; a failure ends the running test. */
struct soak_producer *soak_producer_create(const struct soak_setup *setup, const char *bootstrap);
void soak_producer_destroy(struct soak_producer *producer);

/** Hands over whatever is due `elapsed_ms` after the start, and takes acknowledgements. */
void soak_producer_tend(struct soak_producer *producer, int64_t elapsed_ms);

/** Waits until everything is acknowledged; false when the time is over. */
bool soak_producer_flush(struct soak_producer *producer, int timeout_ms);

struct soak_produced soak_producer_counts(const struct soak_producer *producer);

#endif
