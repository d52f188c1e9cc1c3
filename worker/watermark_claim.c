#include <stdlib.h>

#include "worker/watermark_internal.h"

enum {
    CLAIM_RETRY_MS = 200,
    /* A partition without a leader costs the cycle seconds each time that it is asked about: so
     * much is worked in between. */
    UNANSWERED_RETRY_MS = 2000,
    START_POLL_MS = 20,
    START_TRIES_MAX = 100
};

static void log_loss(struct watermark *watermark, const struct watermark_view *view,
                     const char *event, const char *cure)
{
    const struct watermark_judgement *judgement = &view->judgement;
    struct log_line line;
    log_begin(&line, watermark->parts.log, LOG_ERROR, event);
    watermark_log_place(&line, view);
    log_int(&line, "from", judgement->lost_from);
    log_int(&line, "until", judgement->lost_until);
    log_text(&line, "cure", cure);
    log_end(&line);
}

static void log_recreated(struct watermark *watermark, const struct watermark_view *view,
                          int64_t found)
{
    struct log_line line;
    log_begin(&line, watermark->parts.log, LOG_WARN,
              "a topic was made anew, its watermark starts anew");
    watermark_log_place(&line, view);
    log_int(&line, "watermark_before", found);
    log_end(&line);
}

/* Says what Kafka no longer has of what the store lost. */
static void report_gone(struct watermark *watermark, const struct watermark_view *view,
                        int64_t log_start)
{
    const struct watermark_judgement *judgement = &view->judgement;
    if (log_start <= judgement->lost_from) {
        return;
    }
    int64_t until = log_start < judgement->lost_until ? log_start : judgement->lost_until;
    struct log_line line;
    log_begin(&line, watermark->parts.log, LOG_ERROR,
              "lost for good: kafka no longer has records that the store lost");
    watermark_log_place(&line, view);
    log_int(&line, "from", judgement->lost_from);
    log_int(&line, "until", until);
    log_text(&line, "cure", "restore a newer backup of the store; lengthen the topic's retention");
    log_end(&line);
    watermark->parts.stats->records_gone += (uint64_t)(until - judgement->lost_from);
}

/* Tells and counts a loss. GOOD: go on as the judgement says. */
static enum watermark_outcome report_loss(struct watermark *watermark,
                                          const struct watermark_view *view, bool is_accepted,
                                          int64_t log_start)
{
    if (is_accepted) {
        log_loss(watermark, view, "the store lost writes, accepted (store.on_lost_writes)",
                 "set store.on_lost_writes back to replay");
    } else if (watermark->parts.settings->on_lost_writes == LOST_WRITES_STOP) {
        log_loss(watermark, view, "the store lost writes, stopping (store.on_lost_writes)",
                 "restore the store, or start with store.on_lost_writes=replay or accept");
        return WATERMARK_STOP;
    } else {
        log_loss(watermark, view, "the store lost writes, replaying them from kafka",
                 "look at why the store lost acknowledged writes: its persistence, a fail-over");
        report_gone(watermark, view, log_start);
    }
    watermark->parts.stats->lost_writes++;
    return WATERMARK_GOOD;
}

static void postpone(struct watermark *watermark, const struct watermark_view *view)
{
    struct assigned_partition *partition = watermark_find(watermark, view);
    if (partition != NULL) {
        partition->rest_until_ms =
            clock_monotonic_ms(watermark->parts.clock) +
            (partition->unanswered > 0 ? UNANSWERED_RETRY_MS : CLAIM_RETRY_MS);
    }
}

/* Asks where the partition's log starts and ends. `*is_told` false: not now. After one question
 * without an answer no other is asked in this tend: many partitions may have no leader, and each
 * would hold the cycle up for seconds. */
static enum watermark_outcome ask_log(struct watermark *watermark,
                                      const struct watermark_view *view, int64_t *log_start,
                                      int64_t *log_end, bool *is_told)
{
    const struct watermark_parts *parts = &watermark->parts;
    *is_told = false;
    if (watermark->is_kafka_silent) {
        postpone(watermark, view);
        return WATERMARK_GOOD;
    }
    bool is_answered = source_ask_log(parts->source, view->topic, view->number, log_start, log_end);
    struct assigned_partition *partition = watermark_find(watermark, view);
    if (partition != NULL) {
        partition->unanswered = is_answered ? 0 : ++watermark->unanswered_count;
    }
    patience_note(parts->patience, is_answered ? PROGRESS_WORKING : PROGRESS_BROKER_AWAY);
    if (!patience_goes_on(parts->patience)) {
        return WATERMARK_ABANDONED;
    }
    if (!is_answered) {
        watermark->is_kafka_silent = true;
        postpone(watermark, view);
    }
    *is_told = is_answered && watermark_find(watermark, view) != NULL; /* or revoked meanwhile */
    return WATERMARK_GOOD;
}

