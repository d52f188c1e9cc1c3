/* Dead letters: what must be there (inside.h). */
#include "tests/ledger/inside.h"

/* A dead letter loses its value only where not even the topic takes it. */
enum { TRUNCATED_BYTES_MIN = 900000, CUT_BATCH_ID_BYTES = 310, INDEX_TEXT_BYTES = 24 };

/* --- Of operations --- */

/* "<batch_id>:dlq" of what fits. */
static bool is_dead_batch_id(struct span id, struct span batch_id)
{
    const struct span suffix = span_of_text(":dlq");
    const size_t kept =
        batch_id.size > CUT_BATCH_ID_BYTES ? (size_t)CUT_BATCH_ID_BYTES : batch_id.size;
    return id.size == kept + suffix.size &&
           span_equal(span_make(id.data, kept), span_make(batch_id.data, kept)) &&
           span_equal(span_make(id.data + kept, suffix.size), suffix);
}

/* "3,17" against the indexes that ran out of retries, and their bytes against the batch's. */
static bool carries_exhausted(const struct model_run *run, const struct ledger_record *record,
                              const struct model_batch *dead, struct reason *reason)
{
    const struct span indexes = find_header(record, "scenesync-indexes");
    size_t at = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        if (!run->verdicts[i].is_out_of_retries) {
            continue;
        }
        char text[INDEX_TEXT_BYTES];
        const int size = snprintf(text, sizeof(text), "%s%u", count == 0 ? "" : ",", (unsigned)i);
        if (indexes.size < at + (size_t)size ||
            memcmp(indexes.data + at, text, (size_t)size) != 0) {
            return differs(reason, "scenesync-indexes does not name operation %u", (unsigned)i);
        }
        if (count == dead->operation_count ||
            !span_equal(dead->operations[count].raw, run->batch->operations[i].raw)) {
            return differs(reason, "operation %u is not in it as it was received", (unsigned)i);
        }
        at += (size_t)size;
        count++;
    }
    return (at == indexes.size && count == dead->operation_count) ||
           differs(reason, "there are operations in it that did not run out of retries");
}

static bool compare_exhausted(const struct story *story, const struct dead_letter *dead,
                              const struct ledger_record *from, const struct model_batch *batch,
                              struct reason *reason)
{
    const struct ledger_record *const record = dead->record;
    if (batch->code != NULL) {
        return differs(reason, "it is no batch that could be sent again: %s", batch->code);
    }
    if (!span_equal(batch->session_id, story->identity.session_id) ||
        !span_equal(batch->client_id, story->identity.client_id) ||
        !is_dead_batch_id(batch->batch_id, story->identity.batch_id)) {
        return differs(reason, "session_id, client_id or batch_id");
    }
    if (!span_equal_text(dead->code, "retries_exhausted")) {
        return differs(reason, "its code is '%.*s'", SPAN_ARGS(dead->code));
    }
    if (!span_equal(find_header(record, "scenesync-batch-id"), story->identity.batch_id)) {
        return differs(reason, "scenesync-batch-id");
    }
    return carries_exhausted(&story->run, record, batch, reason) &&
           (batch->strategy == story->batch.strategy || differs(reason, "strategy")) &&
           keeps_key(record, from, reason) && keeps_headers(record, from, false, reason);
}

/* How many dead letters of the record that brought the last attempt are as they should be. */
static size_t count_exhausted(struct ledger *ledger, const struct story *story,
                              const struct place *place, const struct ledger_record *from)
{
    struct dead_letter *const dead = ledger->dead.items;
    size_t good = 0;
    for (size_t i = list_find_source(&ledger->dead, place);
         i < ledger->dead.count && order_places(&dead[i].source, place) == 0; i++) {
        struct pool pool = {0};
        struct model_batch batch;
        struct reason reason;
        if (!dead[i].is_of_operations) {
            continue;
        }
        model_batch_read(dead[i].record->value, &ledger->settings, false, &pool, &batch);
        const bool is_it = compare_exhausted(story, &dead[i], from, &batch, &reason);
        pool_free(&pool);
        dead[i].is_explained = true;
        good += is_it;
        if (!is_it && !ledger->config.lost_writes) {
            found(ledger, FINDING_DIFFERING, "%s: its dead letter at %s: %s",
                  text_of_story(story).bytes, text_of_place(&dead[i].place).bytes, reason.bytes);
        }
    }
    return good;
}

void check_exhausted(struct ledger *ledger, struct story *story)
{
    const struct requeue *const requeues = ledger->requeues.items;
    size_t exhausted = 0;
    for (uint32_t i = 0; i < story->batch.operation_count; i++) {
        exhausted += story->run.verdicts[i].is_out_of_retries;
    }
    if (exhausted == 0) {
        return;
    }
    size_t good = 0;
    size_t first;
    const size_t count = story_requeues(ledger, story, story->run.attempt, &first);
    for (size_t i = first; i < first + count; i++) {
        good += count_exhausted(ledger, story, &requeues[i].place, requeues[i].record);
    }
    if (story->run.attempt == 1) {
        good += count_exhausted(ledger, story, &story->delivery->place, story->delivery->record);
    }
    if (good == 0) {
        found(ledger, FINDING_LOST, "%s: no dead letter of the operations that ran out of retries",
              text_of_story(story).bytes);
    }
}

/* --- Of records refused whole --- */

static bool compare_dead_letter(const struct dead_letter *dead, const struct ledger_record *from,
                                const char *code, struct reason *reason)
{
    const struct ledger_record *const record = dead->record;
    const bool is_truncated = is_header(record, "scenesync-truncated", "1") &&
                              record->value.size == 0 && from->value.size >= TRUNCATED_BYTES_MIN;
    if (!span_equal_text(dead->code, code)) {
        return differs(reason, "its code is '%.*s', expected %s", SPAN_ARGS(dead->code), code);
    }
    if (!span_equal(record->value, from->value) && !is_truncated) {
        return differs(reason, "its value is not the record's");
    }
    if (find_header(record, "scenesync-error").size == 0 ||
        find_header(record, "scenesync-failed-at").size == 0) {
        return differs(reason, "scenesync-error or scenesync-failed-at is missing");
    }
    return keeps_key(record, from, reason) && keeps_headers(record, from, true, reason);
}

bool check_dead_letter(struct ledger *ledger, const struct ledger_record *record,
                       const struct place *place, const char *code, const char *what)
{
    struct dead_letter *const dead = ledger->dead.items;
    size_t count = 0;
    for (size_t i = list_find_source(&ledger->dead, place);
         i < ledger->dead.count && order_places(&dead[i].source, place) == 0; i++) {
        struct reason reason;
        if (dead[i].is_of_operations) {
            continue;
        }
        dead[i].is_explained = true;
        count++;
        if (!compare_dead_letter(&dead[i], record, code, &reason)) {
            found(ledger, FINDING_DIFFERING, "%s at %s: its dead letter at %s: %s", what,
                  text_of_place(place).bytes, text_of_place(&dead[i].place).bytes, reason.bytes);
        }
    }
    if (count == 0) {
        found(ledger, FINDING_LOST, "%s at %s: no dead letter (%s)", what,
              text_of_place(place).bytes, code);
    }
    return count > 0;
}
