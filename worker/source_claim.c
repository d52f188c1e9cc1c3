#include "worker/source_claim.h"

#include "worker/source_internal.h"
#include "worker/source_watch.h"

/* In librdkafka an answer takes time with the square of the partitions asked about: for ten
 * thousand it was longer than ASK_MS in a debug build, which asked for ever. */
enum { ASK_MS = 2000, ASK_PARTITIONS_MAX = 500, SEEK_MS = 1000 };

void source_require_claims(struct record_source *source)
{
    source->claims_required = true;
}

struct assignment *source_assignment(struct record_source *source)
{
    return &source->assignment;
}

/* Nothing is paused before it has given its first record (source_intake.c): librdkafka numbers the
 * orders to a partition and puts them into its queue in two steps, so a pause from this thread can
 * overtake the start of the fetching, which comes from another one right after the assignment. The
 * start then counts as outdated, is dropped, and the partition is silent for good. */
void source_rest_assigned(struct record_source *source,
                          const rd_kafka_topic_partition_list_t *partitions)
{
    if (!source->claims_required) {
        return;
    }
    for (int i = 0; i < partitions->cnt; i++) {
        struct assigned_partition *partition = assignment_find(
            &source->assignment, partitions->elems[i].topic, partitions->elems[i].partition);
        if (partition != NULL) {
            partition->resting = true;
            source->claims_wanted = true;
        }
    }
}

bool source_has_claimable(struct record_source *source, uint64_t now_ms)
{
    return assignment_has_claimable(&source->assignment, now_ms);
}

/** Some of the resting partitions, from where the cursor stands; it moves on. Returns owned. */
static rd_kafka_topic_partition_list_t *list_resting(struct record_source *source,
                                                     struct assignment_cursor *cursor)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(ASK_PARTITIONS_MAX);
    while (list->cnt < ASK_PARTITIONS_MAX) {
        const struct assigned_partition *partition = assignment_next(&source->assignment, cursor);
        if (partition == NULL) {
            break;
        }
        if (partition->resting) {
            rd_kafka_topic_partition_list_add(list, partition->topic, partition->number);
        }
    }
    return list;
}

static void report(struct record_source *source, const char *event, rd_kafka_resp_err_t error)
{
    if (!kafka_context_may_log(&source->context, error, event)) {
        return;
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN, event);
    log_text(&line, "code", rd_kafka_err2name(error));
    log_text(&line, "reason", rd_kafka_err2str(error));
    log_end(&line);
}

static void take_committed(struct record_source *source, const rd_kafka_topic_partition_t *entry)
{
    struct assigned_partition *partition =
        assignment_find(&source->assignment, entry->topic, entry->partition);
    if (partition != NULL) {
        partition->committed = entry->offset >= 0 ? entry->offset : -1;
    }
}

bool source_ask_committed(struct record_source *source)
{
    struct assignment_cursor cursor = {0};
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    int asked = 0;
    do {
        rd_kafka_topic_partition_list_t *list = list_resting(source, &cursor);
        asked = list->cnt;
        if (asked > 0) {
            error = rd_kafka_committed(source->consumer, list, ASK_MS);
        }
        for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < asked; i++) {
            error = list->elems[i].err;
            if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
                take_committed(source, &list->elems[i]);
            }
        }
        rd_kafka_topic_partition_list_destroy(list);
    } while (error == RD_KAFKA_RESP_ERR_NO_ERROR && asked == ASK_PARTITIONS_MAX);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report(source, "kafka does not tell the committed offsets, asking again", error);
    }
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool source_ask_log(struct record_source *source, const char *topic, int32_t number, int64_t *start,
                    int64_t *end)
{
    bool is_answered = source_query_first(source, topic, number, ASK_MS, start) &&
                       source_query_end(source, topic, number, ASK_MS, end);
    if (!is_answered) {
        report(source, "kafka does not tell where a log starts and ends, asking again",
               RD_KAFKA_RESP_ERR__TIMED_OUT);
    }
    return is_answered;
}

static rd_kafka_resp_err_t seek(struct record_source *source,
                                const struct assigned_partition *partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset = offset;
    rd_kafka_error_t *failure = rd_kafka_seek_partitions(source->consumer, list, SEEK_MS);
    rd_kafka_resp_err_t error = failure != NULL ? rd_kafka_error_code(failure) : list->elems[0].err;
    rd_kafka_error_destroy(failure);
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

bool source_start(struct record_source *source, struct assigned_partition *partition,
                  int64_t offset)
{
    if (partition->must_seek || (offset >= 0 && offset != partition->committed)) {
        int64_t target = offset >= 0 ? offset : partition->committed;
        rd_kafka_resp_err_t error =
            seek(source, partition, target >= 0 ? target : RD_KAFKA_OFFSET_BEGINNING);
        /* Just assigned, it may not have started yet (ERR__STATE): that passes by itself. */
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (error != RD_KAFKA_RESP_ERR__STATE) {
                report(source, "kafka cannot go to an offset, trying again", error);
            }
            return false;
        }
    }
    partition->resting = false;
    partition->must_seek = false;
    partition->start = offset;
    if (partition->paused) {
        source_set_paused(source, partition, false);
    }
    return true;
}

void source_rest(struct record_source *source, struct assigned_partition *partition,
                 uint64_t until_ms)
{
    source_drop_held(source, partition);
    assignment_rewind(&source->assignment, partition);
    partition->resting = true;
    partition->must_seek = true;
    partition->rest_until_ms = until_ms;
    source->claims_wanted = true;
}
