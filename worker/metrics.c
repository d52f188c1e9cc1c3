#include "worker/metrics.h"

#include "worker/metrics_text.h"
#include "worker/version.h"

/** What writes one metric's samples. */
struct metric;
typedef void (*metric_writer)(const struct metric *metric, const struct metrics_view *view,
                              struct buffer *out);

struct metric {
    const char *name, *type;
    const char *labels; /* for documentation */
    const char *help;
    metric_writer write;
    size_t offset; /* of the number in struct stats, for those that are one */
};

static const char *group_of(const struct metrics_view *view)
{
    return settings_kafka_property(view->settings, "group.id");
}

static void write_number(const struct metric *metric, uint64_t value, struct buffer *out)
{
    struct metrics_sample sample = metrics_sample_of(out, metric->name);
    metrics_value_uint(&sample, value);
}

static void write_stat(const struct metric *metric, const struct metrics_view *view,
                       struct buffer *out)
{
    const uint8_t *stats = (const uint8_t *)&view->snapshot->stats;
    write_number(metric, *(const uint64_t *)(const void *)(stats + metric->offset), out);
}

/* ---- Counters with labels ---- */

static void write_operations(const struct metric *metric, const struct metrics_view *view,
                             struct buffer *out)
{
    for (unsigned kind = 0; kind < STATS_OPERATION_KINDS; kind++) {
        for (unsigned outcome = 0; outcome < OPERATION_OUTCOME_COUNT; outcome++) {
            struct metrics_sample sample = metrics_sample_of(out, metric->name);
            metrics_label(&sample, "kind", operation_kind_name((enum operation_kind)kind));
            metrics_label(&sample, "outcome",
                          operation_outcome_name((enum operation_outcome)outcome));
            metrics_value_uint(&sample, view->snapshot->stats.operations[kind][outcome]);
        }
    }
}

static void write_conflicts(const struct metric *metric, const struct metrics_view *view,
                            struct buffer *out)
{
    for (unsigned reason = CONFLICT_NONE + 1; reason < CONFLICT_REASON_COUNT; reason++) {
        for (unsigned resolution = 0; resolution <= STATS_CONFLICT_PENDING; resolution++) {
            struct metrics_sample sample = metrics_sample_of(out, metric->name);
            metrics_label(&sample, "reason", conflict_reason_name((enum conflict_reason)reason));
            metrics_label(&sample, "resolution",
                          resolution == STATS_CONFLICT_PENDING
                              ? "pending"
                              : resolution_name((enum resolution)resolution));
            metrics_value_uint(&sample, view->snapshot->stats.conflicts[reason][resolution]);
        }
    }
}

static void write_batches(const struct metric *metric, const struct metrics_view *view,
                          struct buffer *out)
{
    const struct stats *stats = &view->snapshot->stats;
    const struct {
        const char *outcome;
        uint64_t count;
    } rows[] = {
        {"applied", stats->batches_applied}, {"redelivered", stats->batches_redelivered},
        {"resent", stats->batches_resent},   {"stale", stats->batches_stale},
        {"refused", stats->batches_refused},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metrics_sample sample = metrics_sample_of(out, metric->name);
        metrics_label(&sample, "outcome", rows[i].outcome);
        metrics_value_uint(&sample, rows[i].count);
    }
}

static void write_requeues(const struct metric *metric, const struct metrics_view *view,
                           struct buffer *out)
{
    const uint64_t *requeues = view->snapshot->stats.requeues;
    for (unsigned tier = 1; tier <= STATS_RETRIES_MAX; tier++) {
        if (tier <= view->settings->retry_retries_max || requeues[tier] > 0) {
            struct metrics_sample sample = metrics_sample_of(out, metric->name);
            metrics_label_int(&sample, "tier", tier);
            metrics_value_uint(&sample, requeues[tier]);
        }
    }
}

/* A code that a dead letter may have: those of whole batches, and two of operations. */
static bool is_dead_letter_code(enum error_code code)
{
    return (code >= ERROR_TOO_LARGE && code <= ERROR_INVALID_RETRY) || code == ERROR_STORE_ERROR ||
           code == ERROR_RETRIES_EXHAUSTED;
}

