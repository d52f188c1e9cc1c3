/**
 * The topics that a worker writes to, made known to its producer before the first message.
 *
 * librdkafka (2.0.2 at least) asks for a topic's partitions at its next one-second tick after the
 * first message: measured, the first result, requeue and dead letter each lay for up to a second.
 * A topic handle held from the start has it ask at once, while the consumer joins its group.
 *
 * Lifetime: between the producer's creation and its end. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_SINK_TOPICS_H
#define SCENESYNC_WORKER_SINK_TOPICS_H

#include <librdkafka/rdkafka.h>

#include "worker/settings.h"

struct sink_topics {
    rd_kafka_topic_t **handles;
    size_t count;
};

/** Opens what can be opened; a handle that is missing costs that first second, nothing else. */
void sink_topics_open(struct sink_topics *topics, rd_kafka_t *producer,
                      const struct settings *settings);

/** Gives the handles back; must come before the producer is destroyed. */
void sink_topics_close(struct sink_topics *topics);

#endif
