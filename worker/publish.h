/**
 * Sends a run's letters, and waits until Kafka has acknowledged every one. The two are apart, so
 * that the next runs can go on meanwhile; several outboxes may be in flight.
 *
 * Threading: one thread. Lifetime: from publish_send() until publish_await() has returned
 * PUBLISH_ACKNOWLEDGED the sink borrows the outbox's letters. On PUBLISH_ABANDONED some may still
 * be in flight: the sink must be destroyed before the outbox's arena is reset.
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
};

enum publish_outcome { PUBLISH_ACKNOWLEDGED, PUBLISH_ABANDONED, PUBLISH_NO_MEMORY };

/** Hands all letters over. */
void publish_send(const struct publish_parts *parts, struct outbox *outbox);

/** Whether Kafka has answered to all of it, as far as sink_poll() has seen. Cost: O(1) amortised.
 */
bool publish_is_answered(struct outbox *outbox);

/** Waits until all are acknowledged. Those that are refused for their size are made smaller, once
 * each way they can be (outbox_shrink()), or sent again until the topic takes them. */
enum publish_outcome publish_await(const struct publish_parts *parts, struct outbox *outbox);

#endif
