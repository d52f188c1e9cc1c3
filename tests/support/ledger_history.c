#include "tests/support/ledger_history.h"

#include <stdlib.h>

#include "tests/support/ledger_history_messages.h"
#include "tests/support/ledger_history_records.h"
#include "tests/support/message_writer.h"
#include "tests/support/messages.h"

#define START_MS INT64_C(1750000000000)

struct history_record *history_send(struct history *history, int32_t partition, struct span value)
{
    struct history_record *const sent = history_add_record(history, LEDGER_OPS, 0, partition);
    sent->record.key = span_of_text("key");
    sent->record.value = value;
    return sent;
}

/* --- The pretended worker --- */

static struct history_scene *find_scene(struct history *history, struct span session_id)
{
    for (size_t i = 0; i < history->scene_count; i++) {
        if (span_equal(history->scenes[i].session_id, session_id)) {
            return &history->scenes[i];
        }
    }
    history_must(history->scene_count < HISTORY_SCENES_MAX, "too many scenes");
    history->scenes[history->scene_count].session_id = session_id;
    return &history->scenes[history->scene_count++];
}

static struct history_batch *find_batch(struct history *history, struct span batch_id)
{
    for (size_t i = 0; i < history->batch_count; i++) {
        if (span_equal(history->batches[i].batch_id, batch_id)) {
            return &history->batches[i];
        }
    }
    return NULL;
}

static void attempt(struct history *history, struct history_batch *batch,
                    const struct history_record *from)
{
    struct history_scene *const scene = find_scene(history, batch->session_id);
    struct model_attempt decided;
    model_attempt_decide(&scene->scene, &batch->run, from->record.timestamp_ms, false, &decided);
    model_attempt_take(&decided, &scene->scene, &batch->run);
    batch->versions[batch->run.attempt - 1] = scene->scene.version;
    batch->delivery =
        bytes_of_format("%u %s/%d %lld\n", (unsigned)batch->run.attempt, from->record.topic_name,
                        (int)from->record.partition, (long long)from->record.offset);
    scene->updated_at_ms = from->record.timestamp_ms;
    history_publish_result(history, batch);
    if (model_run_counts(&batch->run).pending > 0) {
        history_requeue(history, batch);
    }
    history_bury(history, batch, from);
}

static void begin(struct history *history, const struct history_record *sent,
                  const struct model_batch *read, struct span batch_id)
{
    history_must(history->batch_count < HISTORY_BATCHES_MAX, "too many batches");
    struct history_batch *const batch = &history->batches[history->batch_count++];
    batch->session_id = bytes_keep(read->session_id);
    batch->client_id =
        span_is_absent(read->client_id) ? span_of_text("") : bytes_keep(read->client_id);
    batch->batch_id = bytes_keep(batch_id);
    batch->source = sent;
    model_batch_read(sent->record.value, &history->settings, false, &batch->pool, &batch->batch);
    model_run_init(&batch->run, &batch->batch, &history->settings,
                   (uint64_t)sent->record.timestamp_ms);
    attempt(history, batch, sent);
}

void history_apply(struct history *history, const struct history_record *sent)
{
    struct pool pool = {0};
    struct model_batch read;
    model_batch_read(sent->record.value, &history->settings, false, &pool, &read);
    const struct span batch_id =
        span_is_absent(read.batch_id)
            ? bytes_of_format("%.*s@%lld", SPAN_ARGS(history_place_of(sent)),
                              (long long)sent->record.timestamp_ms)
            : read.batch_id;
    const struct history_batch *const known =
        read.code == NULL ? find_batch(history, batch_id) : NULL;
    if (read.code != NULL) {
        history_refuse(history, sent, &read, read.code);
    } else if (known == NULL) {
        begin(history, sent, &read, batch_id);
    } else if (span_equal(known->batch.operations_raw, read.operations_raw)) {
        history_publish_again(history,
                              (const char *)bytes_of_format("%.*s%c", SPAN_ARGS(batch_id), 0).data);
    } else {
        history_refuse(history, sent, &read, "batch_id_reused");
    }
    pool_free(&pool);
}

void history_retry(struct history *history, const char *batch_id)
{
    struct history_batch *const batch = find_batch(history, span_of_text(batch_id));
    history_must(batch != NULL, "there is no such batch");
    const struct history_record *from = NULL;
    for (size_t i = 0; i < history->record_count; i++) {
        const struct ledger_record *const record = &history->records[i].record;
        struct pool pool = {0};
        struct model_batch read;
        if (record->topic != LEDGER_RETRY || record->tier != batch->run.attempt) {
            continue;
        }
        model_batch_read(record->value, &history->settings, true, &pool, &read);
        from = span_equal(read.batch_id, batch->batch_id) ? &history->records[i] : from;
        pool_free(&pool);
    }
    history_must(from != NULL, "the batch has no requeue");
    attempt(history, batch, from);
}