static void write_dead_letters(const struct metric *metric, const struct metrics_view *view,
                               struct buffer *out)
{
    const uint64_t *letters = view->snapshot->stats.dead_letters;
    for (unsigned code = 0; code < ERROR_CODE_COUNT; code++) {
        if (is_dead_letter_code((enum error_code)code) || letters[code] > 0) {
            struct metrics_sample sample = metrics_sample_of(out, metric->name);
            metrics_label(&sample, "code", error_code_name((enum error_code)code));
            metrics_value_uint(&sample, letters[code]);
        }
    }
}

static void write_lookups(const struct metric *metric, const struct metrics_view *view,
                          struct buffer *out)
{
    struct metrics_sample cached = metrics_sample_of(out, metric->name);
    metrics_label(&cached, "found_in", "cache");
    metrics_value_uint(&cached, view->snapshot->stats.scenes_cached);
    struct metrics_sample read = metrics_sample_of(out, metric->name);
    metrics_label(&read, "found_in", "store");
    metrics_value_uint(&read, view->snapshot->stats.scenes_read);
}

static void write_consumed(const struct metric *metric, const struct metrics_view *view,
                           struct buffer *out)
{
    struct metrics_sample sample = metrics_sample_of(out, metric->name);
    metrics_label(&sample, "messaging_consumer_group_name", group_of(view));
    metrics_value_uint(&sample, view->snapshot->stats.records);
}

/* ---- Histograms ---- */

static void write_process_duration(const struct metric *metric, const struct metrics_view *view,
                                   struct buffer *out)
{
    metrics_histogram(out, metric->name, &view->snapshot->stats.process, &durations_bounds_process,
                      "messaging_consumer_group_name", group_of(view));
}

static void write_commit_duration(const struct metric *metric, const struct metrics_view *view,
                                  struct buffer *out)
{
    metrics_histogram(out, metric->name, &view->snapshot->stats.commit, &durations_bounds_commit,
                      "db_system_name", "redis");
}

static void write_age(const struct metric *metric, const struct metrics_view *view,
                      struct buffer *out)
{
    metrics_histogram(out, metric->name, &view->snapshot->stats.age, &durations_bounds_age,
                      "messaging_consumer_group_name", group_of(view));
}

/* ---- Partitions ---- */

/* A sample that is missing says better than a number that it is not known, or was long ago. */
static void write_partitions(const struct metric *metric, const struct metrics_view *view,
                             int64_t (*value_of)(const struct partition_lag *lag), bool has_group,
                             struct buffer *out)
{
    for (size_t i = 0; i < view->lag_count; i++) {
        const struct partition_lag *lag = &view->lags[i];
        if (value_of(lag) < 0) {
            continue;
        }
        struct metrics_sample sample = metrics_sample_of(out, metric->name);
        if (has_group) {
            metrics_label(&sample, "consumergroup", group_of(view));
        }
        metrics_label(&sample, "topic", lag->topic);
        metrics_label_int(&sample, "partition", lag->number);
        metrics_value_int(&sample, value_of(lag));
    }
}

static int64_t lag_of(const struct partition_lag *lag)
{
    return partition_lag_is_current(lag) ? lag->lag : -1;
}

static int64_t processable_lag_of(const struct partition_lag *lag)
{
    return partition_lag_is_current(lag) ? lag->processable_lag : -1;
}

static int64_t committed_of(const struct partition_lag *lag)
{
    return lag->committed;
}

static int64_t end_of(const struct partition_lag *lag)
{
    return partition_lag_is_current(lag) ? lag->end : -1;
}

static void write_lag(const struct metric *metric, const struct metrics_view *view,
                      struct buffer *out)
{
    write_partitions(metric, view, lag_of, true, out);
}

static void write_processable_lag(const struct metric *metric, const struct metrics_view *view,
                                  struct buffer *out)
{
    write_partitions(metric, view, processable_lag_of, true, out);
}

static void write_committed(const struct metric *metric, const struct metrics_view *view,
                            struct buffer *out)
{
    write_partitions(metric, view, committed_of, true, out);
}

static void write_ends(const struct metric *metric, const struct metrics_view *view,
                       struct buffer *out)
{
    write_partitions(metric, view, end_of, false, out);
}

static void write_assigned(const struct metric *metric, const struct metrics_view *view,
                           struct buffer *out)
{
    write_number(metric, view->lag_count, out);
}

static void write_unknown(const struct metric *metric, const struct metrics_view *view,
                          struct buffer *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->lag_count; i++) {
        count += partition_lag_is_current(&view->lags[i]) ? 0 : 1;
    }
    write_number(metric, count, out);
}

/* ---- State ---- */

