#include "tests/property/follower.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/ledger/inside.h"

/* A batch, from its first delivery on. */
struct tale {
    struct story story; /* as the ledger's comparison wants it */
    struct delivery delivery;
    uint32_t scene;
    struct place latest;                     /* of the record that brought the latest attempt */
    size_t published_first, published_count; /* what was published for it */
    uint64_t done_as;                        /* 0: under way; else the how manieth of its scene */
};

struct follower {
    struct pool pool;
    struct model_settings settings;
    struct model_scene scenes[HISTORY_SCENES];
    uint64_t done_count[HISTORY_SCENES];
    struct tale **tales;
    size_t tale_count;
    size_t published; /* looked at so far */
    uint64_t attempts;
};

/* What was published for the record at hand. */
struct published {
    const struct kafka *kafka;
    size_t first, count;
};

struct follower *follower_create(const struct history *history)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL) {
        abort();
    }
    follower->settings = model_settings_default();
    follower->settings.retries_max = history->retries_max;
    follower->settings.strategy = (enum model_strategy)history->strategy;
    follower->settings.allow_batch_strategy = history->is_strategy_fixed == 0;
    if (history->elements_max > 0) {
        follower->settings.elements_max = history->elements_max;
    }
    return follower;
}

void follower_destroy(struct follower *follower)
{
    if (follower == NULL) {
        return;
    }
    for (size_t i = 0; i < follower->tale_count; i++) {
        model_run_free(&follower->tales[i]->story.run);
        free(follower->tales[i]->story.versions);
    }
    free(follower->tales);
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        model_scene_free(&follower->scenes[i]);
    }
    pool_free(&follower->pool);
    free(follower);
}

const struct model_scene *follower_scene(const struct follower *follower, uint32_t scene)
{
    return &follower->scenes[scene];
}

uint64_t follower_attempts(const struct follower *follower)
{
    return follower->attempts;
}

static struct place place_of(const struct kafka_record *record)
{
    return (struct place){.topic = span_of_text(record->record.topic_name),
                          .partition = record->record.partition,
                          .offset = record->record.offset};
}

static bool is_same_place(const struct place *a, const struct place *b)
{
    return a->offset == b->offset && a->partition == b->partition && span_equal(a->topic, b->topic);
}

/* --- What was published --- */

static const struct kafka_record *nth(const struct published *published, size_t n)
{
    return kafka_published_at(published->kafka, published->first + n);
}

static size_t count_of(const struct published *published, enum ledger_topic topic)
{
    size_t count = 0;
    for (size_t i = 0; i < published->count; i++) {
        count += nth(published, i)->record.topic == topic ? 1 : 0;
    }
    return count;
}

static const struct kafka_record *first_of(const struct published *published,
                                           enum ledger_topic topic)
{
    for (size_t i = 0; i < published->count; i++) {
        if (nth(published, i)->record.topic == topic) {
            return nth(published, i);
        }
    }
    return NULL;
}

static bool expect_counts(const struct published *published, size_t results, size_t requeues,
                          size_t dead, struct verdict *verdict)
{
    if (count_of(published, LEDGER_RESULTS) == results &&
        count_of(published, LEDGER_RETRY) == requeues && count_of(published, LEDGER_DEAD) == dead) {
        return true;
    }
    return verdict_fails(
        verdict, "published: %zu results, %zu requeues, %zu dead letters, expected %zu, %zu, %zu",
        count_of(published, LEDGER_RESULTS), count_of(published, LEDGER_RETRY),
        count_of(published, LEDGER_DEAD), results, requeues, dead);
}

