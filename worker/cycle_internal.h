/**
 * The cycle's parts to one another: its life and order of steps (cycle.c), taking and decoding
 * records (cycle_intake.c), grouping them by scene (cycle_group.c), and through the store
 * (cycle_apply.c). Nobody else includes this.
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

enum {
    CYCLE_RECORDS_MAX = 4096,
    CYCLE_PAYLOAD_BYTES_MAX = 6 << 20,
    CYCLE_ARENA_BYTES_MAX = 512 << 20,
    /* Of a run of several records, which can be made smaller. What is read of large elements is
     * there twice, as their documents too, beside the cache and what is sent to the store. */
    CYCLE_ARENA_SHARED_BYTES_MAX = 256 << 20,
    CYCLE_STORE_POLL_MS = 100
};

/** One run over the first records of an intake. */
struct run {
    struct record *records;
    struct delivery *deliveries;
    size_t count;
    size_t operation_count;
    bool is_decoded; /* has all the deliveries that it is to have */
    struct scene_work *works;
    size_t work_count;
    size_t first_open, started; /* works before the one are done, from the other on untouched */
    bool is_published;          /* the sink may hold letters of it */
};

/** Records taken from Kafka, and the run that they are in, with all the memory it uses. */
struct intake {
    struct record records[CYCLE_RECORDS_MAX];
    size_t begin, count; /* [begin, count) not yet settled; both 0 where there are none */
    struct arena arena;
    struct run run;
};

/**
 * There are two intakes: while the store works on the commits of one, records are taken and decoded
 * into the other. Only decoding runs ahead: what is decided and committed rests on the watermark
 * that the run before has raised (store.md section 4).
 */
struct cycle {
    struct cycle_parts parts;
    struct scene_cache *cache;
    struct watermark *watermark;
    uint64_t cache_epoch, token_state;
    struct buffer scratch, document_scratch;
    struct intake intakes[2];
    struct intake *now, *ahead;
    size_t run_records_max; /* fewer after a run that needed too much memory */
    bool must_fail_run;     /* even one record did */
    struct patience patience;
};

/** Takes records as far as there is room, waiting up to `timeout_ms` where there are none yet. */
void cycle_take_records(struct cycle *cycle, struct intake *intake, int timeout_ms);

/** Drops the records of partitions that are no longer this worker's, or that will be read again
 * from elsewhere: they are not to be worked on. */
void cycle_drop_not_held(struct cycle *cycle, struct intake *intake);

/** Decodes until the run has enough records. Fails with ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool cycle_decode(struct cycle *cycle, struct error *error);

/** A little of the next run's taking and decoding, to fill a wait. True: there may be more to do.
 */
bool cycle_work_ahead(struct cycle *cycle);

/** The next run may begin: the intake that was filled ahead becomes the current one. */
void cycle_turn_over(struct cycle *cycle);

/** The intake's run begins anew, with the records that are left. */
void cycle_forget_run(struct intake *intake);

/** Makes one work per session that has deliveries which can be worked with. Fails the same way. */
__attribute__((warn_unused_result)) bool
cycle_group(struct cycle *cycle, const struct work_context *context, struct error *error);

/**
 * Reads, decides and commits until the store has it all; an outage of any length is waited for.
 * CYCLE_WORKED, CYCLE_AGAIN (nothing is published, the store is not where it was), CYCLE_ABANDONED
 * or CYCLE_FATAL.
 */
enum cycle_outcome cycle_apply(struct cycle *cycle, const struct work_context *context,
                               struct error *error);

/** Notes for the records whose commits took effect, or may have, that nothing of them was
 * published: the first answer to them is no duplicate, and a refusal stays one. */
void cycle_note_sent(const struct run *run);

/** Counts and logs that the run begins anew. */
void cycle_note_repeated(struct cycle *cycle);

/** Waits for all requests: they point into the cycle's memory. */
void cycle_drain_store(struct cycle *cycle);

#endif
