#include "worker/status_json.h"

#include <stdlib.h>

#include "worker/json_writer.h"
#include "worker/version.h"

enum { PARTITIONS_SHOWN = 256 };

static void write_uint(struct json_writer *writer, const char *key, uint64_t value)
{
    json_write_key_text(writer, key);
    json_write_uint(writer, value);
}

static void write_int(struct json_writer *writer, const char *key, int64_t value)
{
    json_write_key_text(writer, key);
    json_write_int(writer, value);
}

static void write_bool(struct json_writer *writer, const char *key, bool value)
{
    json_write_key_text(writer, key);
    json_write_bool(writer, value);
}

static void write_text(struct json_writer *writer, const char *key, const char *value)
{
    json_write_key_text(writer, key);
    json_write_text(writer, value);
}

static void write_operations(const struct stats *stats, struct json_writer *writer)
{
    json_write_key_text(writer, "operations");
    json_write_object_begin(writer);
    for (unsigned kind = 0; kind < STATS_OPERATION_KINDS; kind++) {
        json_write_key_text(writer, operation_kind_name((enum operation_kind)kind));
        json_write_object_begin(writer);
        for (unsigned outcome = 0; outcome < OPERATION_OUTCOME_COUNT; outcome++) {
            write_uint(writer, operation_outcome_name((enum operation_outcome)outcome),
                       stats->operations[kind][outcome]);
        }
        json_write_object_end(writer);
    }
    json_write_object_end(writer);
}

static void write_conflicts(const struct stats *stats, struct json_writer *writer)
{
    json_write_key_text(writer, "conflicts");
    json_write_object_begin(writer);
    for (unsigned reason = CONFLICT_NONE + 1; reason < CONFLICT_REASON_COUNT; reason++) {
        json_write_key_text(writer, conflict_reason_name((enum conflict_reason)reason));
        json_write_object_begin(writer);
        for (unsigned resolution = 0; resolution < RESOLUTION_COUNT; resolution++) {
            write_uint(writer, resolution_name((enum resolution)resolution),
                       stats->conflicts[reason][resolution]);
        }
        write_uint(writer, "pending", stats->conflicts[reason][STATS_CONFLICT_PENDING]);
        json_write_object_end(writer);
    }
    json_write_object_end(writer);
}

static void write_counts(const struct snapshot *snapshot, struct json_writer *writer)
{
    const struct stats *stats = &snapshot->stats;
    json_write_key_text(writer, "counts");
    json_write_object_begin(writer);
    struct stats_field fields[STATS_FIELDS];
    stats_list(stats, fields);
    for (size_t i = 0; i < STATS_FIELDS; i++) {
        write_uint(writer, fields[i].key, fields[i].value);
    }
    write_uint(writer, "scenes_cached", stats->scenes_cached);
    write_uint(writer, "scenes_read", stats->scenes_read);
    json_write_object_end(writer);
    write_operations(stats, writer);
    write_conflicts(stats, writer);
}

static void write_durations(const char *key, const struct durations *durations,
                            const struct durations_bounds *bounds, struct json_writer *writer)
{
    json_write_key_text(writer, key);
    json_write_object_begin(writer);
    json_write_key_text(writer, "upper_ms");
    json_write_array_begin(writer);
    for (size_t i = 0; i < bounds->count; i++) {
        json_write_uint(writer, bounds->upper_ms[i]);
    }
    json_write_array_end(writer);
    json_write_key_text(writer, "counts");
    json_write_array_begin(writer);
    for (size_t i = 0; i <= bounds->count; i++) {
        json_write_uint(writer, durations->counts[i]);
    }
    json_write_array_end(writer);
    json_write_object_end(writer);
}

static void write_partition(const struct metrics_view *view, const struct partition_lag *lag,
                            struct json_writer *writer)
{
    json_write_object_begin(writer);
    write_text(writer, "topic", lag->topic);
    write_int(writer, "partition", lag->number);
    write_int(writer, "position", lag->position);
    write_int(writer, "committed", lag->committed);
    write_int(writer, "end", lag->end);
    write_int(writer, "lag", lag->lag);
    write_int(writer, "processable_lag", lag->processable_lag);
    write_bool(writer, "current", partition_lag_is_current(lag));
    if (lag->end >= 0) {
        write_uint(writer, "age_ms", lag->age_ms);
    }
    if (lag->due_ms > 0) {
        write_uint(writer, "due_in_ms",
                   lag->due_ms > view->now_ms ? lag->due_ms - view->now_ms : 0);
    }
    json_write_object_end(writer);
}

/** The most lag first, then as the source has them. */
static int compare_lags(const void *a, const void *b)
{
    const struct partition_lag *const *left = a;
    const struct partition_lag *const *right = b;
    if ((*left)->lag != (*right)->lag) {
        return (*left)->lag > (*right)->lag ? -1 : 1;
    }
    return *left < *right ? -1 : *left > *right;
}

