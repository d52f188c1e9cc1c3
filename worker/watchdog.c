#include "worker/watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "protocol/buffer.h"
#include "worker/commands.h"
#include "worker/lag_watch.h"
#include "worker/source_ends.h"
#include "worker/source_watch.h"
#include "worker/ticker.h"

enum {
    TICK_MS_MAX = 1000,
    TICKS_PER_TIMEOUT = 8,
    LOOKS_PER_TIMEOUT = 4,
    ANSWER_MS = 1000,        /* Kafka's time for one question */
    LOOK_MS_MAX = 5000,      /* for all of a look; what is left comes first in the next one */
    LAST_LOOK_MS_MAX = 2000, /* before the group is left */
    BEHIND_TEXT_BYTES_MAX = 1024,
    /* More than the last look and leaving the group may take (source_abandon()). */
    LAST_RESORT_S = 15
};

struct watchdog {
    struct watchdog_parts parts;
    uint64_t limit_ms;
    struct ticker *ticker; /* NULL: off */
    /* The ticker's thread's own. */
    struct ticker *running;
    uint64_t read_ms, awake_ms; /* the clock as last read; the time that this process has lived */
    uint64_t advanced_ms;       /* progress.advanced_ms as last seen */
    uint64_t advance_seen_ms;   /* when it was seen to change, in awake_ms */
    uint64_t look_due_ms;       /* likewise */
    bool is_look_wanted;        /* the cycle's thread was asked for its partitions */
    struct lag_watch lags;
    size_t look_row; /* where the next look begins */
};

/* ---- Time ---- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** Adds the time since the last call. That is about a tick, or what Kafka takes for an answer;
 * where it is half the time-out or more, the process or the machine stood still, and the rest does
 * not count. */
static uint64_t live(struct watchdog *watchdog)
{
    uint64_t now_ms = clock_monotonic_ms(watchdog->parts.clock);
    uint64_t lapse_ms = now_ms - watchdog->read_ms;
    watchdog->read_ms = now_ms;
    watchdog->awake_ms += smaller(lapse_ms, watchdog->limit_ms / 2);
    return watchdog->awake_ms;
}

/* ---- What Kafka has ---- */

/** Where the group has to go on in a partition: at what is committed, or where the log begins. */
static bool query_committed(struct watchdog *watchdog, const struct progress_partition *partition,
                            int64_t *position)
{
    struct record_source *source = watchdog->parts.source;
    if (!source_query_committed(source, partition->topic, partition->number, ANSWER_MS, position)) {
        return false;
    }
    (void)live(watchdog);
    return *position >= 0 ||
           source_query_first(source, partition->topic, partition->number, ANSWER_MS, position);
}

/** The records behind `position`; where that is -1, behind what is committed. False: no answer. */
static bool query_lag(struct watchdog *watchdog, const struct progress_partition *partition,
                      int64_t position, int64_t *lag)
{
    struct record_source *source = watchdog->parts.source;
    int64_t end = 0;
    bool is_known = (position >= 0 || query_committed(watchdog, partition, &position)) &&
                    source_query_end(source, partition->topic, partition->number, ANSWER_MS, &end);
    if (is_known) {
        *lag = end > position ? end - position : 0;
    }
    (void)live(watchdog);
    return is_known;
}

/** For a worker without partitions, perhaps because Kafka's silence has cost it those it had:
 * whether Kafka answers. */
static void look_for_kafka(struct watchdog *watchdog)
{
    const struct watchdog_parts *parts = &watchdog->parts;
    enum source_topic answer =
        source_ask_topic(parts->source, parts->settings->topic_ops, ANSWER_MS);
    progress_note_broker(parts->progress, answer != SOURCE_TOPIC_SILENT);
    (void)live(watchdog);
}

