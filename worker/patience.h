/**
 * Long waits inside a cycle: for the store, for acknowledgements, for a batch that is a lot of
 * work. They must not cost the group membership, and must end when the worker is told to.
 *
 * Lifetime: the wait. Threading: the cycle's thread.
 */
#ifndef SCENESYNC_WORKER_PATIENCE_H
#define SCENESYNC_WORKER_PATIENCE_H

#include "worker/progress.h"
#include "worker/source.h"

enum { PATIENCE_SERVICE_MS = 500 };

struct patience {
    const struct clock *clock;
    struct record_source *source;
    struct progress *progress;
    bool (*must_abandon)(void *context);
    void *abandon_context;
    uint64_t serviced_ms; /* when Kafka was polled last */
};

/** A wait begins now. */
void patience_begin(struct patience *patience);

/** Polls Kafka every PATIENCE_SERVICE_MS. False: the wait is to be abandoned. */
__attribute__((warn_unused_result)) bool patience_goes_on(struct patience *patience);

/** Tells what is waited for, to the watchdog: at every turn of a wait that is nobody's stall. */
void patience_note(struct patience *patience, enum progress_activity activity);

#endif
