/**
 * What the source knows of the partitions assigned to it: the position in each, the records held
 * back, and the offsets to commit. Plain bookkeeping, without Kafka.
 *
 * Lifetime: assignment_init() .. assignment_deinit(). Topic names live until then, since records
 * point at them; partitions come and go. Pointers to partitions are valid until the next
 * assignment_add(). Threading: one thread. Cost: a look-up compares the topic names, about five,
 * and indexes by partition number; the rest is O(1).
 */
#ifndef SCENESYNC_WORKER_ASSIGNMENT_H
#define SCENESYNC_WORKER_ASSIGNMENT_H

#include "worker/source.h"

enum {
    /* Topics ever consumed by one process: the ops topic and the tiers. */
    ASSIGNMENT_TOPICS_MAX = 1024,
    ASSIGNMENT_PARTITION_NUMBER_MAX = 99999,
    /* A partition whose held records reach either is paused; below half of both it goes on. */
    ASSIGNMENT_HELD_RECORDS_MAX = 256,
    ASSIGNMENT_HELD_BYTES_MAX = 262144
};

struct held_record {
    struct record record;
    uint64_t due_ms; /* monotonic; 0: at once */
};

struct assigned_partition {
    bool assigned; /* else nothing below means anything */
    bool paused;
    int32_t number;
    const char *topic;
    uint32_t tier;
    uint64_t assignment;       /* the generation at which it was assigned */
    int64_t next_offset;       /* records below it were delivered before; -1 before the first */
    int64_t last_timestamp_ms; /* of the record before next_offset */
    int64_t end_offset;        /* where Kafka last said that it ends, for now; -1: it did not */
    /* Offsets as Kafka counts them, of the next record to read; -1: none. */
    int64_t settled, confirmed;
    /* A resting partition gives no records: it waits to be claimed (source_claim.h). */
    bool resting;
    bool must_seek;         /* it was read before: Kafka's client stands somewhere else */
    uint64_t rest_until_ms; /* monotonic: not to be claimed before */
    uint64_t unanswered;    /* the watermark's: rises with each question without answer; 0: none */
    int64_t committed;      /* resting: what Kafka has committed, as last asked; -1: nothing */
    int64_t start;          /* where it was started; -1: wherever its log began */
    bool is_restarted;      /* the topic was made anew: offsets went back */
    /* The watermark's (watermark.h): the next offset that it says, and the one below which records
     * are being replayed; -1: none. */
    int64_t mark, replay_until;
    /* Held records: a ring that grows, oldest at `held_first`. */
    struct held_record *held;
    size_t held_first, held_count, held_capacity;
    size_t held_bytes;
};

struct assigned_topic {
    char *name;
    uint32_t tier;
    struct assigned_partition *partitions; /* by number */
    int32_t partition_count;
};

struct assignment {
    struct assigned_topic topics[ASSIGNMENT_TOPICS_MAX];
    size_t topic_count;
    size_t assigned_count; /* partitions */
    size_t held_count;     /* records, over all partitions */
    uint64_t generation;   /* rises with every assignment_add() and assignment_remove() */
};

enum assignment_verdict {
    ASSIGNMENT_NEXT,     /* in order: gaps are normal, compaction and transactions leave them */
    ASSIGNMENT_STALE,    /* delivered before; drop it */
    ASSIGNMENT_RESTARTED /* the topic was re-created: lower offsets with later timestamps */
};

void assignment_init(struct assignment *assignment);

/** No record may be held any more: they are the source's to free. */
void assignment_deinit(struct assignment *assignment);

/**
 * Starts a fresh state for a partition that is not assigned. Returns false when out of memory or
 * beyond ASSIGNMENT_TOPICS_MAX or ASSIGNMENT_PARTITION_NUMBER_MAX.
 */
__attribute__((warn_unused_result)) bool
assignment_add(struct assignment *assignment, const char *topic, uint32_t tier, int32_t number);

/** What was delivered of a partition so far counts no more: it will be read again from another
 * offset. It must hold no record any more. */
void assignment_rewind(struct assignment *assignment, struct assigned_partition *partition);

/** Whether a record's partition is still assigned as it was when the record came. */
bool assignment_holds(struct assignment *assignment, const struct record *record);

/** Ends a partition's state. It must hold no record any more. */
void assignment_remove(struct assignment *assignment, struct assigned_partition *partition);

/** The state of an assigned partition, or NULL. */
struct assigned_partition *assignment_find(struct assignment *assignment, const char *topic,
                                           int32_t number);

/** The assigned partition at or after the cursor, or NULL at the end. Start with {0}. */
struct assignment_cursor {
    size_t topic;
    int32_t number;
};
struct assigned_partition *assignment_next(struct assignment *assignment,
                                           struct assignment_cursor *cursor);

/** Whether a partition rests whose time has come. */
bool assignment_has_claimable(struct assignment *assignment, uint64_t now_ms);

/** Judges a record that Kafka delivered and, unless stale, moves the position behind it. */
enum assignment_verdict assignment_accept(struct assignment *assignment,
                                          struct assigned_partition *partition, int64_t offset,
                                          int64_t timestamp_ms);

/** Puts a record behind those held. Returns false when out of memory. */
__attribute__((warn_unused_result)) bool assignment_hold(struct assignment *assignment,
                                                         struct assigned_partition *partition,
                                                         const struct record *record,
                                                         uint64_t due_ms);

/** The oldest held record, or NULL; the one so many places behind it; and the oldest's removal. */
const struct held_record *assignment_held(const struct assigned_partition *partition);
const struct held_record *assignment_held_at(const struct assigned_partition *partition,
                                             size_t index);
void assignment_drop_held(struct assignment *assignment, struct assigned_partition *partition);

/** Whether a partition holds so much that it must be paused, or so little that it may go on. */
bool assignment_is_full(const struct assigned_partition *partition);
bool assignment_has_room(const struct assigned_partition *partition);

/** Notes a settled record, if it was delivered under the partition's current assignment. */
void assignment_settle(struct assignment *assignment, const struct record *record);

/** Whether a partition's settled offset awaits its commit. */
bool assignment_is_uncommitted(const struct assigned_partition *partition);

/** Notes an offset that Kafka confirmed; one of an earlier assignment is recognised and ignored. */
void assignment_confirm(struct assignment *assignment, const char *topic, int32_t number,
                        int64_t offset);

#endif