/** Judges the partitions by their lag, as many as there is time for. */
static void look(struct watchdog *watchdog)
{
    struct lag_watch *lags = &watchdog->lags;
    if (lags->count == 0) {
        look_for_kafka(watchdog);
        return;
    }
    uint64_t until_ms =
        live(watchdog) + smaller(watchdog->limit_ms / LOOKS_PER_TIMEOUT, LOOK_MS_MAX);
    size_t answer_count = 0, i = 0;
    for (; i < lags->count && watchdog->awake_ms < until_ms && !ticker_must_end(watchdog->running);
         i++) {
        struct lag_row *row = &lags->rows[(watchdog->look_row + i) % lags->count];
        int64_t lag = -1;
        if (query_lag(watchdog, &row->partition, row->partition.position, &lag)) {
            answer_count++;
        }
        lag_watch_judge(lags, row, lag, watchdog->awake_ms);
    }
    watchdog->look_row = (watchdog->look_row + i) % lags->count;
    if (i > 0) { /* otherwise nothing was asked, and that is no answer */
        progress_note_broker(watchdog->parts.progress, answer_count > 0);
    }
}

static bool begin_look(struct watchdog *watchdog)
{
    struct progress *progress = watchdog->parts.progress;
    struct progress_partition *partitions = NULL;
    size_t count = 0;
    if (!progress_copy_partitions(progress, &partitions, &count)) {
        return false;
    }
    bool has_begun =
        lag_watch_begin(&watchdog->lags, partitions, count, atomic_load(&progress->idle_polls));
    free(partitions);
    return has_begun;
}

/** Every quarter of the time-out: asks the cycle how its partitions stand, and once it has said so,
 * Kafka. A cycle that is busy for longer puts the look off: that is not idle. */
static void look_where_due(struct watchdog *watchdog)
{
    struct progress *progress = watchdog->parts.progress;
    if (!watchdog->is_look_wanted && watchdog->awake_ms >= watchdog->look_due_ms) {
        progress_want_partitions(progress);
        watchdog->is_look_wanted = true;
        watchdog->look_due_ms = watchdog->awake_ms + watchdog->limit_ms / LOOKS_PER_TIMEOUT;
    } else if (watchdog->is_look_wanted && progress_has_told_partitions(progress)) {
        watchdog->is_look_wanted = false;
        if (begin_look(watchdog)) {
            look(watchdog);
        }
    }
}

/* ---- A stall ---- */

struct stall {
    uint64_t for_ms;
    const char *cause;
    size_t partition_count;
    bool has_answer;      /* Kafka was there when it was asked for the lag */
    int64_t lag;          /* over all partitions that it is known of */
    struct buffer behind; /* "<topic>/<partition>:<lag>", "?" where it is not known */
};

/** SIGALRM's handler: the process has to end, whatever hangs. */
static void end_process(int number)
{
    (void)number;
    _exit(EXIT_CODE_STALLED);
}

static void arm_last_resort(void)
{
    struct sigaction end = {.sa_handler = end_process};
    (void)sigemptyset(&end.sa_mask);
    (void)sigaction(SIGALRM, &end, NULL);
    (void)alarm(LAST_RESORT_S);
}

static void add_behind(struct stall *stall, const struct progress_partition *partition, int64_t lag)
{
    if (lag == 0) {
        return;
    }
    const char *separator = stall->behind.size == 0 ? "" : " ";
    if (lag < 0) {
        buffer_append_format(&stall->behind, "%s%s/%d:?", separator, partition->topic,
                             (int)partition->number);
        return;
    }
    stall->lag += lag;
    buffer_append_format(&stall->behind, "%s%s/%d:%lld", separator, partition->topic,
                         (int)partition->number, (long long)lag);
}

/** How far the group is behind: what this worker has in its hands counts, as it is not committed.
 */
static void measure(struct watchdog *watchdog, struct stall *stall)
{
    struct progress_partition *partitions = NULL;
    if (!progress_copy_partitions(watchdog->parts.progress, &partitions, &stall->partition_count)) {
        return;
    }
    stall->has_answer = stall->partition_count == 0;
    uint64_t until_ms = live(watchdog) + LAST_LOOK_MS_MAX;
    for (size_t i = 0; i < stall->partition_count; i++) {
        int64_t lag = -1;
        if (watchdog->awake_ms < until_ms && query_lag(watchdog, &partitions[i], -1, &lag)) {
            stall->has_answer = true;
        }
        add_behind(stall, &partitions[i], lag);
    }
    free(partitions);
}

