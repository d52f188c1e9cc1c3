/**
 * The watermark's parts to one another: its life, looking and what commits ask (watermark.c), its
 * entries in the store (watermark_entry.c), claims (watermark_claim.c), raises (watermark_raise.c).
 * Nobody else includes this.
 *
 * Threading: the cycle's thread.
 */
#ifndef SCENESYNC_WORKER_WATERMARK_INTERNAL_H
#define SCENESYNC_WORKER_WATERMARK_INTERNAL_H

#include "worker/source_claim.h"
#include "worker/watermark.h"
#include "worker/watermark_judge.h"

enum { WATERMARK_OWNER_BYTES = 16, WATERMARK_STORE_POLL_MS = 100 };

struct watermark {
    struct watermark_parts parts;
    char owner[WATERMARK_OWNER_BYTES + 1];
    struct arena arena;               /* of one watermark_tend() */
    struct watermark_request request; /* outlives a wait that was abandoned */
    uint64_t seen_epoch;              /* of the connection that the last look went over */
    uint64_t look_due_ms;
    bool is_doubted;
    uint64_t unanswered_count; /* questions that Kafka did not answer in time */
    bool is_kafka_silent;      /* one of them was in this tend */
    bool is_settled_in;        /* all partitions of the first assignment were claimed */
};

/** One partition as this look found it: the assignment may change in every wait. */
struct watermark_view {
    const char *topic; /* lives as long as the source */
    int32_t number;
    uint64_t assignment;
    uint64_t unanswered; /* as the partition's */
    struct watermark_judgement judgement;
};

/** "<next> <owner>", this worker's; absent when out of memory. */
struct span watermark_entry_text(const struct watermark *watermark, int64_t next,
                                 struct arena *arena);
/** "<topic>/<partition>"; the same. */
struct span watermark_entry_name(const char *topic, int32_t number, struct arena *arena);
/** The offset of an entry; -1 for none, or for what is none. */
int64_t watermark_entry_offset(struct span text);
bool watermark_entry_is_own(const struct watermark *watermark, struct span text);

/**
 * Reads or writes all entries, as many at a time as the store takes, and waits. `*is_done` true:
 * all were; else `request.status` tells why not. Those before the last request may have been
 * written.
 */
enum watermark_outcome watermark_exchange(struct watermark *watermark,
                                          struct watermark_entry *entries, size_t count,
                                          bool is_write, struct arena *arena, bool *is_done);

/** Reads the entries of the views, in their order; NULL where the store did not give them all. */
struct watermark_entry *watermark_read(struct watermark *watermark,
                                       const struct watermark_view *views, size_t count,
                                       enum watermark_outcome *outcome);

/** The partitions that rest and may be claimed now, or those that are claimed; NULL when out of
 * memory. */
struct watermark_view *watermark_list(struct watermark *watermark, bool resting, size_t *count);

/** The partition of a view, if it is still assigned as it was. */
struct assigned_partition *watermark_find(const struct watermark *watermark,
                                          const struct watermark_view *view);

/** The partition of a record, if it is claimed and still stands where it did. */
struct assigned_partition *watermark_partition_of(const struct watermark *watermark,
                                                  const struct record *record);

void watermark_log_place(struct log_line *line, const struct watermark_view *view);

/** Claims what rests and may be claimed. */
enum watermark_outcome watermark_claim(struct watermark *watermark);

#endif
