#include "store/recognition.h"

static bool is_same_delivery(const struct source *a, const struct source *b)
{
    return a->offset == b->offset && a->partition == b->partition && span_equal(a->topic, b->topic);
}

bool recognition_is_behind(const struct store_position *position, int64_t offset,
                           int64_t timestamp_ms)
{
    return position->known && offset <= position->offset && timestamp_ms <= position->timestamp_ms;
}

static bool is_behind_position(const struct recognition_case *arrived)
{
    return recognition_is_behind(arrived->position, arrived->delivery.offset,
                                 arrived->record_timestamp_ms);
}

static bool pending_equals(const struct batch_record *record, const struct retry_section *retry)
{
    if (record->pending_count != retry->index_count) {
        return false;
    }
    return record->pending_count == 0 || memcmp(record->pending_indexes, retry->indexes,
                                                record->pending_count * sizeof(uint32_t)) == 0;
}

/* Whether the requeue is the one that the recorded attempt asked for. After lost writes an earlier
 * attempt may have been made again, with another outcome; requeues of the one that was lost still
 * stand in Kafka, and must not go on from what is no more. */
static bool is_requeue_of(const struct batch_record *record, const struct retry_section *retry)
{
    const struct sync_result *result = &record->result;
    return record->attempt + 1 == retry->attempt && pending_equals(record, retry) &&
           retry->not_before_ms == result->next_attempt_at_ms &&
           retry->duration_ms == result->duration_ms &&
           retry->synced_count == result->synced_count &&
           retry->attempt_version_count == result->attempt_version_count &&
           memcmp(retry->attempt_versions, result->attempt_versions,
                  result->attempt_version_count * sizeof(uint64_t)) == 0;
}

static enum verdict recognise_first(const struct recognition_case *arrived)
{
    const struct batch_record *record = arrived->record;
    if (record == NULL) {
        return is_behind_position(arrived) ? VERDICT_STALE : VERDICT_NEW;
    }
    if (memcmp(&record->fingerprint, &arrived->fingerprint, sizeof(arrived->fingerprint)) != 0) {
        return VERDICT_REUSED;
    }
    return is_same_delivery(&record->delivery, &arrived->delivery) ? VERDICT_REDELIVERED
                                                                   : VERDICT_RESENT;
}

static enum verdict recognise_retry(const struct recognition_case *arrived)
{
    const struct batch_record *record = arrived->record;
    const struct retry_section *retry = arrived->batch->retry;
    if (record == NULL) {
        return VERDICT_STALE;
    }
    if (record->attempt == retry->attempt &&
        is_same_delivery(&record->delivery, &arrived->delivery)) {
        return VERDICT_REDELIVERED;
    }
    return is_requeue_of(record, retry) && !is_behind_position(arrived) ? VERDICT_NEW
                                                                        : VERDICT_STALE;
}

enum verdict recognise(const struct recognition_case *arrived)
{
    return arrived->batch->retry == NULL ? recognise_first(arrived) : recognise_retry(arrived);
}
