#include "worker/publish.h"

enum {
    PUBLISH_POLL_MS = 100,
    /* A letter that no topic takes is tried again this often: an operator has to act. */
    PUBLISH_TOO_LARGE_PAUSE_MS = 5000
};

static void log_too_large(const struct publish_parts *parts, const struct letter *letter)
{
    struct log_line line;
    log_begin(&line, parts->log, LOG_ERROR, "message too large for its topic");
    log_text(&line, "topic", letter->outgoing.topic);
    log_uint(&line, "bytes", letter->outgoing.key.size + letter->outgoing.value.size);
    log_text(&line, "cure", "raise the topic's max.message.bytes; it is sent again every 5 s");
    log_end(&line);
}

/* Waits for the answers to everything sent. */
static bool await_answers(const struct publish_parts *parts)
{
    bool is_busy = true;
    while (sink_poll(parts->sink, is_busy ? 0 : PUBLISH_POLL_MS) > 0) {
        is_busy = is_busy && parts->meanwhile(parts->meanwhile_context);
        patience_note(parts->patience, is_busy ? PROGRESS_WORKING : PROGRESS_BROKER_AWAY);
        if (!patience_goes_on(parts->patience)) {
            return false;
        }
    }
    return true;
}

static bool pause_for(const struct publish_parts *parts, uint64_t pause_ms)
{
    const struct clock *clock = parts->patience->clock;
    uint64_t since_ms = clock_monotonic_ms(clock);
    while (clock_monotonic_ms(clock) - since_ms < pause_ms) {
        (void)sink_poll(parts->sink, PUBLISH_POLL_MS);
        patience_note(parts->patience, PROGRESS_BROKER_AWAY);
        if (!patience_goes_on(parts->patience)) {
            return false;
        }
    }
    return true;
}

/* Sends again what was refused for its size, smaller where that can be. */
static enum publish_outcome resend_too_large(const struct publish_parts *parts,
                                             struct outbox *outbox, size_t *sent_count)
{
    bool must_pause = false;
    for (struct letter *letter = outbox->first; letter != NULL; letter = letter->next) {
        if (letter->outgoing.status != OUTGOING_TOO_LARGE) {
            continue;
        }
        switch (outbox_shrink(outbox, letter)) {
        case OUTBOX_NO_MEMORY:
            return PUBLISH_NO_MEMORY;
        case OUTBOX_CANNOT_SHRINK:
            log_too_large(parts, letter);
            must_pause = true;
            break;
        case OUTBOX_SHRUNK:
            break;
        }
    }
    if (must_pause && !pause_for(parts, PUBLISH_TOO_LARGE_PAUSE_MS)) {
        return PUBLISH_ABANDONED;
    }
    for (struct letter *letter = outbox->first; letter != NULL; letter = letter->next) {
        if (letter->outgoing.status == OUTGOING_TOO_LARGE) {
            sink_send(parts->sink, &letter->outgoing);
            (*sent_count)++;
        }
    }
    return PUBLISH_ACKNOWLEDGED;
}

enum publish_outcome publish_all(const struct publish_parts *parts, struct outbox *outbox)
{
    for (struct letter *letter = outbox->first; letter != NULL; letter = letter->next) {
        sink_send(parts->sink, &letter->outgoing);
    }
    fault_reach(parts->faults, FAULT_AFTER_PUBLISH);
    size_t sent_count = 0;
    do {
        if (!await_answers(parts)) {
            return PUBLISH_ABANDONED;
        }
        sent_count = 0;
        enum publish_outcome outcome = resend_too_large(parts, outbox, &sent_count);
        if (outcome != PUBLISH_ACKNOWLEDGED) {
            return outcome;
        }
    } while (sent_count > 0);
    return PUBLISH_ACKNOWLEDGED;
}