/** Those that lag most, as many as a person may look at, and what all of them come to. */
static void write_partitions(const struct metrics_view *view, struct json_writer *writer)
{
    int64_t sum = -1;
    uint64_t unknown_count = 0;
    const struct partition_lag **sorted =
        calloc(view->lag_count + 1, sizeof(const struct partition_lag *));
    for (size_t i = 0; i < view->lag_count; i++) {
        bool is_current = partition_lag_is_current(&view->lags[i]);
        int64_t lag = is_current ? view->lags[i].lag : -1;
        unknown_count += !is_current;
        sum = lag < 0 ? sum : sum < 0 ? lag : sum + lag;
        if (sorted != NULL) {
            sorted[i] = &view->lags[i];
        }
    }
    write_uint(writer, "partition_count", view->lag_count);
    write_int(writer, "lag", sum);                          /* -1: of none of them known */
    write_uint(writer, "unknown_lag_count", unknown_count); /* Kafka does not tell their ends */
    json_write_key_text(writer, "partitions");
    json_write_array_begin(writer);
    if (sorted != NULL) {
        qsort(sorted, view->lag_count, sizeof(const struct partition_lag *), compare_lags);
        for (size_t i = 0; i < view->lag_count && i < PARTITIONS_SHOWN; i++) {
            write_partition(view, sorted[i], writer);
        }
    }
    json_write_array_end(writer);
    free(sorted);
}

static void write_result(const struct recent_result *row, struct json_writer *writer)
{
    json_write_object_begin(writer);
    write_uint(writer, "at_ms", row->wall_ms);
    write_text(writer, "session", row->session_id);
    write_text(writer, "batch", row->batch_id);
    write_text(writer, "client", row->client_id);
    write_bool(writer, "final", row->is_final);
    write_bool(writer, "success", row->is_success);
    write_uint(writer, "attempts", row->attempts);
    write_uint(writer, "synced", row->synced_count);
    write_uint(writer, "failed", row->failed_count);
    write_uint(writer, "pending", row->pending_count);
    write_uint(writer, "conflict_count", row->conflict_count);
    write_uint(writer, "scene_version", row->scene_version);
    write_text(writer, "strategy", strategy_name(row->strategy));
    write_text(writer, "error", row->first_error);
    json_write_key_text(writer, "conflicts");
    json_write_array_begin(writer);
    for (uint32_t i = 0; i < row->listed_conflicts; i++) {
        const struct recent_conflict *conflict = &row->conflicts[i];
        json_write_object_begin(writer);
        write_uint(writer, "index", conflict->index);
        write_text(writer, "reason", conflict_reason_name(conflict->reason));
        write_text(writer, "resolution",
                   conflict->is_resolved ? resolution_name(conflict->resolution) : "pending");
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
    json_write_object_end(writer);
}

static void write_recent(const struct recent_view *recent, struct json_writer *writer)
{
    json_write_key_text(writer, "results");
    json_write_array_begin(writer);
    for (size_t i = 0; i < RECENT_RESULTS && recent->results[i].wall_ms > 0; i++) {
        write_result(&recent->results[i], writer);
    }
    json_write_array_end(writer);
    json_write_key_text(writer, "dead_letters");
    json_write_array_begin(writer);
    for (size_t i = 0; i < RECENT_DEAD_LETTERS && recent->dead_letters[i].wall_ms > 0; i++) {
        const struct recent_dead_letter *row = &recent->dead_letters[i];
        json_write_object_begin(writer);
        write_uint(writer, "at_ms", row->wall_ms);
        write_text(writer, "source", row->source);
        write_text(writer, "code", error_code_name(row->code));
        write_text(writer, "error", row->message);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

void status_json_write(const struct status_view *view, struct buffer *out)
{
    const struct metrics_view *metrics = &view->metrics;
    struct json_writer writer = json_writer_of(out, false);
    json_write_object_begin(&writer);
    write_text(&writer, "version", version_text());
    write_text(&writer, "group", settings_kafka_property(metrics->settings, "group.id"));
    write_uint(&writer, "now_ms", view->now_wall_ms);
    write_uint(&writer, "uptime_ms", view->uptime_ms);
    write_bool(&writer, "ready", metrics->is_ready);
    write_text(&writer, "not_ready", view->not_ready);
    write_text(&writer, "activity", view->activity);
    write_uint(&writer, "silence_ms", metrics->silence_ms);
    write_bool(&writer, "kafka", metrics->broker_is_up);
    write_bool(&writer, "redis", metrics->store_is_up);
    write_uint(&writer, "cache_bytes", metrics->snapshot->cache_bytes);
    write_uint(&writer, "cache_limit_bytes", settings_scene_bytes_max(metrics->settings));
    write_uint(&writer, "cache_scenes", metrics->snapshot->cache_scenes);
    write_counts(metrics->snapshot, &writer);
    write_durations("process", &metrics->snapshot->stats.process, &durations_bounds_process,
                    &writer);
    write_durations("commit", &metrics->snapshot->stats.commit, &durations_bounds_commit, &writer);
    write_durations("age", &metrics->snapshot->stats.age, &durations_bounds_age, &writer);
    write_partitions(metrics, &writer);
    write_recent(view->recent, &writer);
    json_write_object_end(&writer);
}
