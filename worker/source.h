/**
 * Records from Kafka: one consumer over the ops topic and every retry tier that exists.
 *
 * The source gives records in order per partition; a retry that is not due yet is held in memory
 * with what stands behind it in its partition, so that it delays no other partition. Offsets are
 * committed by source_settle() only, never by librdkafka on its own. Rebalances are served inside
 * source_poll() and source_service(). A record remembers the assignment it came under; settling one
 * from a partition that was revoked since is ignored, so that a worker that comes back from the
 * dead never moves another's offsets.
 *
 * Lifetime: records stay valid until source_release(). Threading: one thread. Design and the
 * findings behind it: architecture.md, "Kafka".
 */
#ifndef SCENESYNC_WORKER_SOURCE_H
#define SCENESYNC_WORKER_SOURCE_H

#include "protocol/arena.h"
#include "store/fault_point.h"
#include "worker/clock.h"
#include "worker/log.h"
#include "worker/settings.h"

struct record {
    struct span topic; /* NUL-terminated; lives as long as the source */
    uint32_t tier;     /* 0: the ops topic; k: retry-k */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;           /* -1 where the record has none */
    bool log_append_time;           /* the topic stamped it */
    bool was_sent;                  /* the cycle's: committed or sent to be, not published yet */
    bool was_refused;               /* the cycle's: the same, as one whose name was used before */
    bool was_noted;                 /* the cycle's: what is wrong with it was counted and logged */
    struct span key;                /* absent where the record has none */
    struct span value;              /* never absent; empty for a tombstone record */
    uint64_t received_monotonic_ms; /* or when it became due, if that was later */
    uint64_t received_wall_ms;
    uint64_t assignment; /* under which it was delivered */
    void *message;       /* the source's */
};

struct record_header {
    const char *name;  /* NUL-terminated */
    struct span value; /* absent for a header without one */
};

struct record_source;

/**
 * Connects nothing yet. Returns owned, or NULL with `message` saying what librdkafka refused.
 * Borrows the settings and the log until source_destroy().
 */
struct record_source *source_create(const struct settings *settings, const struct clock *clock,
                                    struct log *log, char *message, size_t message_bytes);

/**
 * Commits what is settled, leaves the group, frees everything; takes up to ten seconds while
 * Kafka does not answer. Every record must have been released. NULL is allowed.
 */
void source_destroy(struct record_source *source);

/**
 * Gives up to `count_max` records and about `bytes_max` bytes of values: none is added once that is
 * reached. Waits up to `timeout_ms` for the first, then takes only what is there.
 */
size_t source_poll(struct record_source *source, struct record *records, size_t count_max,
                   size_t bytes_max, int timeout_ms);

/**
 * For waits inside a cycle, of any length (the store or the broker is away): keeps polling, so that
 * the group membership stays. What arrives is kept for the next source_poll(), up to 256 records or
 * 256 KiB per partition; a partition that reaches either is paused until it has been given out.
 */
void source_service(struct record_source *source);

/**
 * A record's headers, in order; views of the record. `*count` 0 where there are none; NULL with a
 * count above 0 when the arena has no room.
 */
struct record_header *source_headers(const struct record *record, struct arena *arena,
                                     size_t *count);

/**
 * Everything up to and including these records is in the store and acknowledged: their offsets
 * may be committed. Commits run asynchronously, at most every 100 ms, at once on revocation.
 */
void source_settle(struct record_source *source, const struct record *records, size_t count);

/** Gives the records' memory back. */
void source_release(struct record_source *source, struct record *records, size_t count);

/**
 * The offsets that Kafka has confirmed as committed for partition number `partition` of every
 * consumed topic, as the commit script wants them: "<topic>/<partition>=<offset> …". Partitions
 * whose committed offset is not known are left out. A view, valid until the next source call.
 */
struct span source_committed_text(struct record_source *source, int32_t partition);

/** Whether the record's partition is still this worker's, and where it was when the record came. */
bool source_holds(struct record_source *source, const struct record *record);

/** Partitions held now, and a number that rises with every assignment change. */
size_t source_assigned_count(const struct record_source *source);
uint64_t source_generation(const struct record_source *source);

/** Where tests step in (fault_point.h); NULL for nowhere. Borrowed. */
void source_set_faults(struct record_source *source, const struct fault_hook *faults);

/** The consumer met an error it cannot recover from (its text), or NULL. */
const char *source_fatal_error(const struct record_source *source);

#endif
