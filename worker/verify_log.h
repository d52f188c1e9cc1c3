/**
 * What `scenesync verify` keeps of the log: the batches of every scene, by partition and in order,
 * and what the results say became of them.
 *
 * Everything is copied into one capped arena, so that a log too large for memory ends with a clear
 * word and not with the machine. Lifetime: verify_log_init() .. verify_log_deinit(). Threading: one
 * thread. Cost: a structural pass over each message; the bytes of the batches that are kept, and a
 * result without its bodies.
 */
#ifndef SCENESYNC_WORKER_VERIFY_LOG_H
#define SCENESYNC_WORKER_VERIFY_LOG_H

#include "protocol/result.h"
#include "worker/verify_index.h"

/** A partition of a topic that is read. Offsets are -1 where nothing is known yet. */
struct verify_partition {
    struct span topic;
    int32_t number;
    struct span name;     /* "<topic>/<number>", as positions call it */
    bool is_results;      /* of the results topic */
    uint32_t tier;        /* 0: the ops topic; k: retry-k */
    int64_t start_offset; /* the log begins here; what was before is gone */
    int64_t end_offset;   /* where it ended when reading began */
    int64_t next_offset;  /* read up to here */
    int64_t gap_offset;   /* the first record that did not follow on the one before; -1: none */
    bool is_at_end;
};

/** A batch as it stands in the ops topic or a retry topic. */
struct verify_record {
    struct verify_record *next; /* of the lane */
    const struct verify_partition *partition;
    int64_t offset, timestamp_ms; /* -1 where it has none */
    bool log_append_time;
    struct span value;
};

/** A scene's records of one partition, in order. */
struct verify_lane {
    struct verify_lane *next; /* of the scene */
    const struct verify_partition *partition;
    struct verify_record *first, *last;
};

struct verify_scene {
    struct span session_id;
    struct verify_lane *lanes;
    bool is_checked; /* what comes for it now is passed over */
};

/** What is known of one attempt of a batch. */
struct verify_result {
    uint64_t first_sequence; /* of the log, when it was first heard of */
    uint64_t sequence;       /* when it was published last */
    uint64_t scene_version;
    struct span bytes; /* the SyncResult without bodies; absent: known from a later attempt's */
};

struct verify_log {
    const char *topic_ops;
    struct span session_id; /* the only one that is kept; absent: all */
    struct arena arena;
    struct arena scratch; /* for one result at a time */
    struct buffer compact;
    struct verify_index scene_index; /* numbers of `scenes` */
    struct verify_scene **scenes;
    size_t scene_capacity;
    struct verify_index result_index; /* numbers of `results` */
    struct verify_result **results;
    size_t result_capacity;
    uint64_t sequence; /* rises with every result */
};

/** `topic_ops` and `session_id` are borrowed; `bytes_max` caps what is kept. */
void verify_log_init(struct verify_log *log, const char *topic_ops, struct span session_id,
                     size_t bytes_max);
void verify_log_deinit(struct verify_log *log);

/** Keeps a record of the ops topic or a retry topic if a scene can be read from it and is of
 * interest. False: out of memory. */
__attribute__((warn_unused_result)) bool verify_log_add_batch(struct verify_log *log,
                                                              const struct verify_record *record);

/** The same for a value from the results topic. */
__attribute__((warn_unused_result)) bool verify_log_add_result(struct verify_log *log,
                                                               struct span value);

/** The scene of this session, or NULL; in the order of their first records: log->scenes. */
struct verify_scene *verify_log_find_scene(const struct verify_log *log, struct span session_id);
size_t verify_log_scene_count(const struct verify_log *log);

/**
 * What became of an attempt of the batch that was first delivered at this place of the ops topic;
 * NULL: no result tells.
 */
const struct verify_result *verify_log_find_result(const struct verify_log *log, int32_t partition,
                                                   int64_t offset, uint32_t attempt);

#endif
