/* Requeues, dead letters and refusals: what must be there, and what must not (inside.h). */
#include <stdlib.h>

#include "tests/ledger/inside.h"

/* A dead letter loses its value only where not even the topic takes it. */
enum { TRUNCATED_BYTES_MIN = 900000, CUT_BATCH_ID_BYTES = 310, INDEX_TEXT_BYTES = 24 };

static bool is_own_header(const char *name)
{
    return strncmp(name, "scenesync-", strlen("scenesync-")) == 0;
}

static bool is_same_header(const struct ledger_header *a, const struct ledger_header *b)
{
    return strcmp(a->name, b->name) == 0 && span_is_absent(a->value) == span_is_absent(b->value) &&
           span_equal(a->value, b->value);
}

/* The headers of the record it comes from stand in front, as they were. */
static bool keeps_headers(const struct ledger_record *copy, const struct ledger_record *from,
                          bool with_own, struct reason *reason)
{
    size_t at = 0;
    for (size_t i = 0; i < from->header_count; i++) {
        if (!with_own && is_own_header(from->headers[i].name)) {
            continue;
        }
        if (at >= copy->header_count || !is_same_header(&copy->headers[at], &from->headers[i])) {
            return differs(reason, "header %s is missing or changed", from->headers[i].name);
        }
        at++;
    }
    for (; at < copy->header_count; at++) {
        if (!is_own_header(copy->headers[at].name)) {
            return differs(reason, "header %s is not from the record", copy->headers[at].name);
        }
    }
    return true;
}

static bool keeps_key(const struct ledger_record *copy, const struct ledger_record *from,
                      struct reason *reason)
{
    return (span_is_absent(copy->key) == span_is_absent(from->key) &&
            span_equal(copy->key, from->key)) ||
           differs(reason, "its key is not the record's");
}

/* --- Requeues --- */

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

/* --- Dead letters of operations --- */

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

/* --- Records refused whole --- */

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

static bool is_text(const struct value *map, const char *key, struct span expected,
                    struct reason *reason)
{
    const struct value *const value = value_find(map, key);
    const bool is_it = value == NULL
                           ? expected.size == 0
                           : value->type == VALUE_STR && span_equal(value->text, expected);
    return is_it || differs(reason, "%s is not '%.*s'", key, SPAN_ARGS(expected));
}

static bool is_zero(const struct value *map, const char *key, struct reason *reason)
{
    uint64_t number = 1;
    return (value_as_uint(value_find(map, key), &number) && number == 0) ||
           differs(reason, "%s is not 0", key);
}

static bool is_bool(const struct value *map, const char *key, bool expected, struct reason *reason)
{
    const struct value *const value = value_find(map, key);
    return (value_is(value, VALUE_BOOL) && value->boolean == expected) ||
           differs(reason, "%s is not %s", key, expected ? "true" : "false");
}

static bool compare_refusal(const struct ledger *ledger, const struct identity *identity,
                            const char *code, const struct value *map, struct reason *reason)
{
    static const char *const zeros[] = {"synced_count",  "conflict_count", "failed_count",
                                        "pending_count", "clamped_count",  "scene_version",
                                        "duration_ms"};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
        if (!is_zero(map, zeros[i], reason)) {
            return false;
        }
    }
    const struct span strategy = span_of_text(model_strategy_name(ledger->settings.strategy));
    uint64_t attempts = 0;
    return is_text(map, "error_code", span_of_text(code), reason) &&
           is_text(map, "session_id", identity->session_id, reason) &&
           is_text(map, "client_id", identity->client_id, reason) &&
           is_text(map, "batch_id", identity->batch_id, reason) &&
           is_text(map, "strategy", strategy, reason) && is_bool(map, "success", false, reason) &&
           is_bool(map, "final", true, reason) &&
           ((value_as_uint(value_find(map, "attempts"), &attempts) && attempts == 1) ||
            differs(reason, "attempts is not 1"));
}

void check_refusal(struct ledger *ledger, const struct delivery *delivery, const char *code)
{
    struct refusal *const refusals = ledger->refusals.items;
    const struct place *const place = &delivery->place;
    size_t count = 0;
    for (size_t i = list_find_source(&ledger->refusals, place);
         i < ledger->refusals.count && order_places(&refusals[i].source, place) == 0; i++) {
        struct pool pool = {0};
        struct reason reason;
        refusals[i].is_explained = true;
        count++;
        const struct value *const map = value_read(refusals[i].record->value, &pool);
        if (!compare_refusal(ledger, &delivery->identity, code, map, &reason)) {
            found(ledger, FINDING_DIFFERING, "refused record %s: its result at %s: %s",
                  text_of_place(place).bytes, text_of_place(&refusals[i].place).bytes,
                  reason.bytes);
        }
        pool_free(&pool);
    }
    ledger->counts.repeated_results += count > 1 ? count - 1 : 0;
    if (count == 0) {
        found(ledger, FINDING_LOST, "refused record %s: no result says so (%s)",
              text_of_place(place).bytes, code);
    }
}

