/**
 * Sends a cycle's letters and waits until Kafka has acknowledged every one.
 *
 * Threading: one thread. Lifetime: on PUBLISH_ABANDONED letters may still be in flight: the sink
 * must be destroyed before the outbox's arena is reset.
 */
#ifndef SCENESYNC_WORKER_PUBLISH_H
#define SCENESYNC_WORKER_PUBLISH_H

#include "worker/outbox.h"
#include "worker/patience.h"

struct publish_parts {
    struct sink *sink;
    struct log *log;
    struct patience *patience;
    const struct fault_hook *faults;
    /* A little other work that fills the wait; false: there is none. */
    bool (*meanwhile)(void *context);
    void *meanwhile_context;
};

enum publish_outcome { PUBLISH_ACKNOWLEDGED, PUBLISH_ABANDONED, PUBLISH_NO_MEMORY };

/** Publishes all letters; those that are refused for their size are made smaller, once each way
 * they can be (outbox_shrink()), or sent again until the topic takes them. */
enum publish_outcome publish_all(const struct publish_parts *parts, struct outbox *outbox);

#endif
