#include "worker/lag_monitor.h"

#include <stdlib.h>
#include <string.h>

#include "worker/source_ends.h"
#include "worker/ticker.h"

enum { ANSWER_MS = 1000, TICK_MS = 100 };

struct lag_monitor {
    struct record_source *source;
    struct progress *progress;
    const struct clock *clock;
    const char *ops_topic;
    struct ticker *ticker;
    /* The ticker's thread's own. */
    struct ticker *running; /* that of the tick under way */
    bool is_asked;
    uint64_t asked_ms; /* monotonic */
    struct partition_ends ends;
    /* Everybody's. */
    pthread_mutex_t mutex;       /* over the table */
    struct partition_lag *table; /* ages as of looked_ms */
    size_t count;
    uint64_t looked_ms, answered_ms; /* monotonic */
    bool was_answered;
};

/* ---- What it means ---- */

static int64_t not_negative(int64_t number)
{
    return number > 0 ? number : 0;
}

struct partition_lag partition_lag_of(const struct progress_partition *partition, int64_t end)
{
    struct partition_lag lag = {
        .topic = partition->topic,
        .number = partition->number,
        .position = partition->position >= 0 ? partition->position : partition->committed,
        .committed = partition->committed,
        .end = end,
        .lag = -1,
        .processable_lag = -1,
        .due_ms = partition->waits_from >= 0 ? partition->due_ms : 0,
        .age_ms = end >= 0 ? 0 : UINT64_MAX,
    };
    if (lag.position < 0 || end < 0) {
        return lag;
    }
    lag.lag = not_negative(end - lag.position);
    lag.processable_lag = lag.lag;
    if (partition->waits_from >= 0 && partition->waits_from < end) {
        lag.processable_lag = not_negative(partition->waits_from - lag.position);
    }
    return lag;
}

bool partition_lag_is_current(const struct partition_lag *lag)
{
    return lag->age_ms < LAG_MONITOR_AGE_MS_MAX;
}

/* ---- Looking ---- */

/* Once the thread is to end, nobody answers: its end waits for one question at most. */
static enum partition_ends_answer ask(void *context, struct partition_end *const *rows,
                                      size_t count)
{
    const struct lag_monitor *monitor = context;
    return ticker_must_end(monitor->running)
               ? PARTITION_ENDS_SILENT
               : source_query_ends(monitor->source, rows, count, ANSWER_MS);
}

static bool find_leaders(void *context, struct partition_end *rows, size_t count)
{
    const struct lag_monitor *monitor = context;
    return !ticker_must_end(monitor->running) &&
           source_find_leaders(monitor->source, rows, count, ANSWER_MS);
}

/** Takes a new table; the old one is freed. */
static void put_up(struct lag_monitor *monitor, struct partition_lag *table, size_t count,
                   uint64_t now_ms, bool is_answered)
{
    (void)pthread_mutex_lock(&monitor->mutex);
    struct partition_lag *old = monitor->table;
    monitor->table = table;
    monitor->count = count;
    monitor->looked_ms = now_ms;
    if (is_answered) {
        monitor->was_answered = true;
        monitor->answered_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&monitor->mutex);
    free(old);
}

/** Asks Kafka for the topic of operations, where no partition of it says that it is there. Returns
 * whether Kafka answered. */
static bool ask_for_topic(struct lag_monitor *monitor, const struct progress_partition *partitions,
                          size_t count)
{
    bool is_held = false;
    for (size_t i = 0; i < count && !is_held; i++) {
        is_held = strcmp(partitions[i].topic, monitor->ops_topic) == 0;
    }
    if (is_held) {
        progress_note_topic(monitor->progress, true);
    }
    if (is_held || ticker_must_end(monitor->running)) {
        return false;
    }
    enum source_topic answer = source_ask_topic(monitor->source, monitor->ops_topic, ANSWER_MS);
    if (answer != SOURCE_TOPIC_SILENT) {
        progress_note_topic(monitor->progress, answer == SOURCE_TOPIC_THERE);
    }
    return answer != SOURCE_TOPIC_SILENT;
}