static void write_ready(const struct metric *metric, const struct metrics_view *view,
                        struct buffer *out)
{
    write_number(metric, view->is_ready, out);
}

static void write_dependencies(const struct metric *metric, const struct metrics_view *view,
                               struct buffer *out)
{
    struct metrics_sample kafka = metrics_sample_of(out, metric->name);
    metrics_label(&kafka, "dependency", "kafka");
    metrics_value_uint(&kafka, view->broker_is_up);
    struct metrics_sample redis = metrics_sample_of(out, metric->name);
    metrics_label(&redis, "dependency", "redis");
    metrics_value_uint(&redis, view->store_is_up);
}

static void write_silence(const struct metric *metric, const struct metrics_view *view,
                          struct buffer *out)
{
    struct metrics_sample sample = metrics_sample_of(out, metric->name);
    metrics_value_ms(&sample, view->silence_ms);
}

static void write_cache_bytes(const struct metric *metric, const struct metrics_view *view,
                              struct buffer *out)
{
    write_number(metric, view->snapshot->cache_bytes, out);
}

static void write_cache_limit(const struct metric *metric, const struct metrics_view *view,
                              struct buffer *out)
{
    write_number(metric, settings_scene_bytes_max(view->settings), out);
}

static void write_cache_scenes(const struct metric *metric, const struct metrics_view *view,
                               struct buffer *out)
{
    write_number(metric, view->snapshot->cache_scenes, out);
}

static void write_build_info(const struct metric *metric, const struct metrics_view *view,
                             struct buffer *out)
{
    (void)view;
    struct metrics_sample sample = metrics_sample_of(out, metric->name);
    metrics_label(&sample, "version", version_text());
    metrics_label(&sample, "librdkafka", version_librdkafka());
    metrics_value_uint(&sample, 1);
}

/* ---- The process ---- */

static void write_process(const struct metric *metric, const struct metrics_view *view,
                          struct buffer *out)
{
    if (view->process == NULL) {
        return;
    }
    const uint64_t *number =
        (const uint64_t *)(const void *)((const uint8_t *)view->process + metric->offset);
    struct metrics_sample sample = metrics_sample_of(out, metric->name);
    bool is_time = metric->offset == offsetof(struct process_usage, cpu_ms) ||
                   metric->offset == offsetof(struct process_usage, start_wall_ms);
    if (is_time) {
        metrics_value_ms(&sample, *number);
    } else {
        metrics_value_uint(&sample, *number);
    }
}

/* ---- The table ---- */

#define STAT(member) write_stat, offsetof(struct stats, member)
#define PROCESS(member) write_process, offsetof(struct process_usage, member)