void check_refused(struct ledger *ledger)
{
    const struct delivery *const refused = ledger->refused.items;
    for (size_t i = 0; i < ledger->refused.count; i++) {
        (void)check_dead_letter(ledger, refused[i].record, &refused[i].place, refused[i].code,
                                "refused record");
        if (!span_is_absent(refused[i].identity.session_id)) {
            check_refusal(ledger, &refused[i], refused[i].code);
        }
    }
    struct requeue *const requeues = ledger->requeues.items;
    for (size_t i = 0; i < ledger->requeues.count; i++) {
        if (requeues[i].code != NULL) {
            requeues[i].is_explained = true;
            (void)check_dead_letter(ledger, requeues[i].record, &requeues[i].place,
                                    requeues[i].code, "refused record");
        }
    }
}

/* --- What is left --- */

static bool is_replayed(const struct ledger *ledger, const struct identity *identity)
{
    const struct story *const stories = ledger->stories.items;
    size_t i = list_find_identity(&ledger->stories, identity);
    for (; i < ledger->stories.count && order_identities(&stories[i].identity, identity) == 0;
         i++) {
        if (!stories[i].is_replayed) {
            return false;
        }
    }
    return true;
}

/* The delivery that stands there; NULL where none of this identity does. */
static const struct delivery *find_delivery(const struct ledger *ledger,
                                            const struct identity *identity,
                                            const struct place *place)
{
    const struct delivery *const deliveries = ledger->deliveries.items;
    size_t i = list_find_identity(&ledger->deliveries, identity);
    for (; i < ledger->deliveries.count && order_identities(&deliveries[i].identity, identity) == 0;
         i++) {
        if (order_places(&deliveries[i].place, place) == 0) {
            return &deliveries[i];
        }
    }
    return NULL;
}

/* Operations that are all the batch's, at the places that are named. */
static bool is_part_of(const struct model_batch *part, const struct model_batch *whole)
{
    const struct value *index = part->retry.indexes->first;
    for (uint32_t i = 0; i < part->operation_count; i++) {
        uint64_t place = 0;
        if (index == NULL || !value_as_uint(index, &place) || place >= whole->operation_count ||
            !span_equal(part->operations[i].raw, whole->operations[place].raw)) {
            return false;
        }
        index = index->next;
    }
    return index == NULL;
}

/* Of a history that was lost with writes. */
static bool is_of_lost_history(struct ledger *ledger, const struct requeue *requeue)
{
    const struct delivery *const delivery =
        find_delivery(ledger, &requeue->identity, &requeue->source);
    if (!ledger->config.lost_writes || delivery == NULL) {
        return false;
    }
    struct pool pool = {0};
    struct model_batch part;
    struct model_batch whole;
    model_batch_read(requeue->record->value, &ledger->settings, true, &pool, &part);
    model_batch_read(delivery->record->value, &ledger->settings, false, &pool, &whole);
    const bool is_part = is_part_of(&part, &whole);
    pool_free(&pool);
    return is_part;
}

static void check_rest_of_results(struct ledger *ledger)
{
    const struct result *const results = ledger->results.items;
    for (size_t i = 0; i < ledger->results.count; i++) {
        const bool is_known =
            find_delivery(ledger, &results[i].identity, &results[i].source) != NULL;
        if (results[i].is_explained || (is_known && ledger->config.lost_writes)) {
            continue;
        }
        found(ledger, FINDING_DIFFERING, "result at %s: nothing explains it (%s, attempt %llu)",
              text_of_place(&results[i].place).bytes, text_of_identity(&results[i].identity).bytes,
              (unsigned long long)results[i].attempts);
    }
}

static void check_rest_of_refusals(struct ledger *ledger)
{
    const struct refusal *const refusals = ledger->refusals.items;
    for (size_t i = 0; i < ledger->refusals.count; i++) {
        const bool may_be =
            ledger->config.lost_writes && span_equal_text(refusals[i].code, "batch_id_reused");
        if (!refusals[i].is_explained && !may_be) {
            found(ledger, FINDING_DIFFERING,
                  "result at %s: it says that %s was refused, which was not to be",
                  text_of_place(&refusals[i].place).bytes,
                  text_of_place(&refusals[i].source).bytes);
        }
    }
}

static void check_rest_of_requeues(struct ledger *ledger)
{
    const struct requeue *const requeues = ledger->requeues.items;
    for (size_t i = 0; i < ledger->requeues.count; i++) {
        if (!requeues[i].is_explained && is_replayed(ledger, &requeues[i].identity) &&
            !is_of_lost_history(ledger, &requeues[i])) {
            found(ledger, FINDING_DIFFERING,
                  "requeue at %s: nothing explains it (%s, attempt %llu)",
                  text_of_place(&requeues[i].place).bytes,
                  text_of_identity(&requeues[i].identity).bytes,
                  (unsigned long long)requeues[i].attempt);
        }
    }
}

void check_rest(struct ledger *ledger)
{
    const struct dead_letter *const dead = ledger->dead.items;
    check_rest_of_results(ledger);
    check_rest_of_refusals(ledger);
    check_rest_of_requeues(ledger);
    for (size_t i = 0; i < ledger->dead.count; i++) {
        const bool may_be =
            (dead[i].is_of_operations && ledger->has_gaps) ||
            (ledger->config.lost_writes &&
             (dead[i].is_of_operations || span_equal_text(dead[i].code, "batch_id_reused")));
        if (!dead[i].is_explained && !may_be) {
            found(ledger, FINDING_DIFFERING,
                  "dead letter at %s: nothing explains it (%.*s, from %s)",
                  text_of_place(&dead[i].place).bytes, SPAN_ARGS(dead[i].code),
                  text_of_place(&dead[i].source).bytes);
        }
    }
}
