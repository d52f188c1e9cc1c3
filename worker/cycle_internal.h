/**
 * The cycle's parts to one another: its life and order of steps (cycle.c), from records to scenes'
 * work (cycle_intake.c), and through the store (cycle_apply.c). Nobody else includes this.
 *
 * Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_CYCLE_INTERNAL_H
#define SCENESYNC_WORKER_CYCLE_INTERNAL_H

#include "store/cache.h"
#include "worker/cycle.h"
#include "worker/patience.h"
#include "worker/scene_work.h"
#include "worker/watermark.h"

enum { CYCLE_RECORDS_MAX = 1024, CYCLE_ARENA_BYTES_MAX = 512 << 20, CYCLE_STORE_POLL_MS = 100 };

struct cycle {
    struct cycle_parts parts;
    struct scene_cache *cache;
    struct watermark *watermark;
    uint64_t cache_epoch, token_state;
    struct arena arena;
    struct buffer scratch, document_scratch;
    struct record records[CYCLE_RECORDS_MAX];
    size_t record_begin, record_count; /* taken from Kafka; [begin, count) not yet worked with */
    size_t run_records_max;            /* fewer after a run that needed too much memory */
    bool must_fail_run;                /* even one record did */
    struct patience patience;
};

/* One run over the first records that are open. */
struct run {
    struct record *records;
    struct delivery *deliveries;
    size_t count;
    struct scene_work *works;
    size_t work_count;
    bool is_published; /* the sink may hold letters of it */
};

/** Decodes records until the cycle has enough of them. Fails with ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool cycle_decode(struct cycle *cycle, struct run *run,
                                                      struct error *error);

/** Makes one work per session that has deliveries which can be worked with. Fails the same way. */
__attribute__((warn_unused_result)) bool cycle_group(struct cycle *cycle, struct run *run,
                                                     const struct work_context *context,
                                                     struct error *error);

/**
 * Reads, decides and commits until the store has it all; an outage of any length is waited for.
 * CYCLE_WORKED, CYCLE_AGAIN (nothing is published, the store is not where it was), CYCLE_ABANDONED
 * or CYCLE_FATAL.
 */
enum cycle_outcome cycle_apply(struct cycle *cycle, struct run *run,
                               const struct work_context *context, struct error *error);

/** Waits for all requests: they point into the cycle's memory. */
void cycle_drain_store(struct cycle *cycle);

#endif