/* Judges a resting partition; `*is_claimable` false: not now. */
static enum watermark_outcome judge(struct watermark *watermark, struct watermark_view *view,
                                    struct span found, bool *is_claimable)
{
    const struct assigned_partition *partition = watermark_find(watermark, view);
    *is_claimable = false;
    if (partition == NULL) {
        return WATERMARK_GOOD; /* revoked */
    }
    struct watermark_case known = {
        .found = watermark_entry_offset(found),
        .committed = partition->committed,
        .known = partition->mark,
        .log_end = -1,
        .is_accepted = watermark->parts.settings->on_lost_writes == LOST_WRITES_ACCEPT &&
                       !watermark->is_settled_in,
    };
    view->judgement = watermark_judge(&known);
    int64_t log_start = 0;
    if (view->judgement.is_lost || (known.committed < 0 && known.found > 0)) {
        bool is_told = false;
        enum watermark_outcome asked =
            ask_log(watermark, view, &log_start, &known.log_end, &is_told);
        if (!is_told) {
            return asked;
        }
        view->judgement = watermark_judge(&known);
    }
    enum watermark_outcome outcome = WATERMARK_GOOD;
    if (view->judgement.is_recreated) {
        log_recreated(watermark, view, known.found);
    } else if (view->judgement.is_lost) {
        outcome = report_loss(watermark, view, known.is_accepted, log_start);
    }
    *is_claimable = outcome == WATERMARK_GOOD;
    return outcome;
}

/* The store has the claim: the partition's records may come. Kafka's client needs a moment until a
 * partition that was just assigned can be read from elsewhere. */
static enum watermark_outcome start(struct watermark *watermark, const struct watermark_view *view)
{
    for (int i = 0; i < START_TRIES_MAX; i++) {
        struct assigned_partition *partition = watermark_find(watermark, view);
        if (partition == NULL) {
            return WATERMARK_GOOD; /* revoked */
        }
        partition->mark = view->judgement.mark;
        if (view->judgement.replay_until > partition->replay_until) {
            partition->replay_until = view->judgement.replay_until;
        }
        if (source_start(watermark->parts.source, partition, view->judgement.start)) {
            return WATERMARK_GOOD;
        }
        (void)store_poll(watermark->parts.store, START_POLL_MS);
        patience_note(watermark->parts.patience, PROGRESS_BROKER_AWAY);
        if (!patience_goes_on(watermark->parts.patience)) {
            return WATERMARK_ABANDONED;
        }
    }
    postpone(watermark, view);
    return WATERMARK_GOOD;
}

/* Claims one partition, whose entry was found to be `entry`. */
static enum watermark_outcome claim_one(struct watermark *watermark, struct watermark_view *view,
                                        struct watermark_entry *entry)
{
    bool is_claimable = false;
    enum watermark_outcome outcome = judge(watermark, view, entry->found, &is_claimable);
    if (!is_claimable) {
        return outcome;
    }
    struct watermark_entry claim = {
        .name = entry->name,
        .expected = entry->found,
        .value = watermark_entry_text(watermark, view->judgement.mark, &watermark->arena),
    };
    if (span_is_absent(claim.value)) {
        return WATERMARK_NO_MEMORY;
    }
    *entry = claim;
    bool is_done = false;
    outcome = watermark_exchange(watermark, entry, 1, true, &watermark->arena, &is_done);
    if (is_done) {
        return start(watermark, view);
    }
    postpone(watermark, view);
    return outcome;
}

/* Those that were not answered about last come last, the longest ago first: none of them keeps
 * others from their turn. */
static int compare_turns(const void *a, const void *b)
{
    uint64_t x = ((const struct watermark_view *)a)->unanswered;
    uint64_t y = ((const struct watermark_view *)b)->unanswered;
    return (x > y) - (x < y);
}

enum watermark_outcome watermark_claim(struct watermark *watermark)
{
    size_t count = 0;
    struct watermark_view *views = watermark_list(watermark, true, &count);
    if (views == NULL) {
        return WATERMARK_NO_MEMORY;
    }
    /* The offsets first: the entries are raised before offsets are committed, so an entry that is
     * read later and is lower has lost something. */
    if (count == 0) {
        return WATERMARK_GOOD;
    }
    if (!source_ask_committed(watermark->parts.source)) {
        for (size_t i = 0; i < count; i++) {
            postpone(watermark, &views[i]);
        }
        return WATERMARK_GOOD;
    }
    qsort(views, count, sizeof(*views), compare_turns);
    watermark->is_kafka_silent = false;
    enum watermark_outcome outcome = WATERMARK_GOOD;
    struct watermark_entry *entries = watermark_read(watermark, views, count, &outcome);
    for (size_t i = 0; entries != NULL && i < count && outcome == WATERMARK_GOOD; i++) {
        outcome = claim_one(watermark, &views[i], &entries[i]);
    }
    watermark->is_settled_in =
        watermark->is_settled_in || !source_has_claimable(watermark->parts.source, UINT64_MAX);
    return outcome;
}