static bool check_result(const struct tale *tale, const struct model_scene *scene,
                         const struct kafka_record *published, struct verdict *verdict)
{
    struct pool pool = {0};
    struct reason reason;
    const struct value *map = value_read(published->record.value, &pool);
    const struct value *batch_id = value_find(map, "batch_id");
    struct result result = {
        .identity = tale->story.identity,
        .is_final = model_run_counts(&tale->story.run).pending == 0,
        .record = &published->record,
    };
    bool is_same = value_is(batch_id, VALUE_STR) &&
                   span_equal(batch_id->text, tale->story.identity.batch_id) &&
                   compare_result(&tale->story, &tale->story.run, scene->version, &result, &reason);
    if (!value_is(batch_id, VALUE_STR) ||
        !span_equal(batch_id->text, tale->story.identity.batch_id)) {
        is_same = verdict_fails(verdict, "result: batch_id is not '%.*s'",
                                SPAN_ARGS(tale->story.identity.batch_id));
    } else if (!is_same) {
        (void)verdict_fails(verdict, "result: %.700s", reason.bytes);
    }
    pool_free(&pool);
    return is_same;
}

/* Whether the batch's operations are exactly those of the run that are meant. */
static bool has_operations(const struct model_batch *batch, const struct model_run *run,
                           bool (*is_meant)(const struct model_run *run, uint32_t index))
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        if (is_meant(run, i)) {
            if (at == batch->operation_count ||
                !span_equal(batch->operations[at].raw, run->batch->operations[i].raw)) {
                return false;
            }
            at++;
        }
    }
    return at == batch->operation_count;
}

static bool is_pending(const struct model_run *run, uint32_t index)
{
    return run->verdicts[index].standing == MODEL_PENDING;
}

static bool is_exhausted(const struct model_run *run, uint32_t index)
{
    const struct model_verdict *verdict = &run->verdicts[index];
    return verdict->standing == MODEL_FAILED && verdict->is_out_of_retries;
}

static bool check_requeue(const struct follower *follower, const struct tale *tale,
                          const struct kafka_record *published, struct verdict *verdict)
{
    const struct model_run *run = &tale->story.run;
    const struct model_counts counts = model_run_counts(run);
    struct pool pool = {0};
    struct model_batch batch;
    model_batch_read(published->record.value, &follower->settings, true, &pool, &batch);
    bool is_right =
        batch.code == NULL && span_equal(batch.batch_id, tale->story.identity.batch_id) &&
        batch.strategy == run->batch->strategy && batch.retry.attempt == run->attempt + 1 &&
        published->record.tier == run->attempt &&
        published->record.partition == tale->latest.partition &&
        batch.retry.not_before_ms == published->due_ms &&
        batch.retry.arrival_ms == run->arrival_ms &&
        batch.retry.total == run->batch->operation_count &&
        batch.retry.synced_count == counts.synced && batch.retry.clamped_count == counts.clamped &&
        batch.retry.source_offset == (uint64_t)tale->delivery.place.offset &&
        has_operations(&batch, run, is_pending);
    for (const struct value *index = is_right ? batch.retry.indexes->first : NULL; index != NULL;
         index = index->next) {
        uint64_t number = 0;
        is_right = is_right && value_as_uint(index, &number) &&
                   number < run->batch->operation_count && is_pending(run, (uint32_t)number);
    }
    pool_free(&pool);
    return is_right || verdict_fails(verdict, "the requeue for attempt %u is not as expected",
                                     (unsigned)run->attempt + 1);
}

static bool check_dead(const struct follower *follower, const struct tale *tale,
                       const struct kafka_record *published, struct verdict *verdict)
{
    struct pool pool = {0};
    struct model_batch batch;
    model_batch_read(published->record.value, &follower->settings, false, &pool, &batch);
    bool is_right =
        batch.code == NULL && has_operations(&batch, &tale->story.run, is_exhausted) &&
        span_equal_text(kafka_header(published, "scenesync-error-code"), "retries_exhausted") &&
        span_equal(kafka_header(published, "scenesync-batch-id"), tale->story.identity.batch_id);
    pool_free(&pool);
    return is_right || verdict_fails(verdict, "the dead letter is not as expected");
}

static bool has_exhausted(const struct model_run *run)
{
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        if (is_exhausted(run, i)) {
            return true;
        }
    }
    return false;
}

/* --- Records --- */

