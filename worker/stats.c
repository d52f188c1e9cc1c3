#include "worker/stats.h"

#include <assert.h>

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
