/* Requeues: what must be there (inside.h). */
#include "tests/ledger/inside.h"

enum { INDEX_TEXT_BYTES = 24 };

static bool says_uint(const char *name, uint64_t number, uint64_t expected, struct reason *reason)
{
    return number == expected || differs(reason, "%s is %llu, expected %llu", name,
                                         (unsigned long long)number, (unsigned long long)expected);
}

static bool header_says(const struct ledger_record *record, const char *name, uint64_t number,
                        struct reason *reason)
{
    char text[INDEX_TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return is_header(record, name, text) || differs(reason, "header %s is not %s", name, text);
}

/* The operations that wait, in order, with their places. */
static bool carries_pending(const struct model_run *run, const struct model_batch *requeued,
                            struct reason *reason)
{
    const struct value *index = requeued->retry.indexes->first;
    uint32_t at = 0;
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        if (run->verdicts[i].standing != MODEL_PENDING) {
            continue;
        }
        uint64_t place = 0;
        if (at == requeued->operation_count || !value_as_uint(index, &place) || place != i ||
            !span_equal(requeued->operations[at].raw, run->batch->operations[i].raw)) {
            return differs(reason, "operation %u is not in it as it was received", (unsigned)i);
        }
        index = index->next;
        at++;
    }
    return (at == requeued->operation_count && index == NULL) ||
           differs(reason, "there are operations in it that do not wait");
}

static bool carries_lists(const struct story *story, const struct model_retry *retry,
                          uint64_t message_bytes_max, struct reason *reason)
{
    const struct entries entries = {
        .run = &story->run,
        .is_truncated = story->delivery->record->value.size > message_bytes_max / 2,
    };
    const struct value *version = retry->attempt_versions->first;
    for (uint32_t i = 0; i < story->run.attempt; i++) {
        uint64_t number = 0;
        if (!value_as_uint(version, &number) || number != story->versions[i]) {
            return differs(reason, "attempt_versions differs at attempt %u", (unsigned)i + 1);
        }
        version = version->next;
    }
    return compare_conflicts(&entries, retry->conflicts, reason) &&
           compare_failures(&entries, retry->failed_operations, reason);
}

static bool carries_counts(const struct story *story, const struct model_retry *retry,
                           struct reason *reason)
{
    const struct model_counts counts = model_run_counts(&story->run);
    return says_uint("total", retry->total, story->batch.operation_count, reason) &&
           says_uint("synced_count", retry->synced_count, counts.synced, reason) &&
           says_uint("clamped_count", retry->clamped_count, counts.clamped, reason) &&
           says_uint("arrival", retry->arrival_ms, story->run.arrival_ms, reason);
}

static bool compare_requeue(const struct ledger *ledger, const struct story *story,
                            const struct requeue *requeue, const struct model_batch *batch,
                            struct reason *reason)
{
    const struct ledger_record *const record = requeue->record;
    const struct ledger_record *const from = story->delivery->record;
    if (batch->strategy != story->batch.strategy) {
        return differs(reason, "strategy is %s", model_strategy_name(batch->strategy));
    }
    if (!span_equal(record->key, story->identity.session_id)) {
        return differs(reason, "its key is not the session_id");
    }
    return says_uint("tier", record->tier, story->run.attempt, reason) &&
           says_uint("partition", (uint64_t)record->partition, (uint64_t)from->partition, reason) &&
           carries_pending(&story->run, batch, reason) &&
           carries_counts(story, &batch->retry, reason) &&
           carries_lists(story, &batch->retry, ledger->settings.message_bytes_max, reason) &&
           header_says(record, "scenesync-attempt", batch->retry.attempt, reason) &&
           header_says(record, "scenesync-not-before", batch->retry.not_before_ms, reason) &&
           keeps_headers(record, from, false, reason);
}

static bool check_requeue(struct ledger *ledger, const struct story *story, struct requeue *requeue)
{
    struct pool pool = {0};
    struct model_batch batch;
    struct reason reason;
    model_batch_read(requeue->record->value, &ledger->settings, true, &pool, &batch);
    const bool is_it = compare_requeue(ledger, story, requeue, &batch, &reason);
    pool_free(&pool);
    if (!is_it && !ledger->config.lost_writes) {
        requeue->is_explained = true;
        found(ledger, FINDING_DIFFERING, "%s: its requeue at %s: %s", text_of_story(story).bytes,
              text_of_place(&requeue->place).bytes, reason.bytes);
    }
    return is_it;
}

void check_requeues(struct ledger *ledger, struct story *story)
{
    struct requeue *const requeues = ledger->requeues.items;
    if (model_run_counts(&story->run).pending == 0) {
        return;
    }
    size_t first;
    const size_t count = story_requeues(ledger, story, story->run.attempt + 1, &first);
    size_t good = 0;
    for (size_t i = first; i < first + count; i++) {
        if (check_requeue(ledger, story, &requeues[i])) {
            requeues[i].is_explained = true;
            good++;
        }
    }
    if (good == 0) {
        found(ledger, FINDING_LOST, "%s: no requeue of what waits for attempt %u",
              text_of_story(story).bytes, (unsigned)story->run.attempt + 1);
    }
}
