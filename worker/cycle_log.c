#include "worker/cycle_log.h"

/* Where the record stood and whose it is: on every line about one. */
static void log_place(struct log_line *line, const struct delivery *delivery)
{
    if (!span_is_absent(delivery->batch.session_id)) {
        log_span(line, "session", delivery->batch.session_id);
        log_span(line, "batch", delivery->batch.batch_id);
    }
    log_span(line, "topic", delivery->source.topic);
    log_int(line, "partition", delivery->source.partition);
    log_int(line, "offset", delivery->source.offset);
}

void cycle_log_refusal(struct log *log, const struct delivery *delivery)
{
    struct log_line line;
    log_begin(&line, log, LOG_WARN, "batch refused");
    log_text(&line, "code", error_code_name(delivery->refusal.code));
    log_text(&line, "error", delivery->refusal.message);
    log_place(&line, delivery);
    log_end(&line);
}

static const char *event_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_NEW:
        return "batch applied";
    case VERDICT_REDELIVERED:
        return "batch redelivered, answered again";
    case VERDICT_RESENT:
        return "batch resent, answered again";
    case VERDICT_STALE:
        return "batch dropped, it was dealt with before";
    case VERDICT_REUSED:
        break;
    }
    return "batch refused";
}

/* Interactions change nothing; the log is where they can be seen (protocol.md section 4). */
static void log_interactions(struct log *log, const struct delivery *delivery)
{
    struct log_line line;
    for (uint32_t i = 0; i < delivery->batch.operation_count; i++) {
        const struct operation *operation = &delivery->batch.operations[i];
        if (operation->kind == OPERATION_INTERACTION) {
            log_begin(&line, log, LOG_DEBUG, "interaction");
            log_place(&line, delivery);
            log_uint(&line, "index", operation->index);
            log_uint(&line, "timestamp", operation->timestamp_ms);
            log_end(&line);
        }
    }
}

void cycle_log_delivery(struct log *log, const struct delivery *delivery)
{
    const struct sync_result *result = &delivery->result;
    bool is_dropped = delivery->verdict == VERDICT_STALE;
    enum log_level level = is_dropped ? LOG_INFO : LOG_DEBUG;
    if (!log_is_enabled(log, level)) {
        return; /* for nearly every batch */
    }
    struct log_line line;
    log_begin(&line, log, level, event_of(delivery->verdict));
    log_place(&line, delivery);
    if (!is_dropped) {
        log_uint(&line, "attempt", result->attempts);
        log_uint(&line, "synced", result->synced_count);
        log_uint(&line, "failed", result->failed_count);
        log_uint(&line, "pending", result->pending_count);
        log_uint(&line, "conflicts", result->conflict_count);
        log_uint(&line, "version", result->scene_version);
    }
    log_end(&line);
    if (delivery->verdict == VERDICT_NEW && log_is_enabled(log, LOG_DEBUG)) {
        log_interactions(log, delivery);
    }
}

static struct span header_of(const struct letter *letter, const char *name)
{
    for (size_t i = letter->outgoing.header_count; i > 0; i--) {
        if (strcmp(letter->outgoing.headers[i - 1].name, name) == 0) {
            return letter->outgoing.headers[i - 1].value;
        }
    }
    return span_of_text("");
}

void cycle_log_letter(struct log *log, const struct letter *letter)
{
    struct log_line line;
    if (letter->kind == LETTER_REQUEUE) {
        log_begin(&line, log, LOG_DEBUG, "operations requeued");
        log_text(&line, "to", letter->outgoing.topic);
        log_span(&line, "not_before", header_of(letter, "scenesync-not-before"));
    } else if (letter->kind == LETTER_DEAD && letter->delivery->refusal.code == ERROR_NONE) {
        log_begin(&line, log, LOG_WARN, "operations dead-lettered");
        log_span(&line, "code", header_of(letter, "scenesync-error-code"));
        log_span(&line, "indexes", header_of(letter, "scenesync-indexes"));
        log_span(&line, "error", header_of(letter, "scenesync-error"));
    } else {
        return;
    }
    log_place(&line, letter->delivery);
    log_end(&line);
}