static void report(struct watchdog *watchdog, const struct stall *stall, bool has_left)
{
    const struct progress *progress = watchdog->parts.progress;
    struct log_line line;
    log_begin(&line, watchdog->parts.log, LOG_ERROR, "worker stalled, it ends");
    log_text(&line, "cause", stall->cause);
    log_uint(&line, "stalled_ms", stall->for_ms);
    log_uint(&line, "limit_ms", watchdog->limit_ms);
    log_text(&line, "doing",
             progress_activity_name((enum progress_activity)atomic_load(&progress->activity)));
    log_uint(&line, "partitions", stall->partition_count);
    log_int(&line, "lag", stall->lag);
    log_span(&line, "behind", buffer_span(&stall->behind));
    if (stall->behind.failed) {
        log_text(&line, "more", "…");
    }
    log_text(&line, "left_group", has_left ? "true" : "false");
    log_text(&line, "cure",
             "start it again; where that comes again, see that its log is read, its name server "
             "answers and it gets processor time, and report it with a stack of all threads");
    log_end(&line);
}

/** Ends the process. The cycle's thread may be anywhere, so nothing is freed. */
static void react(struct watchdog *watchdog, uint64_t for_ms, const char *cause)
{
    struct stall stall = {.for_ms = for_ms, .cause = cause};
    arm_last_resort();
    progress_set_stalled(watchdog->parts.progress);
    buffer_init(&stall.behind, BEHIND_TEXT_BYTES_MAX);
    measure(watchdog, &stall);
    /* With Kafka away the consumer closes as well, but nobody hears of it. */
    bool has_closed = source_abandon(watchdog->parts.source);
    report(watchdog, &stall, has_closed && stall.has_answer);
    _exit(EXIT_CODE_STALLED);
}

/* ---- The thread ---- */

static void watch_thread(struct watchdog *watchdog)
{
    uint64_t advanced_ms = atomic_load(&watchdog->parts.progress->advanced_ms);
    if (advanced_ms != watchdog->advanced_ms) {
        watchdog->advanced_ms = advanced_ms;
        watchdog->advance_seen_ms = watchdog->awake_ms;
    }
    uint64_t silence_ms = watchdog->awake_ms - watchdog->advance_seen_ms;
    if (silence_ms >= watchdog->limit_ms) {
        react(watchdog, silence_ms, "the cycle does not get further");
    }
}

static void tick(struct ticker *ticker, void *context)
{
    struct watchdog *watchdog = context;
    watchdog->running = ticker;
    (void)live(watchdog);
    watch_thread(watchdog);
    look_where_due(watchdog);
    uint64_t stuck_ms = lag_watch_stuck_ms(&watchdog->lags);
    if (stuck_ms >= watchdog->limit_ms) {
        react(watchdog, stuck_ms, "idle, although partitions have records");
    }
}

/* ---- Lifetime ---- */

struct watchdog *watchdog_start(const struct watchdog_parts *parts)
{
    struct watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (watchdog == NULL) {
        return NULL;
    }
    watchdog->parts = *parts;
    /* An answer of the store may take its own time-out, and a wait for it is no stall. */
    uint64_t store_ms = 2 * (uint64_t)parts->settings->redis_command_timeout_ms;
    watchdog->limit_ms = parts->settings->stall_timeout_ms;
    if (watchdog->limit_ms == 0) {
        return watchdog;
    }
    if (watchdog->limit_ms < store_ms) {
        watchdog->limit_ms = store_ms;
    }
    watchdog->read_ms = clock_monotonic_ms(parts->clock);
    watchdog->ticker =
        ticker_start(smaller(watchdog->limit_ms / TICKS_PER_TIMEOUT, TICK_MS_MAX), tick, watchdog);
    if (watchdog->ticker == NULL) {
        free(watchdog);
        return NULL;
    }
    return watchdog;
}

void watchdog_destroy(struct watchdog *watchdog)
{
    if (watchdog == NULL) {
        return;
    }
    ticker_stop(watchdog->ticker);
    lag_watch_deinit(&watchdog->lags);
    free(watchdog);
}
