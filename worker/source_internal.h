/**
 * The source's parts to one another: its life and polling (source.c), what
 * arrives (source_intake.c), rebalances (source_rebalance.c) and offset commits (source_commit.c).
 * Nobody else includes this.
 *
 * Threading: one thread; librdkafka calls the rebalance callback inside rd_kafka_consumer_poll()
 * and rd_kafka_consumer_close().
 */
#ifndef SCENESYNC_WORKER_SOURCE_INTERNAL_H
#define SCENESYNC_WORKER_SOURCE_INTERNAL_H

#include <stdatomic.h>

#include "protocol/buffer.h"
#include "worker/assignment.h"
#include "worker/kafka_conf.h"

enum { SOURCE_FATAL_BYTES_MAX = 512, SOURCE_TIER_MAX = 1000 };

struct record_source {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *commit_replies;
    const struct settings *settings;
    struct clock clock;
    struct log *log;
    const struct fault_hook *faults;
    struct kafka_context context;
    struct assignment assignment;
    /* Told of what each source_poll() gives out, with the last record; may be NULL. */
    void (*on_taken)(void *context, const struct record *last, size_t bytes);
    void *on_taken_context;
    uint64_t next_due_ms; /* no held record is due before; UINT64_MAX: none is held */
    bool commit_wanted; /* something was settled, or a commit failed, since the last one went out */
    size_t commits_in_flight;
    uint64_t next_commit_ms;
    struct buffer committed_text;
    atomic_bool abandoned;              /* source_watch.h */
    bool is_member;                     /* the group has given it its share, which may be nothing */
    bool was_member;                    /* it did once */
    bool claims_required;               /* an assigned partition rests until it is claimed */
    bool claims_wanted;                 /* one was assigned since the last source_poll() began */
    char fatal[SOURCE_FATAL_BYTES_MAX]; /* empty: none */
};

/** Closes the consumer: leaves the group, within six seconds. False: Kafka did not let it go. */
bool source_leave_group(struct record_source *source);

/** Keeps the first error that the source cannot go on after. */
void source_set_fatal(struct record_source *source, const char *text);

/** 0 for the ops topic, k for retry-k, -1 for a name that is neither. */
int32_t source_tier(const struct settings *settings, const char *topic);

/** The records that one source_poll() gives out. */
struct source_delivery {
    struct record *records;
    size_t count, count_max;
    size_t bytes, bytes_max;
};

bool source_delivery_is_complete(const struct source_delivery *delivery);

/**
 * Takes what librdkafka gave: reports an error, or puts a record behind those held of its
 * partition, pausing one that holds too much. Returns the partition that has a further record, or
 * NULL.
 */
struct assigned_partition *source_receive(struct record_source *source,
                                          rd_kafka_message_t *message);

/** Gives out a partition's due records, in order: one that is not due holds up those behind it. */
void source_deliver(struct record_source *source, struct assigned_partition *partition,
                    struct source_delivery *delivery);

/** The same for all partitions; costs nothing while none is due. */
void source_deliver_due(struct record_source *source, struct source_delivery *delivery);

/** Stops or restarts the fetching of a partition. */
void source_set_paused(struct record_source *source, struct assigned_partition *partition,
                       bool paused);

/** Destroys the records held of a partition. */
void source_drop_held(struct record_source *source, struct assigned_partition *partition);

/** Whether the group's members keep what they hold during a rebalance. librdkafka names no protocol
 * while it closes: then they do not, and one unassignment of everything is right. */
bool source_is_cooperative(const struct record_source *source);

/** librdkafka's rebalance callback; its opaque is a kafka_context owned by a source. */
void source_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque);

/** Makes partitions just assigned rest, where they must be claimed. */
void source_rest_assigned(struct record_source *source,
                          const rd_kafka_topic_partition_list_t *partitions);

/** Takes replies, and sends a commit where one is due. Never blocks. */
void source_commit_serve(struct record_source *source);

/** When source_commit_serve() has something to send next (monotonic); UINT64_MAX: nothing. */
uint64_t source_commit_due_ms(const struct record_source *source);

/** Commits what is settled and waits for the replies, for a bounded time. */
void source_commit_now(struct record_source *source);

#endif
