#include "worker/stats.h"

#include <string.h>

#include "protocol/batch.h"
#include "protocol/result.h"

static uint64_t sum(const uint64_t *counts, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += counts[i];
    }
    return total;
}

uint64_t stats_operations(const struct stats *stats, enum operation_outcome outcome)
{
    uint64_t total = 0;
    for (size_t kind = 0; kind < STATS_OPERATION_KINDS; kind++) {
        total += stats->operations[kind][outcome];
    }
    return total;
}

uint64_t stats_conflicts(const struct stats *stats)
{
    uint64_t total = 0;
    for (size_t reason = 0; reason < CONFLICT_REASON_COUNT; reason++) {
        total += sum(stats->conflicts[reason], RESOLUTION_COUNT + 1);
    }
    return total;
}

uint64_t stats_requeues(const struct stats *stats)
{
    return sum(stats->requeues, STATS_RETRIES_MAX + 1);
}

uint64_t stats_dead_letters(const struct stats *stats)
{
    return sum(stats->dead_letters, ERROR_CODE_COUNT);
}

void stats_list(const struct stats *stats, struct stats_field fields[STATS_FIELDS])
{
    const struct stats_field all[STATS_FIELDS] = {
        {"records", stats->records},
        {"applied", stats->batches_applied},
        {"redelivered", stats->batches_redelivered},
        {"resent", stats->batches_resent},
        {"stale", stats->batches_stale},
        {"refused", stats->batches_refused},
        {"ops_synced", stats_operations(stats, OPERATION_SYNCED)},
        {"ops_failed", stats_operations(stats, OPERATION_FAILED)},
        {"ops_requeued", stats_operations(stats, OPERATION_REQUEUED)},
        {"interactions", stats->operations[OPERATION_INTERACTION][OPERATION_SYNCED]},
        {"conflicts", stats_conflicts(stats)},
        {"clamped", stats->clamped},
        {"wrong_keys", stats->keys_differing},
        {"results", stats->results},
        {"requeues", stats_requeues(stats)},
        {"dead_letters", stats_dead_letters(stats)},
        {"commits", stats->commits},
        {"races", stats->commit_races},
        {"cycles", stats->cycles},
        {"cycles_repeated", stats->cycles_repeated},
        {"lost_writes", stats->lost_writes},
        {"records_replayed", stats->records_replayed},
        {"records_gone", stats->records_gone},
    };
    memcpy(fields, all, sizeof all);
}

const char *operation_outcome_name(enum operation_outcome outcome)
{
    switch (outcome) {
    case OPERATION_SYNCED:
        return "synced";
    case OPERATION_FAILED:
        return "failed";
    case OPERATION_REQUEUED:
        return "requeued";
    case OPERATION_OUTCOME_COUNT:
        break;
    }
    return "";
}

/* Both lists ascend by index. */
static void count_operations(struct stats *stats, const struct batch *batch,
                             const struct sync_result *result)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        const struct operation *operation = &batch->operations[i];
        enum operation_outcome outcome = OPERATION_SYNCED;
        while (at < result->failure_entry_count && result->failures[at].index < operation->index) {
            at++; /* of an earlier attempt */
        }
        if (at < result->failure_entry_count && result->failures[at].index == operation->index) {
            outcome = result->failures[at].pending ? OPERATION_REQUEUED : OPERATION_FAILED;
        }
        stats->operations[operation->kind][outcome]++;
    }
}

static void count_conflicts(struct stats *stats, const struct retry_section *before,
                            const struct sync_result *result)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < result->conflict_entry_count; i++) {
        const struct conflict_entry *entry = &result->conflicts[i];
        while (before != NULL && at < before->conflict_count &&
               before->conflicts[at].index < entry->index) {
            at++;
        }
        bool is_known = before != NULL && at < before->conflict_count &&
                        before->conflicts[at].index == entry->index;
        if (!is_known) {
            unsigned resolution =
                entry->resolved ? (unsigned)entry->resolution : (unsigned)STATS_CONFLICT_PENDING;
            stats->conflicts[entry->reason][resolution]++;
        }
    }
}

void stats_count_attempt(struct stats *stats, const struct batch *batch,
                         const struct sync_result *result)
{
    count_operations(stats, batch, result);
    count_conflicts(stats, batch->retry, result);
}
