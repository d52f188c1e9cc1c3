#include "worker/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool progress_init(struct progress *progress, const struct clock *clock)
{
    uint64_t now_ms = clock_monotonic_ms(clock);
    *progress = (struct progress){.clock = clock};
    atomic_init(&progress->advanced_ms, now_ms);
    atomic_init(&progress->activity_since_ms, now_ms);
    atomic_init(&progress->activity, PROGRESS_STARTING);
    atomic_init(&progress->wants_partitions, true);
    atomic_init(&progress->topic_state, PROGRESS_TOPIC_UNWATCHED);
    return pthread_mutex_init(&progress->mutex, NULL) == 0;
}

void progress_deinit(struct progress *progress)
{
    free(progress->partitions);
    progress->partitions = NULL;
    (void)pthread_mutex_destroy(&progress->mutex);
}

const char *progress_activity_name(enum progress_activity activity)
{
    switch (activity) {
    case PROGRESS_STARTING:
        return "starting";
    case PROGRESS_IDLE:
        return "idle";
    case PROGRESS_WORKING:
        return "working";
    case PROGRESS_STORE_AWAY:
        return "waiting for the store";
    case PROGRESS_BROKER_AWAY:
        return "waiting for kafka's acknowledgements";
    }
    return "";
}

/* ---- The cycle's thread ---- */

void progress_note(struct progress *progress, enum progress_activity activity)
{
    uint64_t now_ms = clock_monotonic_ms(progress->clock);
    if (atomic_load(&progress->activity) != (int)activity) {
        atomic_store(&progress->activity_since_ms, now_ms);
        atomic_store(&progress->activity, (int)activity);
    }
    if (activity == PROGRESS_IDLE) {
        atomic_fetch_add(&progress->idle_polls, 1);
    }
    atomic_store(&progress->advanced_ms, now_ms);
}

bool progress_wants_partitions(const struct progress *progress)
{
    return atomic_load(&progress->wants_partitions) || !atomic_load(&progress->is_member);
}

void progress_set_partitions(struct progress *progress, struct progress_partition *partitions,
                             size_t count, bool is_member)
{
    (void)pthread_mutex_lock(&progress->mutex);
    struct progress_partition *old = progress->partitions;
    progress->partitions = partitions;
    progress->partition_count = count;
    (void)pthread_mutex_unlock(&progress->mutex);
    free(old);
    atomic_store(&progress->is_member, is_member);
    atomic_store(&progress->wants_partitions, false);
}

/* ---- Any thread ---- */

bool progress_is_stalled(const struct progress *progress)
{
    return atomic_load(&progress->is_stalled);
}

/** The time since then; 0 where another thread has moved it past `now_ms` meanwhile. */
static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

/** Always false, for a caller that gives its reason in returning. */
__attribute__((format(printf, 2, 3))) static bool not_ready(char *reason, const char *format, ...)
{
    if (reason != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(reason, PROGRESS_REASON_BYTES_MAX, format, arguments);
        va_end(arguments);
    }
    return false;
}

enum progress_activity progress_activity_of(const struct progress *progress)
{
    return (enum progress_activity)atomic_load(&progress->activity);
}

uint64_t progress_silence_ms(const struct progress *progress)
{
    uint64_t now_ms = clock_monotonic_ms(progress->clock);
    return since(now_ms, atomic_load(&progress->advanced_ms));
}

/** Whether there is a share of the work, which may be nothing. */
static bool has_share(const struct progress *progress, char *reason)
{
    int topic = atomic_load(&progress->topic_state);
    if (topic == PROGRESS_TOPIC_MISSING) {
        return not_ready(reason, "topic %s does not exist", progress->topic);
    }
    /* Before Kafka has told of the topic, a share of nothing may be one of no topic. */
    if (progress_activity_of(progress) == PROGRESS_STARTING || topic == PROGRESS_TOPIC_UNKNOWN ||
        !atomic_load(&progress->is_member)) {
        return not_ready(reason, "not in the consumer group yet");
    }
    return true;
}

bool progress_is_ready(const struct progress *progress, char *reason)
{
    uint64_t now_ms = clock_monotonic_ms(progress->clock);
    uint64_t silent_since_ms = atomic_load(&progress->silent_since_ms);
    uint64_t wait_ms = since(now_ms, atomic_load(&progress->activity_since_ms));
    uint64_t silence_ms = progress_silence_ms(progress);
    enum progress_activity activity = progress_activity_of(progress);
    bool is_away = activity == PROGRESS_STORE_AWAY || activity == PROGRESS_BROKER_AWAY;
    if (progress_is_stalled(progress)) {
        return not_ready(reason, "stalled: it leaves its partitions to others and ends");
    }
    if (silence_ms >= PROGRESS_GRACE_MS) {
        return not_ready(reason, "not got further for %" PRIu64 " ms, %s", silence_ms,
                         progress_activity_name(activity));
    }
    if (is_away && wait_ms >= PROGRESS_GRACE_MS) {
        return not_ready(reason, "%s for %" PRIu64 " ms", progress_activity_name(activity),
                         wait_ms);
    }
    if (silent_since_ms != 0 && since(now_ms, silent_since_ms) >= PROGRESS_GRACE_MS) {
        return not_ready(reason, "kafka has not answered for %" PRIu64 " ms",
                         since(now_ms, silent_since_ms));
    }
    return has_share(progress, reason);
}

/* ---- The lag monitor ---- */

void progress_watch_topic(struct progress *progress, const char *topic)
{
    progress->topic = topic;
    atomic_store(&progress->topic_state, PROGRESS_TOPIC_UNKNOWN);
}

void progress_note_topic(struct progress *progress, bool exists)
{
    atomic_store(&progress->topic_state, exists ? PROGRESS_TOPIC_THERE : PROGRESS_TOPIC_MISSING);
}

/* ---- The watchdog's thread ---- */

void progress_want_partitions(struct progress *progress)
{
    atomic_store(&progress->wants_partitions, true);
}

bool progress_has_told_partitions(const struct progress *progress)
{
    return !atomic_load(&progress->wants_partitions);
}

bool progress_copy_partitions(struct progress *progress, struct progress_partition **copy,
                              size_t *count)
{
    struct progress_partition *table = NULL;
    (void)pthread_mutex_lock(&progress->mutex);
    size_t table_count = progress->partition_count;
    if (table_count > 0) {
        table = malloc(table_count * sizeof *table);
    }
    if (table != NULL) {
        memcpy(table, progress->partitions, table_count * sizeof *table);
    }
    (void)pthread_mutex_unlock(&progress->mutex);
    if (table == NULL && table_count > 0) {
        return false;
    }
    *copy = table;
    *count = table_count;
    return true;
}

void progress_note_broker(struct progress *progress, bool answers)
{
    if (answers) {
        atomic_store(&progress->silent_since_ms, 0);
    } else if (atomic_load(&progress->silent_since_ms) == 0) {
        atomic_store(&progress->silent_since_ms, clock_monotonic_ms(progress->clock));
    }
}

void progress_set_stalled(struct progress *progress)
{
    atomic_store(&progress->is_stalled, true);
}
