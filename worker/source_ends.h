/**
 * What the lag monitor (lag_monitor.h) asks Kafka through the source's client, about all partitions
 * at once; partition_ends.h decides what is asked.
 *
 * Lifetime: the source's. Threading: any thread; touches nothing of the source that changes. Each
 * call blocks for `timeout_ms` at most, and sends one request per broker concerned.
 */
#ifndef SCENESYNC_WORKER_SOURCE_ENDS_H
#define SCENESYNC_WORKER_SOURCE_ENDS_H

#include "worker/partition_ends.h"
#include "worker/source.h"

/** Puts the `end` of all rows, or of none: librdkafka's answer is about all of them. What is in a
 * transaction that is still open lies behind the end. */
enum partition_ends_answer source_query_ends(struct record_source *source,
                                             struct partition_end *const *rows, size_t count,
                                             int timeout_ms);

/** Puts the `leader` of all rows, by what any broker says; of a topic that no broker knows: -1.
 * False: no broker answers. */
__attribute__((warn_unused_result)) bool source_find_leaders(struct record_source *source,
                                                             struct partition_end *rows,
                                                             size_t count, int timeout_ms);

enum source_topic {
    SOURCE_TOPIC_SILENT, /* no broker answers */
    SOURCE_TOPIC_THERE,  /* or the answer is about something else, such as a right */
    SOURCE_TOPIC_MISSING
};

/** Whether a topic exists, by what any broker says; and so, whether Kafka answers at all: that
 * needs no partition. */
enum source_topic source_ask_topic(struct record_source *source, const char *topic, int timeout_ms);

#endif
