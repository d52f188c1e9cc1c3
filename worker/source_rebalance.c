#include "worker/source_internal.h"
#include "worker/source_watch.h"

enum { PARTITIONS_TEXT_BYTES_MAX = 1024 };

/** One line with the partitions' names, as many as fit. */
static void log_partitions(struct record_source *source, const char *event,
                           const rd_kafka_topic_partition_list_t *partitions)
{
    struct buffer text;
    buffer_init(&text, PARTITIONS_TEXT_BYTES_MAX);
    for (int i = 0; i < partitions->cnt && !text.failed; i++) {
        buffer_append_format(&text, "%s%s/%d", i == 0 ? "" : " ", partitions->elems[i].topic,
                             (int)partitions->elems[i].partition);
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_INFO, event);
    log_int(&line, "count", partitions->cnt);
    log_uint(&line, "assigned", source->assignment.assigned_count);
    log_uint(&line, "generation", source->assignment.generation);
    log_span(&line, "partitions", buffer_span(&text));
    if (text.failed) {
        log_text(&line, "more", "…");
    }
    log_end(&line);
    buffer_deinit(&text);
}

/** Ends a partition's state. librdkafka keeps a pause over a rebalance: one that is left behind
 * would silence the partition for good should it come back. */
static void forget(struct record_source *source, struct assigned_partition *partition)
{
    source_drop_held(source, partition);
    if (partition->paused) {
        source_set_paused(source, partition, false);
    }
    assignment_remove(&source->assignment, partition);
}

/** A tier that this program never writes is left alone: nobody reads it, its records stay. */
static void report_ignored(struct record_source *source, const char *topic)
{
    if (!kafka_context_may_log(&source->context, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, topic)) {
        return;
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN, "topic ignored: no retry tier has this number");
    log_text(&line, "topic", topic);
    log_uint(&line, "tier_max", SOURCE_TIER_MAX);
    log_end(&line);
}

/** Starts states for the partitions, taking those off the list that are not to be read. */
static void add_partitions(struct record_source *source,
                           rd_kafka_topic_partition_list_t *partitions)
{
    int i = 0;
    while (i < partitions->cnt) {
        const char *topic = partitions->elems[i].topic;
        int32_t number = partitions->elems[i].partition;
        struct assigned_partition *stale = assignment_find(&source->assignment, topic, number);
        if (stale != NULL) {
            forget(source, stale);
        }
        int32_t tier = source_tier(source->settings, topic);
        if (tier < 0) {
            report_ignored(source, topic);
        } else if (assignment_add(&source->assignment, topic, (uint32_t)tier, number)) {
            i++;
            continue;
        } else {
            source_set_fatal(source, "out of memory, or too many topics or partitions, in a "
                                     "rebalance; give this worker fewer partitions");
        }
        (void)rd_kafka_topic_partition_list_del_by_idx(partitions, i);
    }
}

static void remove_partitions(struct record_source *source,
                              const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        struct assigned_partition *partition = assignment_find(
            &source->assignment, partitions->elems[i].topic, partitions->elems[i].partition);
        if (partition != NULL) {
            forget(source, partition);
        }
    }
}

bool source_is_cooperative(const struct record_source *source)
{
    const char *protocol = rd_kafka_rebalance_protocol(source->consumer);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

/** Tells librdkafka which partitions to fetch; NULL for none. */
static void apply(struct record_source *source, rd_kafka_resp_err_t event,
                  const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool cooperative = source_is_cooperative(source);
    bool assign = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (!cooperative) {
        error = rd_kafka_assign(source->consumer, assign ? partitions : NULL);
    } else {
        rd_kafka_error_t *failure =
            assign ? rd_kafka_incremental_assign(source->consumer, partitions)
                   : rd_kafka_incremental_unassign(source->consumer, partitions);
        error = rd_kafka_error_code(failure);
        rd_kafka_error_destroy(failure);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && !source_is_abandoned(source)) {
        source_set_fatal(source, rd_kafka_err2str(error));
    }
}

void source_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka_context *context = opaque;
    struct record_source *source = context->owner;
    if (source_is_abandoned(source)) {
        apply(source, error, partitions); /* on the watchdog's thread */
        return;
    }
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        source->is_member = true;
        source->was_member = true;
        add_partitions(source, partitions);
        apply(source, error, partitions);
        fault_reach(source->faults, FAULT_ASSIGNED);
        source_rest_assigned(source, partitions);
        log_partitions(source, "partitions assigned", partitions);
        return;
    }
    bool lost = rd_kafka_assignment_lost(consumer) != 0;
    source->is_member = !lost;
    if (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !lost) {
        source_commit_now(source);
    }
    remove_partitions(source, partitions);
    apply(source, error, partitions);
    log_partitions(source, lost ? "partitions lost" : "partitions revoked", partitions);
}
