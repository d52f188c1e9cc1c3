/**
 * What the worker does now and when it last got further. The cycle's thread writes it, the watchdog
 * (watchdog.h) and whoever asks for readiness read it.
 *
 * "Further" is: records were taken, a part of the work on them is done, a cycle is settled; but
 * also a poll that found nothing, and every turn of a wait for a store or a broker that is away,
 * since an outage of any length is waited for (protocol.md section 6). So the cycle's thread says
 * what it does in progress_note(), and a thread that is silent for long is stalled.
 *
 * Lifetime: progress_init() .. progress_deinit(). Threading: each function says whose it is; the
 * rest of the struct is private. Nothing here waits: the mutex is held to exchange a pointer or to
 * copy the table. Cost: a note reads a clock and stores three words.
 */
#ifndef SCENESYNC_WORKER_PROGRESS_H
#define SCENESYNC_WORKER_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "worker/clock.h"

enum {
    PROGRESS_REASON_BYTES_MAX = 320, /* a topic's name has up to 249 of them */
    /* A wait this short is no outage, a silence this short no stall: the worker stays ready. */
    PROGRESS_GRACE_MS = 5000
};

enum progress_activity {
    PROGRESS_STARTING,   /* no cycle has ended yet */
    PROGRESS_IDLE,       /* polled, there were no records */
    PROGRESS_WORKING,    /* on records, with a store and a broker that answer */
    PROGRESS_STORE_AWAY, /* waits for the store to be there, or to be able to work */
    PROGRESS_BROKER_AWAY /* waits for what it sent to be acknowledged, or for an answer */
};

/** The topic that the work comes from, as Kafka says. */
enum progress_topic {
    PROGRESS_TOPIC_UNWATCHED, /* nobody looks */
    PROGRESS_TOPIC_UNKNOWN,   /* no answer yet */
    PROGRESS_TOPIC_THERE,
    PROGRESS_TOPIC_MISSING
};

/** One partition, as the source sees it. */
struct progress_partition {
    const char *topic; /* borrowed from the source, as long as it lives */
    int32_t number;
    /* What the source gives out next; -1: neither a record nor the end was seen yet. */
    int64_t position;
    int64_t committed; /* what Kafka has confirmed under this assignment; -1: nothing yet */
    bool resting;      /* held back on purpose: a retry that is not due, a claim that is open */
    /* The first record that is not due, and when it will be (monotonic); -1: none is known of.
     * Those behind it are not due either, or soon after: they wait for the same delay. */
    int64_t waits_from;
    uint64_t due_ms;
};

struct progress {
    const struct clock *clock;
    atomic_uint_fast64_t advanced_ms, activity_since_ms, silent_since_ms, idle_polls;
    atomic_int activity;
    atomic_bool is_member, is_stalled, wants_partitions;
    const char *topic; /* NULL: nobody looks */
    atomic_int topic_state;
    pthread_mutex_t mutex; /* over the table */
    struct progress_partition *partitions;
    size_t partition_count;
};

/** Borrows the clock. False: no mutex can be had. */
__attribute__((warn_unused_result)) bool progress_init(struct progress *progress,
                                                       const struct clock *clock);
void progress_deinit(struct progress *progress);

/** "working" and the like. Static. */
const char *progress_activity_name(enum progress_activity activity);

/* ---- The cycle's thread ---- */

/**
 * The cycle's thread does this, and has just got further. To be called
 *
 *     PROGRESS_IDLE          after every poll that gave no records, with a store that is ready
 *     PROGRESS_WORKING       when records were taken; when a part of the work is done: a scene took
 *                            a step, a reply of the store or an acknowledgement came; after settle.
 *                            Not at every turn of a loop: turns without effect are the stall that
 *                            the watchdog is for
 *     PROGRESS_STORE_AWAY    at every turn of a wait for a store that is not ready, also between
 *                            cycles
 *     PROGRESS_BROKER_AWAY   at every turn of a wait for acknowledgements, and after each question
 *                            that Kafka did not answer in time
 *
 * Waits must come here at least once a second.
 */
void progress_note(struct progress *progress, enum progress_activity activity);

/** Whether the watchdog wants to know how the partitions stand: then source_tell_partitions()
 * (source_watch.h) is due. To be asked once per cycle, after the poll. */
bool progress_wants_partitions(const struct progress *progress);

/** Takes the table, from malloc(), NULL where it is empty. `is_member`: the group has given this
 * worker its share, which may be nothing. */
void progress_set_partitions(struct progress *progress, struct progress_partition *partitions,
                             size_t count, bool is_member);

/* ---- Any thread ---- */

/** The watchdog has found a stall and is leaving the group: the cycle must take no further step.
 * For must_abandon and the loop around the cycle. */
bool progress_is_stalled(const struct progress *progress);

/**
 * Whether the worker does its work, or could if there were any. If not, and where `reason` is not
 * NULL, it gets a sentence (PROGRESS_REASON_BYTES_MAX).
 */
bool progress_is_ready(const struct progress *progress, char *reason);

/** What the cycle's thread does; since when it has not got further. */
enum progress_activity progress_activity_of(const struct progress *progress);
uint64_t progress_silence_ms(const struct progress *progress);

/* ---- The lag monitor ---- */

/** From now on a worker is ready only where `topic`, borrowed, exists: of one that does not the
 * group gives out nothing, which looks like a share of nothing. To be called before any thread asks
 * for readiness. */
void progress_watch_topic(struct progress *progress, const char *topic);

/** Whether it exists, as Kafka says; or because a partition of it is held. */
void progress_note_topic(struct progress *progress, bool exists);

/* ---- The watchdog's thread ---- */

/** Asks the cycle's thread for the table, and whether it has answered since. */
void progress_want_partitions(struct progress *progress);
bool progress_has_told_partitions(const struct progress *progress);

/** A copy of the table, for free(); NULL where it is empty. False: out of memory. */
__attribute__((warn_unused_result)) bool progress_copy_partitions(struct progress *progress,
                                                                  struct progress_partition **copy,
                                                                  size_t *count);

/** Whether Kafka answers what the watchdog asks it. The lag monitor says so, too, where it has an
 * answer: the watchdog has time for a few partitions only, which may be those that cannot be had.
 */
void progress_note_broker(struct progress *progress, bool answers);

void progress_set_stalled(struct progress *progress);

#endif
