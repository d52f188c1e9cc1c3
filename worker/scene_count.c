#include "worker/scene_count.h"

static void count_result(const struct delivery *delivery, struct stats *stats)
{
    const struct sync_result *result = &delivery->result;
    const struct retry_section *retry = delivery->batch.retry;
    stats->batches_applied++;
    stats->clamped += result->clamped_count - (retry == NULL ? 0 : retry->clamped_count);
    stats_count_attempt(stats, &delivery->batch, result);
}

void scene_count_verdicts(const struct scene_work *work, struct stats *stats)
{
    for (size_t i = work->begin; i < work->end; i++) {
        switch (work->deliveries[i]->verdict) {
        case VERDICT_NEW:
            count_result(work->deliveries[i], stats);
            break;
        case VERDICT_REDELIVERED:
            stats->batches_redelivered++;
            break;
        case VERDICT_RESENT:
            stats->batches_resent++;
            break;
        case VERDICT_STALE:
            stats->batches_stale++;
            break;
        case VERDICT_REUSED:
            stats->batches_refused++;
            break;
        }
    }
}