static const struct metric metrics[] = {
    {"scenesync_operations_total", "counter", "kind, outcome",
     "Operations by kind and what became of them; requeued ones will be counted again.",
     write_operations, 0},
    {"scenesync_conflicts_total", "counter", "reason, resolution",
     "Operations that met a conflict, each once; pending: it waits for a retry.", write_conflicts,
     0},
    {"scenesync_batches_total", "counter", "outcome",
     "Batches: applied (attempts included), redelivered or resent (recognised, answered again, not "
     "applied again), stale (dealt with long ago, dropped), refused whole (dead-lettered).",
     write_batches, 0},
    {"scenesync_requeues_total", "counter", "tier",
     "Batches sent to a retry topic, by its number; those sent again after a crash included.",
     write_requeues, 0},
    {"scenesync_dead_letters_total", "counter", "code",
     "Dead letters by error code; those sent again after a crash included.", write_dead_letters, 0},
    {"scenesync_results_total", "counter", "", "Results published, repeated ones included.",
     STAT(results)},
    {"scenesync_clamped_timestamps_total", "counter", "",
     "Operations whose timestamp was in the future and was taken as the batch's arrival.",
     STAT(clamped)},
    {"scenesync_wrong_keys_total", "counter", "",
     "Records whose key is not their session_id: a producer partitions wrongly.",
     STAT(keys_differing)},
    {"scenesync_commits_total", "counter", "", "Commits that Redis has made.", STAT(commits)},
    {"scenesync_commit_races_total", "counter", "",
     "Commits refused because somebody else had changed the scene; they are decided again.",
     STAT(commit_races)},
    {"scenesync_scene_lookups_total", "counter", "found_in",
     "Scenes as each cycle needed them: all in the cache, or read from Redis.", write_lookups, 0},
    {"scenesync_cycles_total", "counter", "", "Cycles settled.", STAT(cycles)},
    {"scenesync_cycles_repeated_total", "counter", "",
     "Cycles begun anew because the connection to Redis or the watermark changed on the way.",
     STAT(cycles_repeated)},
    {"scenesync_lost_writes_total", "counter", "",
     "Partitions of which Redis was found to have lost acknowledged writes.", STAT(lost_writes)},
    {"scenesync_replayed_records_total", "counter", "",
     "Records worked again because Redis had lost what they did.", STAT(records_replayed)},
    {"scenesync_gone_records_total", "counter", "",
     "Records that Redis had lost and Kafka had no more: lost for good.", STAT(records_gone)},
    {"messaging_client_consumed_messages_total", "counter", "messaging_consumer_group_name",
     "Records taken from Kafka.", write_consumed, 0},
    {"messaging_process_duration_seconds", "histogram", "messaging_consumer_group_name",
     "From a record's receipt, or from when it was due, until its result is acknowledged and its "
     "effect is below the watermark.",
     write_process_duration, 0},
    {"scenesync_commit_duration_seconds", "histogram", "db_system_name",
     "From when a commit was handed to the connection until its reply was taken.",
     write_commit_duration, 0},
    {"scenesync_result_age_seconds", "histogram", "messaging_consumer_group_name",
     "From a record's timestamp in Kafka until its result was acknowledged.", write_age, 0},
    {"kafka_consumergroup_lag", "gauge", "consumergroup, topic, partition",
     "Records that Kafka has behind what this worker has taken of its partition.", write_lag, 0},
    {"scenesync_processable_lag", "gauge", "consumergroup, topic, partition",
     "The same without retries that are not due yet: what more workers could help with.",
     write_processable_lag, 0},
    {"kafka_consumergroup_current_offset", "gauge", "consumergroup, topic, partition",
     "The offset that Kafka has confirmed for the group since the partition was assigned.",
     write_committed, 0},
    {"kafka_topic_partition_current_offset", "gauge", "topic, partition",
     "Where the partition's log ends.", write_ends, 0},
    {"scenesync_assigned_partitions", "gauge", "", "Partitions that this worker has.",
     write_assigned, 0},
    {"scenesync_unknown_lag_partitions", "gauge", "",
     "Those of which Kafka has not told the end for 10 s: their lag is missing above.",
     write_unknown, 0},
    {"scenesync_ready", "gauge", "", "1 where /readyz says so.", write_ready, 0},
    {"scenesync_dependency_up", "gauge", "dependency",
     "1 where it answers: kafka, redis. At 0 the worker waits; nothing is lost. Kafka answers as "
     "long as it does about any partition.",
     write_dependencies, 0},
    {"scenesync_last_progress_seconds", "gauge", "",
     "Since the cycle last got further; a wait for a dependency counts as progress.", write_silence,
     0},
    {"scenesync_cache_bytes", "gauge", "", "What the scene cache holds.", write_cache_bytes, 0},
    {"scenesync_cache_limit_bytes", "gauge", "",
     "What it may hold: store.cache_bytes, less what is kept back for records and the heap.",
     write_cache_limit, 0},
    {"scenesync_cache_scenes", "gauge", "", "Scenes in the cache.", write_cache_scenes, 0},
    {"scenesync_build_info", "gauge", "version, librdkafka", "Always 1.", write_build_info, 0},
    {"process_cpu_seconds_total", "counter", "", "Processor time, user and system.",
     PROCESS(cpu_ms)},
    {"process_start_time_seconds", "gauge", "", "When the process started, since the Unix epoch.",
     PROCESS(start_wall_ms)},
    {"process_resident_memory_bytes", "gauge", "", "Resident memory.", PROCESS(resident_bytes)},
    {"process_open_fds", "gauge", "", "Open file descriptors.", PROCESS(open_files)},
    {"process_max_fds", "gauge", "", "Most file descriptors that may be open.",
     PROCESS(open_files_max)},
};

void metrics_write(const struct metrics_view *view, struct buffer *out)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        metrics_text_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
        metrics[i].write(&metrics[i], view, out);
    }
}

void metrics_print_help(FILE *out)
{
    (void)fputs("| metric | type | labels | meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        (void)fprintf(out, "| `%s` | %s | %s | %s |\n", metrics[i].name, metrics[i].type,
                      metrics[i].labels, metrics[i].help);
    }
}
