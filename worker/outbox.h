/**
 * What a cycle has to tell the world: results, requeues, dead letters, ready for the sink, and
 * which topic each goes to (protocol.md sections 1, 5, 6 and 7). Only this module picks topics.
 *
 * Lifetime: letters live in the cycle's arena until the cycle ends. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_OUTBOX_H
#define SCENESYNC_WORKER_OUTBOX_H

#include "worker/delivery.h"
#include "worker/recent.h"
#include "worker/sink.h"
#include "worker/stats.h"

enum letter_kind { LETTER_RESULT, LETTER_REQUEUE, LETTER_DEAD };

struct letter {
    struct outgoing outgoing;
    enum letter_kind kind;
    struct delivery *delivery;
    size_t original_header_count; /* how many of the headers, in front, are the record's own */
    enum error_code reason_code;  /* of a dead letter */
    struct span reason;
    struct letter *next; /* in the order of posting */
};

struct outbox {
    const struct settings *settings;
    struct arena *arena;
    struct buffer *scratch;
    struct stats *stats;
    struct recent *recent; /* may be NULL */
    uint64_t now_wall_ms;  /* for `scenesync-failed-at` */
    struct letter *first, *last;
};

/**
 * Writes the letters that a delivery asks for, by its verdict and result. Deterministic in the
 * delivery, but for `scenesync-failed-at`. Nothing is counted yet: they may never be sent. Fails
 * with ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool
outbox_post(struct outbox *outbox, struct delivery *delivery, struct error *error);

/** Counts and remembers all letters, once: they are about to be sent. */
void outbox_count(const struct outbox *outbox);

enum outbox_shrinking {
    OUTBOX_SHRUNK,        /* send it again */
    OUTBOX_CANNOT_SHRINK, /* the topic must allow it: wait and send it again as it is */
    OUTBOX_NO_MEMORY
};

/**
 * Makes a letter smaller that the broker refused for its size: a dead letter loses its value and
 * says `scenesync-truncated`, then the record's own headers, then its key and says
 * `scenesync-truncated-key`; a result leaves out more; a requeue loses the record's headers only.
 * The keys of the last two are session_ids, which are short.
 */
enum outbox_shrinking outbox_shrink(struct outbox *outbox, struct letter *letter);

#endif