/** Asks Kafka for the ends of the partitions, and puts up what that means. */
static void look_at(struct lag_monitor *monitor, const struct progress_partition *partitions,
                    size_t count)
{
    struct partition_lag *table = calloc(count + 1, sizeof *table);
    if (table == NULL || !partition_ends_set(&monitor->ends, partitions, count)) {
        free(table);
        return;
    }
    const struct partition_ends_kafka kafka = {
        .ask = ask, .find_leaders = find_leaders, .context = monitor, .clock = monitor->clock};
    bool is_answered = count > 0 && partition_ends_look(&monitor->ends, &kafka);
    is_answered = ask_for_topic(monitor, partitions, count) || is_answered;
    uint64_t now_ms = clock_monotonic_ms(monitor->clock);
    for (size_t i = 0; i < count; i++) {
        const struct partition_end *row = &monitor->ends.rows[i];
        table[i] = partition_lag_of(&partitions[i], row->end);
        table[i].age_ms = row->end >= 0 ? now_ms - row->told_ms : UINT64_MAX;
    }
    put_up(monitor, table, count, now_ms, is_answered);
    if (is_answered) {
        progress_note_broker(monitor->progress, true);
    }
}

static void look(struct lag_monitor *monitor)
{
    struct progress_partition *partitions = NULL;
    size_t count = 0;
    if (progress_copy_partitions(monitor->progress, &partitions, &count)) {
        look_at(monitor, partitions, count);
        free(partitions);
    }
}

/* First the cycle's thread is asked where it stands, then Kafka where the logs end: the other way
 * round an idle worker would seem to lag. A cycle that does not answer for long stands still. */
static void tick(struct ticker *ticker, void *context)
{
    struct lag_monitor *monitor = context;
    monitor->running = ticker;
    uint64_t since_asked_ms = clock_monotonic_ms(monitor->clock) - monitor->asked_ms;
    if (monitor->is_asked && (progress_has_told_partitions(monitor->progress) ||
                              since_asked_ms >= LAG_MONITOR_INTERVAL_MS)) {
        monitor->is_asked = false;
        look(monitor);
    } else if (!monitor->is_asked && since_asked_ms >= LAG_MONITOR_INTERVAL_MS) {
        monitor->is_asked = true;
        monitor->asked_ms = clock_monotonic_ms(monitor->clock);
        progress_want_partitions(monitor->progress);
    }
}

struct lag_monitor *lag_monitor_start(struct record_source *source, struct progress *progress,
                                      const struct clock *clock, const char *ops_topic)
{
    struct lag_monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        return NULL;
    }
    monitor->source = source;
    monitor->progress = progress;
    monitor->clock = clock;
    monitor->ops_topic = ops_topic;
    progress_watch_topic(progress, ops_topic);
    if (pthread_mutex_init(&monitor->mutex, NULL) != 0) {
        free(monitor);
        return NULL;
    }
    monitor->ticker = ticker_start(TICK_MS, tick, monitor);
    if (monitor->ticker == NULL) {
        lag_monitor_stop(monitor);
        return NULL;
    }
    return monitor;
}

void lag_monitor_stop(struct lag_monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    ticker_stop(monitor->ticker);
    partition_ends_deinit(&monitor->ends);
    free(monitor->table);
    (void)pthread_mutex_destroy(&monitor->mutex);
    free(monitor);
}

bool lag_monitor_read(struct lag_monitor *monitor, struct partition_lag **copy, size_t *count,
                      uint64_t *age_ms)
{
    *copy = NULL;
    (void)pthread_mutex_lock(&monitor->mutex);
    uint64_t now_ms = clock_monotonic_ms(monitor->clock);
    *count = monitor->count;
    *age_ms = monitor->was_answered ? now_ms - monitor->answered_ms : UINT64_MAX;
    if (monitor->count > 0) {
        *copy = malloc(monitor->count * sizeof **copy);
    }
    if (*copy != NULL) {
        memcpy(*copy, monitor->table, monitor->count * sizeof **copy);
    }
    for (size_t i = 0; *copy != NULL && i < monitor->count; i++) {
        (*copy)[i].age_ms += (*copy)[i].end >= 0 ? now_ms - monitor->looked_ms : 0;
    }
    (void)pthread_mutex_unlock(&monitor->mutex);
    return *copy != NULL || *count == 0;
}