static bool take_attempt(struct follower *follower, struct tale *tale,
                         const struct kafka_record *record, const struct published *published,
                         struct verdict *verdict)
{
    struct model_run *run = &tale->story.run;
    struct model_scene *scene = &follower->scenes[tale->scene];
    struct model_attempt attempt;
    model_attempt_decide(scene, run, record->record.timestamp_ms, false, &attempt);
    model_attempt_take(&attempt, scene, run);
    follower->attempts++;
    tale->story.versions = grown(tale->story.versions, run->attempt, sizeof(*tale->story.versions));
    tale->story.versions[run->attempt - 1] = scene->version;
    tale->latest = place_of(record);
    tale->published_first = published->first;
    tale->published_count = published->count;
    bool is_final = model_run_counts(run).pending == 0;
    bool has_dead = is_final && has_exhausted(run);
    if (is_final) {
        tale->done_as = ++follower->done_count[tale->scene];
    }
    return expect_counts(published, 1, is_final ? 0 : 1, has_dead ? 1 : 0, verdict) &&
           check_result(tale, scene, first_of(published, LEDGER_RESULTS), verdict) &&
           (is_final ||
            check_requeue(follower, tale, first_of(published, LEDGER_RETRY), verdict)) &&
           (!has_dead || check_dead(follower, tale, first_of(published, LEDGER_DEAD), verdict));
}

static bool is_same_message(const struct kafka_record *a, const struct kafka_record *b)
{
    return a->record.topic == b->record.topic && span_equal(a->record.value, b->record.value) &&
           span_equal(a->record.key, b->record.key);
}

/* Everything that was published for the latest attempt once more, or its result alone. */
static bool expect_repeated(const struct tale *tale, bool is_result_alone,
                            const struct published *published, struct verdict *verdict)
{
    const struct published first = {
        .kafka = published->kafka, .first = tale->published_first, .count = tale->published_count};
    size_t at = 0;
    for (size_t i = 0; i < first.count; i++) {
        const struct kafka_record *expected = nth(&first, i);
        if (is_result_alone && expected->record.topic != LEDGER_RESULTS) {
            continue;
        }
        if (at == published->count || !is_same_message(expected, nth(published, at))) {
            return verdict_fails(verdict, "what was published for %.*s is not repeated",
                                 SPAN_ARGS(tale->story.identity.batch_id));
        }
        if (expected->record.topic == LEDGER_RESULTS &&
            !span_equal_text(kafka_header(nth(published, at), "scenesync-duplicate"), "1")) {
            return verdict_fails(verdict, "a repeated result is not marked as a duplicate");
        }
        at++;
    }
    return at == published->count ||
           verdict_fails(verdict, "more is published than was for the first delivery");
}

static bool expect_reused(const struct published *published, struct verdict *verdict)
{
    if (!expect_counts(published, 1, 0, 1, verdict)) {
        return false;
    }
    const struct kafka_record *dead = first_of(published, LEDGER_DEAD);
    return span_equal_text(kafka_header(dead, "scenesync-error-code"), "batch_id_reused") ||
           verdict_fails(verdict, "its dead letter does not say batch_id_reused");
}

static uint32_t scene_of(struct span session_id)
{
    uint32_t scene = 0;
    while (!span_equal_text(session_id, history_scene_id(scene))) {
        scene++;
    }
    return scene;
}

static struct tale *find_tale(const struct follower *follower, const struct identity *identity)
{
    for (size_t i = 0; i < follower->tale_count; i++) {
        if (order_identities(&follower->tales[i]->story.identity, identity) == 0) {
            return follower->tales[i];
        }
    }
    return NULL;
}

static uint64_t arrival_of(const struct kafka_record *record, uint64_t now_ms)
{
    const uint64_t stamped_ms = (uint64_t)record->record.timestamp_ms;
    return record->record.log_append_time || stamped_ms < now_ms ? stamped_ms : now_ms;
}

static struct tale *begin_tale(struct follower *follower, const struct kafka_record *record,
                               const struct model_batch *batch, const struct identity *identity,
                               uint64_t now_ms)
{
    struct tale *tale = pool_alloc(&follower->pool, sizeof(*tale));
    follower->tales = grown(follower->tales, follower->tale_count + 1, sizeof(struct tale *));
    follower->tales[follower->tale_count++] = tale;
    tale->scene = scene_of(identity->session_id);
    tale->delivery = (struct delivery){.identity = *identity, .place = place_of(record)};
    tale->story.identity = *identity;
    tale->story.delivery = &tale->delivery;
    tale->story.batch = *batch;
    model_run_init(&tale->story.run, &tale->story.batch, &follower->settings,
                   arrival_of(record, now_ms));
    return tale;
}