/* The last one published of this batch. */
static const struct history_record *find_latest_result(const struct history *history,
                                                       const char *batch_id)
{
    const struct history_record *latest = NULL;
    for (size_t i = 0; i < history->record_count; i++) {
        struct pool pool = {0};
        const struct ledger_record *const record = &history->records[i].record;
        if (record->topic != LEDGER_RESULTS) {
            continue;
        }
        const struct value *const map = value_read(record->value, &pool);
        if (value_is_text(value_find(map, "batch_id"), batch_id) &&
            value_find(map, "error_code") == NULL) {
            latest = &history->records[i];
        }
        pool_free(&pool);
    }
    if (latest == NULL) {
        abort();
    }
    return latest;
}

void history_publish_again(struct history *history, const char *batch_id)
{
    const struct history_record *const latest = find_latest_result(history, batch_id);
    struct history_record *const copy = history_add_record(history, LEDGER_RESULTS, 0, 0);
    copy->record.key = latest->record.key;
    copy->record.value = latest->record.value;
    history_copy_headers(copy, latest, true);
    history_add_header(copy, "scenesync-duplicate", span_of_text("1"));
}

void history_batch(struct history *history, int32_t partition, const char *json)
{
    history_apply(history, history_send(history, partition, message_of(json)));
}

/* --- For the tests --- */

void history_init(struct history *history)
{
    *history = (struct history){.now_ms = START_MS};
    history->config = (struct ledger_config){.retries_max = 3,
                                             .strategy = "last_write_wins",
                                             .allow_batch_strategy = true,
                                             .records_are_kept = true};
    history->settings = model_settings_default();
}

void history_free(struct history *history)
{
    for (size_t i = 0; i < history->batch_count; i++) {
        model_run_free(&history->batches[i].run);
        pool_free(&history->batches[i].pool);
    }
    for (size_t i = 0; i < history->scene_count; i++) {
        model_scene_free(&history->scenes[i].scene);
    }
}

struct history_record *history_record_of(struct history *history, enum ledger_topic topic,
                                         size_t number)
{
    for (size_t i = 0; i < history->record_count; i++) {
        if (history->records[i].record.topic == topic && number-- == 0) {
            return &history->records[i];
        }
    }
    history_must(false, "there is no such record");
    return NULL;
}

struct history_field *history_field_of(struct history *history, const char *session_id,
                                       enum ledger_key key, const char *name)
{
    for (size_t i = 0; i < history->field_count; i++) {
        struct history_field *const field = &history->fields[i];
        if (field->key == key && span_equal_text(field->session_id, session_id) &&
            span_equal_text(field->name, name)) {
            return field;
        }
    }
    history_must(false, "there is no such field");
    return NULL;
}

bool history_check(struct history *history)
{
    struct ledger *const ledger = ledger_create(&history->config);
    for (size_t i = 0; i < history->record_count; i++) {
        if (!history->records[i].is_gone) {
            ledger_add_record(ledger, &history->records[i].record);
        }
    }
    for (size_t i = 0; i < history->field_count; i++) {
        const struct history_field *const field = &history->fields[i];
        if (!field->is_gone) {
            ledger_add_field(ledger, field->session_id, field->key, field->name, field->value);
        }
    }
    memset(history->findings, 0, sizeof(history->findings));
    FILE *const out = fmemopen(history->findings, sizeof(history->findings) - 1, "w");
    history_must(out != NULL, "no memory");
    const bool is_good = ledger_check(ledger, out, HISTORY_RECORDS_MAX, &history->counts);
    (void)fclose(out);
    ledger_destroy(ledger);
    return is_good;
}

struct span bytes_with(struct span bytes, struct span from, struct span to)
{
    static struct message_writer out;
    bool is_found = false;
    out.size = 0;
    for (size_t i = 0; i < bytes.size;) {
        const bool is_here =
            i + from.size <= bytes.size && span_equal(span_make(bytes.data + i, from.size), from);
        const struct span next = is_here ? to : span_make(bytes.data + i, 1);
        history_must(out.size + next.size <= sizeof(out.bytes), "a message is too large");
        memcpy(out.bytes + out.size, next.data, next.size);
        out.size += next.size;
        i += is_here ? from.size : 1;
        is_found = is_found || is_here;
    }
    history_must(is_found, "there is nothing to replace");
    return bytes_keep(span_make(out.bytes, out.size));
}
