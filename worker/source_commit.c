#include "worker/source_internal.h"
#include "worker/source_watch.h"

enum {
    COMMIT_INTERVAL_MS = 100,
    COMMIT_RETRY_MS = 1000,
    /* A revocation must not take longer than the group waits for its members. */
    COMMIT_WAIT_MS = 3000,
    COMMIT_REPLIES_MAX = 64 /* read at once */
};

/** The settled offsets that are not confirmed yet. Returns owned; NULL where there are none. */
static rd_kafka_topic_partition_list_t *uncommitted(struct record_source *source)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
        if (!assignment_is_uncommitted(partition)) {
            continue;
        }
        if (list == NULL) {
            list = rd_kafka_topic_partition_list_new((int)source->assignment.assigned_count);
        }
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset =
            partition->settled;
    }
    return list;
}

static void report_failure(struct record_source *source, rd_kafka_resp_err_t error)
{
    source->commit_wanted = true;
    source->next_commit_ms = clock_monotonic_ms(&source->clock) + COMMIT_RETRY_MS;
    if (!kafka_context_may_log(&source->context, error, "commit")) {
        return;
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN, "offset commit failed, will be repeated");
    log_text(&line, "code", rd_kafka_err2name(error));
    log_text(&line, "reason", rd_kafka_err2str(error));
    log_end(&line);
}

static void send_commit(struct record_source *source)
{
    source->commit_wanted = false;
    if (source_is_abandoned(source)) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = uncommitted(source);
    if (list == NULL) {
        return;
    }
    fault_reach(source->faults, FAULT_BEFORE_OFFSET_COMMIT);
    rd_kafka_resp_err_t error =
        rd_kafka_commit_queue(source->consumer, list, source->commit_replies, NULL, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report_failure(source, error);
        return;
    }
    source->commits_in_flight++;
    source->next_commit_ms = clock_monotonic_ms(&source->clock) + COMMIT_INTERVAL_MS;
}

static void take_reply(struct record_source *source, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_OFFSET_COMMIT) {
        return;
    }
    source->commits_in_flight--;
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (entry->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            assignment_confirm(&source->assignment, entry->topic, entry->partition, entry->offset);
        } else {
            report_failure(source, entry->err);
        }
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report_failure(source, error);
    }
    fault_reach(source->faults, FAULT_AFTER_OFFSET_COMMIT);
}

/** Takes one reply; false where none came in time. */
static bool take_next_reply(struct record_source *source, int timeout_ms)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(source->commit_replies, timeout_ms);
    if (event == NULL) {
        return false;
    }
    take_reply(source, event);
    rd_kafka_event_destroy(event);
    return true;
}

void source_commit_serve(struct record_source *source)
{
    for (size_t i = 0; source->commits_in_flight > 0 && i < COMMIT_REPLIES_MAX; i++) {
        if (!take_next_reply(source, 0)) {
            break;
        }
    }
    if (source_commit_due_ms(source) <= clock_monotonic_ms(&source->clock)) {
        send_commit(source);
    }
}

uint64_t source_commit_due_ms(const struct record_source *source)
{
    return source->commit_wanted && source->commits_in_flight == 0 ? source->next_commit_ms
                                                                   : UINT64_MAX;
}

void source_commit_now(struct record_source *source)
{
    send_commit(source);
    uint64_t deadline_ms = clock_monotonic_ms(&source->clock) + COMMIT_WAIT_MS;
    while (source->commits_in_flight > 0) {
        uint64_t now_ms = clock_monotonic_ms(&source->clock);
        if (now_ms >= deadline_ms || !take_next_reply(source, (int)(deadline_ms - now_ms))) {
            break;
        }
    }
}