static bool take_first(struct follower *follower, const struct kafka_record *record,
                       uint64_t now_ms, const struct published *published, struct verdict *verdict)
{
    struct model_batch batch;
    model_batch_read(record->record.value, &follower->settings, false, &follower->pool, &batch);
    if (batch.code != NULL) {
        return verdict_fails(verdict, "the model refuses a batch: %s", batch.code);
    }
    struct identity identity = {
        .session_id = batch.session_id, .client_id = batch.client_id, .batch_id = batch.batch_id};
    char text[128];
    if (span_is_absent(batch.batch_id)) {
        (void)snprintf(text, sizeof(text), "%s/%d/%" PRId64 "@%" PRId64, record->record.topic_name,
                       (int)record->record.partition, record->record.offset,
                       record->record.timestamp_ms);
        identity.batch_id = pool_copy(&follower->pool, span_of_text(text));
    }
    struct tale *tale = find_tale(follower, &identity);
    const struct place place = place_of(record);
    if (tale == NULL) {
        tale = begin_tale(follower, record, &batch, &identity, now_ms);
        return take_attempt(follower, tale, record, published, verdict);
    }
    if (!span_equal(tale->story.batch.operations_raw, batch.operations_raw)) {
        return expect_reused(published, verdict);
    }
    return expect_repeated(tale, !is_same_place(&place, &tale->latest), published, verdict);
}

static bool take_retry(struct follower *follower, const struct kafka_record *record,
                       const struct published *published, struct verdict *verdict)
{
    struct pool pool = {0};
    struct model_batch batch;
    model_batch_read(record->record.value, &follower->settings, true, &pool, &batch);
    const struct identity identity = {
        .session_id = batch.session_id, .client_id = batch.client_id, .batch_id = batch.batch_id};
    struct tale *tale = batch.code == NULL ? find_tale(follower, &identity) : NULL;
    const struct place place = place_of(record);
    const uint64_t attempt = batch.code == NULL ? batch.retry.attempt : 0;
    pool_free(&pool);
    if (tale == NULL) {
        return verdict_fails(verdict, "a requeue that nothing explains");
    }
    if (attempt == tale->story.run.attempt + 1) {
        return take_attempt(follower, tale, record, published, verdict);
    }
    if (is_same_place(&place, &tale->latest)) {
        return expect_repeated(tale, false, published, verdict);
    }
    return expect_counts(published, 0, 0, 0, verdict); /* a copy of one that is done */
}

bool follower_take(struct follower *follower, const struct kafka_record *record, uint64_t now_ms,
                   const struct kafka *kafka, struct verdict *verdict)
{
    const struct published published = {
        .kafka = kafka,
        .first = follower->published,
        .count = kafka_published_count(kafka) - follower->published,
    };
    follower->published = kafka_published_count(kafka);
    struct verdict inner;
    bool is_right = record->record.topic == LEDGER_OPS
                        ? take_first(follower, record, now_ms, &published, &inner)
                        : take_retry(follower, record, &published, &inner);
    return is_right || verdict_fails(verdict, "%s/%d/%lld: %.800s", record->record.topic_name,
                                     (int)record->record.partition,
                                     (long long)record->record.offset, inner.reason);
}

bool follower_remembers(const struct follower *follower, const struct step *sent, uint32_t count)
{
    static const char *const clients[] = {"", "ann", "bob"};
    char text[16];
    (void)snprintf(text, sizeof(text), "b%u", (unsigned)sent->serial);
    const struct identity identity = {
        .session_id = span_of_text(history_scene_id(sent->scene)),
        .client_id = sent->client == 0 ? (struct span){0} : span_of_text(clients[sent->client]),
        .batch_id = span_of_text(text)};
    const struct tale *tale = find_tale(follower, &identity);
    return tale != NULL &&
           (tale->done_as == 0 || tale->done_as + count > follower->done_count[tale->scene]);
}
