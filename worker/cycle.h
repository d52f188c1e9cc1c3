/**
 * The worker's event cycle: a micro-batch of records from Kafka, through the store, to results in
 * Kafka and committed offsets (architecture.md, "The way of a record").
 *
 *     poll -> decode -> group by scene -> [read -> decide -> commit]* -> publish -> raise the
 *     watermark -> settle
 *
 * An offset is committed only after the effect is in the store, everything published is
 * acknowledged, and the watermark (watermark.h) has shown that the store still has it all; what is
 * interrupted anywhere before is delivered again and recognised. While the store or the broker is
 * away the cycle waits where it is and keeps its group membership.
 *
 * Lifetime: cycle_create() .. cycle_destroy(); borrows everything in cycle_parts. Threading: one
 * thread, the one that owns source, sink and store.
 */
#ifndef SCENESYNC_WORKER_CYCLE_H
#define SCENESYNC_WORKER_CYCLE_H

#include "store/store.h"
#include "worker/progress.h"
#include "worker/recent.h"
#include "worker/sink.h"
#include "worker/source.h"
#include "worker/stats.h"

struct cycle_parts {
    const struct settings *settings;
    const struct clock *clock;
    struct log *log;
    struct record_source *source;
    struct sink *sink;
    struct store *store;
    struct stats *stats;
    struct progress *progress;
    struct recent *recent; /* NULL: the latest results are nobody's concern */
    uint64_t token_seed;   /* random: commit tokens are drawn from it; tells owners apart */
    const struct fault_hook *faults; /* NULL: none */
    /* Asked in every wait: true ends the cycle where it stands, nothing settled. */
    bool (*must_abandon)(void *context);
    void *abandon_context;
};

enum cycle_outcome {
    CYCLE_WORKED,    /* records were taken; settled, or left to the next cycle for their size */
    CYCLE_IDLE,      /* there were none within the time */
    CYCLE_AGAIN,     /* nothing settled: the records at hand go through the next cycle */
    CYCLE_ABANDONED, /* must_abandon() said so; what was taken will be delivered again */
    CYCLE_LOST,      /* the store lost writes, and store.on_lost_writes is `stop`; logged */
    CYCLE_FATAL      /* out of memory, or Kafka's client is beyond repair; logged */
};

struct cycle;

/** Returns owned, or NULL when out of memory. */
struct cycle *cycle_create(const struct cycle_parts *parts);
void cycle_destroy(struct cycle *cycle);

/** What the scene cache holds. */
void cycle_cache_size(const struct cycle *cycle, uint64_t *bytes, uint64_t *scenes);

/** Runs one cycle, waiting up to `timeout_ms` for a first record. */
enum cycle_outcome cycle_run(struct cycle *cycle, int timeout_ms);

#endif
