/**
 * A log of one scene in two partitions and two retry tiers, and the scene made again from it.
 *
 * Session s, client c, batches stamped in log order. Lifetime: rebuilt_begin() .. rebuilt_end(),
 * which suites take as .init and .fini. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_VERIFY_REPLAY_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_VERIFY_REPLAY_FIXTURE_H

#include "worker/verify_replay.h"

enum { OPS_0, OPS_1, RETRY_1, RETRY_2, PARTITION_COUNT };

struct rebuilt {
    struct verify_partition partitions[PARTITION_COUNT]; /* not cut, until a test cuts them */
    int64_t positions[PARTITION_COUNT];                  /* beyond all that a test logs */
    struct verify_log log;
    struct settings settings;
    struct arena attempt_arena;
    struct buffer scratch;
    struct verify_model model;
    bool is_model_made;
    bool has_all_results; /* not in most tests, which give a few only */
};

extern struct rebuilt rebuilt;

void rebuilt_begin(void);
void rebuilt_end(void);

/** Puts any record into the log; a batch of these operations, without the brackets. */
void keep_record(int lane, int64_t offset, int64_t timestamp_ms, struct span value);
void keep_batch(int lane, int64_t offset, const char *id, const char *operations);

/** The requeue of one pending operation, the `index`th of `total`, of a batch at OPS_0/`source`. */
struct requeue {
    const char *id, *operation;
    uint32_t attempt, index, total;
    int64_t source;
    uint64_t not_before_ms;
};
void keep_requeue(int lane, int64_t offset, struct requeue given);

/** What a result says: `rest` is more of its keys. */
void keep_result(int32_t partition, int64_t offset, uint32_t attempt, uint64_t version,
                 const char *rest);

#define FINAL(synced) "'final':true,'synced_count':" #synced
/** Of the batch that `late_requeue` is a requeue of, or of one like it. */
#define PENDING(index)                                                                             \
    "'final':false,'synced_count':1,'pending_count':1,'next_attempt_at':100005,"                   \
    "'failed_operations':[{'index':" #index ",'code':'element_not_found','retryable':true}]"

/** Batch b's update of "u" at OPS_0/0 waits for its retry, `late_requeue`; "u" is added behind
 * it and updated behind that. The retry is applied between the two, or after both. */
extern const struct requeue late_requeue;
void keep_retry_story(void);

/** Makes session s again; the history begins in the log unless an ops partition is cut. */
void rebuild(void);

/** The element's number n; 0 where it is removed or was never there. */
uint64_t rebuilt_number_of(const char *id);
uint64_t rebuilt_timestamp_of(const char *id);
bool is_judged(const char *id);

#endif
