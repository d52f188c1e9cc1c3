/**
 * Messages to Kafka: one idempotent producer (acks=all, no time-out: an outage of any length loses
 * nothing), re-created after a fatal error, what was not acknowledged published again.
 *
 * Submit and poll: an outgoing message is the caller's storage, lent from sink_send() until its
 * status is no longer OUTGOING_IN_FLIGHT. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_SINK_H
#define SCENESYNC_WORKER_SINK_H

#include "worker/source.h"

enum outgoing_status {
    OUTGOING_IN_FLIGHT,
    OUTGOING_ACKNOWLEDGED,
    OUTGOING_TOO_LARGE /* the broker or the client refused it, and it alone, for its size */
};

struct outgoing {
    const char *topic; /* NUL-terminated */
    int32_t partition; /* -1: by key (murmur2_random) */
    struct span key;   /* absent: none */
    struct span value; /* absent: a record without a value */
    const struct record_header *headers;
    size_t header_count;
    /* out */
    enum outgoing_status status;
    /* the sink's, while in flight */
    struct outgoing *next, *previous; /* in the order of sink_send() */
    bool handed_over;                 /* librdkafka has it and owes a delivery report */
    bool
        alone; /* its batch was refused for its size: sent alone, it shows whether it was the one */
    uint32_t failure_count;
    uint64_t send_at_ms; /* monotonic; while not handed over */
};

struct sink;

/**
 * Connects nothing yet. Returns owned, or NULL with `message` saying what librdkafka refused.
 * Borrows the settings and the log until sink_destroy().
 */
struct sink *sink_create(const struct settings *settings, const struct clock *clock,
                         struct log *log, char *message, size_t message_bytes);

/**
 * Frees it; messages still in flight are abandoned (they may have been written), and are the
 * caller's again. NULL is allowed.
 */
void sink_destroy(struct sink *sink);

/**
 * Takes the message. Never blocks: what librdkafka's queue has no room for is sent by sink_poll().
 * A partition number that the topic does not have falls back to the key's, with a warning: then
 * `partition` is -1 afterwards. A message that is too large for librdkafka is refused at once.
 */
void sink_send(struct sink *sink, struct outgoing *outgoing);

/**
 * Serves acknowledgements for up to `timeout_ms` or until one arrived. Retries what failed for
 * reasons that may pass (an unknown topic included, logged once in a while with the cure), in the
 * order of sink_send(). Returns how many are in flight.
 */
size_t sink_poll(struct sink *sink, int timeout_ms);

#endif
