#include "tests/support/ledger_history.h"

#include <stdarg.h>
#include <stdlib.h>

#include "tests/support/messages.h"

#define START_MS INT64_C(1750000000000)

enum { JSON_BYTES_MAX = 65536, TICK_MS = 10, RETRY_DELAY_MS = 100, TEXT_BYTES_MAX = 400 };

static void must(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "a test's history: %s\n", what);
        abort();
    }
}

/* --- JSON on its way to MessagePack --- */

struct writer {
    size_t size;
    char bytes[JSON_BYTES_MAX];
};

static void print(struct writer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(struct writer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size =
        vsnprintf(out->bytes + out->size, sizeof(out->bytes) - out->size, format, arguments);
    va_end(arguments);
    must(size >= 0 && (size_t)size < sizeof(out->bytes) - out->size, "a message is too large");
    out->size += (size_t)size;
}

/* Bytes as they are. */
static void print_raw(struct writer *out, struct span bytes)
{
    print(out, "'hex:");
    for (size_t i = 0; i < bytes.size; i++) {
        print(out, "%02x", bytes.data[i]);
    }
    print(out, "'");
}

static struct span text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct span text_of(const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    must(size >= 0 && (size_t)size < sizeof(text), "a text is too long");
    return bytes_keep(span_make(text, (size_t)size));
}

/* --- Records --- */

static const char *const topic_names[] = {[LEDGER_OPS] = "scene.ops",
                                          [LEDGER_RETRY] = "scene.ops.retry-",
                                          [LEDGER_RESULTS] = "scene.results",
                                          [LEDGER_DEAD] = "scene.ops.dlq"};

static int64_t next_offset(const struct history *history, const struct ledger_record *record)
{
    int64_t offset = 0;
    for (size_t i = 0; i < history->record_count; i++) {
        const struct ledger_record *const other = &history->records[i].record;
        if (strcmp(other->topic_name, record->topic_name) == 0 &&
            other->partition == record->partition) {
            offset = other->offset + 1;
        }
    }
    return offset;
}

static struct history_record *add_record(struct history *history, enum ledger_topic topic,
                                         uint32_t tier, int32_t partition)
{
    must(history->record_count < HISTORY_RECORDS_MAX, "too many records");
    struct history_record *const added = &history->records[history->record_count];
    const struct span name = tier == 0 ? span_of_text(topic_names[topic])
                                       : text_of("%s%u", topic_names[topic], (unsigned)tier);
    added->record = (struct ledger_record){
        .topic = topic,
        .topic_name = (const char *)bytes_keep(text_of("%.*s%c", SPAN_ARGS(name), '\0')).data,
        .tier = tier,
        .partition = partition,
        .timestamp_ms = history->now_ms,
        .log_append_time = true,
        .headers = added->headers,
    };
    added->record.offset = next_offset(history, &added->record);
    history->record_count++;
    history->now_ms += TICK_MS;
    return added;
}

static void add_header(struct history_record *record, const char *name, struct span value)
{
    must(record->record.header_count < HISTORY_HEADERS_MAX, "too many headers");
    record->headers[record->record.header_count++] =
        (struct ledger_header){.name = name, .value = value};
}

static struct span place_of(const struct history_record *record)
{
    return text_of("%s/%d/%lld", record->record.topic_name, (int)record->record.partition,
                   (long long)record->record.offset);
}

/* Those of the record it comes from, with or without the workers' own. */
static void copy_headers(struct history_record *to, const struct history_record *from,
                         bool with_own)
{
    for (size_t i = 0; i < from->record.header_count; i++) {
        const struct ledger_header *const header = &from->headers[i];
        if (with_own || strncmp(header->name, "scenesync-", 10) != 0) {
            add_header(to, header->name, header->value);
        }
    }
}

struct history_record *history_send(struct history *history, int32_t partition, struct span value)
{
    struct history_record *const sent = add_record(history, LEDGER_OPS, 0, partition);
    sent->record.key = span_of_text("key");
    sent->record.value = value;
    return sent;
}

/* --- Results --- */

static void print_reason(struct writer *out, const struct model_verdict *verdict)
{
    if (strcmp(verdict->reason, "StaleTimestamp") == 0) {
        print(out, "{'StaleTimestamp':{'local':%llu,'remote':%llu}}",
              (unsigned long long)verdict->stale_local_ms,
              (unsigned long long)verdict->stale_remote_ms);
    } else {
        print(out, "'%s'", verdict->reason);
    }
}

/* `bodies`: of this attempt's operations; else a mark where one would be. */
static void print_conflicts(struct writer *out, const struct model_run *run, bool with_bodies)
{
    const char *comma = "";
    print(out, "'conflicts':[");
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (!verdict->has_conflict) {
            continue;
        }
        print(out, "%s{'index':%u,'reason':", comma, (unsigned)i);
        print_reason(out, verdict);
        print(out,
              ",'resolution':'%s','resolved':%s,'local':{'version':%llu,'timestamp':%llu,"
              "'removed':%s}",
              verdict->resolution, verdict->standing != MODEL_PENDING ? "true" : "false",
              (unsigned long long)verdict->local.version,
              (unsigned long long)verdict->local.timestamp_ms,
              verdict->local.is_removed ? "true" : "false");
        if (with_bodies && verdict->standing == MODEL_SYNCED && verdict->attempt == run->attempt) {
            print(out, ",'operation':");
            print_raw(out, run->batch->operations[i].raw);
        }
        print(out, "}");
        comma = ",";
    }
    print(out, "],");
}

static void print_error(struct writer *out, const struct model_verdict *verdict)
{
    if (strcmp(verdict->code, "stale_timestamp") == 0) {
        print(out, "'stale timestamp (local=%llu, remote=%llu): kept'",
              (unsigned long long)verdict->stale_local_ms,
              (unsigned long long)verdict->stale_remote_ms);
    } else {
        const bool is_found = strcmp(verdict->code, "element_already_exists") == 0;
        print(out, "'%s'", is_found ? "element already exists" : "element not found: never added");
    }
}

static void print_failures(struct writer *out, const struct model_run *run, bool with_pending)
{
    const char *comma = "";
    print(out, "'failed_operations':[");
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (verdict->standing == MODEL_SYNCED ||
            (verdict->standing == MODEL_PENDING && !with_pending)) {
            continue;
        }
        print(out, "%s{'index':%u,'code':'%s','error':", comma, (unsigned)i, verdict->code);
        print_error(out, verdict);
        print(out, ",'retryable':%s,'operation':", verdict->is_retryable ? "true" : "false");
        print_raw(out, run->batch->operations[i].raw);
        print(out, "}");
        comma = ",";
    }
    print(out, "],");
}

static void print_versions(struct writer *out, const struct history_batch *batch)
{
    print(out, "'attempt_versions':[");
    for (uint32_t i = 0; i < batch->run.attempt; i++) {
        print(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)batch->versions[i]);
    }
    print(out, "]");
}

static void print_identity(struct writer *out, struct span session_id, struct span batch_id,
                           struct span client_id)
{
    print(out, "'v':1,'session_id':'%.*s','batch_id':'%.*s',", SPAN_ARGS(session_id),
          SPAN_ARGS(batch_id));
    if (client_id.size > 0) {
        print(out, "'client_id':'%.*s',", SPAN_ARGS(client_id));
    }
}

static void print_source(struct writer *out, const struct history_record *source)
{
    print(out, "'source':{'topic':'%s','partition':%d,'offset':%lld}", source->record.topic_name,
          (int)source->record.partition, (long long)source->record.offset);
}

static void print_result(struct writer *out, const struct history *history,
                         const struct history_batch *batch, bool with_bodies)
{
    const struct model_counts counts = model_run_counts(&batch->run);
    const uint32_t attempt = batch->run.attempt;
    print(out, "{");
    print_identity(out, batch->session_id, batch->batch_id, batch->client_id);
    print(out, "'success':%s,'final':%s,'attempts':%u,'strategy':'%s',",
          counts.failed + counts.pending == 0 ? "true" : "false",
          counts.pending == 0 ? "true" : "false", (unsigned)attempt,
          model_strategy_name(batch->batch.strategy));
    print(out,
          "'synced_count':%llu,'conflict_count':%llu,'failed_count':%llu,'pending_count':%llu,"
          "'clamped_count':%llu,",
          (unsigned long long)counts.synced, (unsigned long long)counts.conflicts,
          (unsigned long long)counts.failed, (unsigned long long)counts.pending,
          (unsigned long long)counts.clamped);
    print_conflicts(out, &batch->run, with_bodies);
    print_failures(out, &batch->run, true);
    print(out, "'scene_version':%llu,", (unsigned long long)batch->versions[attempt - 1]);
    if (attempt > 1) {
        print_versions(out, batch);
        print(out, ",");
    }
    if (counts.pending > 0) {
        print(out, "'next_attempt_at':%lld,", (long long)history->now_ms + RETRY_DELAY_MS);
    }
    print(out, "'duration_ms':1,'timestamp':%lld,", (long long)history->now_ms);
    print_source(out, batch->source);
    print(out, "}");
}

static void publish(struct history *history, struct span key, struct span value, bool is_final,
                    bool is_success)
{
    struct history_record *const result = add_record(history, LEDGER_RESULTS, 0, 0);
    result->record.key = key;
    result->record.value = value;
    add_header(result, "scenesync-final", span_of_text(is_final ? "1" : "0"));
    add_header(result, "scenesync-success", span_of_text(is_success ? "1" : "0"));
}

static void publish_result(struct history *history, struct history_batch *batch)
{
    static struct writer out;
    const struct model_counts counts = model_run_counts(&batch->run);
    const int64_t now_ms = history->now_ms;
    out.size = 0;
    print_result(&out, history, batch, true);
    publish(history, batch->session_id, message_of(out.bytes), counts.pending == 0,
            counts.failed + counts.pending == 0);
    history->now_ms = now_ms;
    out.size = 0;
    print_result(&out, history, batch, false);
    batch->result = bytes_keep(span_make(out.bytes, out.size + 1));
    history->now_ms = now_ms + TICK_MS;
}

/* --- Requeues and dead letters --- */

static void print_operations(struct writer *out, const struct model_run *run, bool exhausted)
{
    const char *comma = "";
    print(out, "'strategy':'%s','operations':[", model_strategy_name(run->batch->strategy));
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (exhausted ? verdict->is_out_of_retries : verdict->standing == MODEL_PENDING) {
            print(out, "%s", comma);
            print_raw(out, run->batch->operations[i].raw);
            comma = ",";
        }
    }
    print(out, "]");
}

/* "3,17" of those that wait, or that ran out of retries. */
static struct span indexes_of(const struct model_run *run, bool exhausted)
{
    static struct writer out;
    out.size = 0;
    for (uint32_t i = 0; i < run->batch->operation_count; i++) {
        const struct model_verdict *const verdict = &run->verdicts[i];
        if (exhausted ? verdict->is_out_of_retries : verdict->standing == MODEL_PENDING) {
            print(&out, "%s%u", out.size == 0 ? "" : ",", (unsigned)i);
        }
    }
    return bytes_keep(span_make(out.bytes, out.size));
}

static void requeue(struct history *history, struct history_batch *batch)
{
    static struct writer out;
    const struct model_counts counts = model_run_counts(&batch->run);
    const long long not_before_ms = (long long)history->now_ms + RETRY_DELAY_MS;
    out.size = 0;
    print(&out, "{");
    print_identity(&out, batch->session_id, batch->batch_id, batch->client_id);
    print_operations(&out, &batch->run, false);
    print(&out, ",'retry':{'attempt':%u,'not_before':%lld,'arrival':%llu,",
          (unsigned)batch->run.attempt + 1, not_before_ms,
          (unsigned long long)batch->run.arrival_ms);
    print_source(&out, batch->source);
    const struct span indexes = indexes_of(&batch->run, false);
    print(&out,
          ",'total':%u,'indexes':[%.*s],'synced_count':%llu,'clamped_count':%llu,"
          "'duration_ms':1,",
          (unsigned)batch->batch.operation_count, SPAN_ARGS(indexes),
          (unsigned long long)counts.synced, (unsigned long long)counts.clamped);
    print_conflicts(&out, &batch->run, false);
    print_failures(&out, &batch->run, false);
    print_versions(&out, batch);
    print(&out, "}}");
    struct history_record *const record =
        add_record(history, LEDGER_RETRY, batch->run.attempt, batch->source->record.partition);
    record->record.key = batch->session_id;
    record->record.value = message_of(out.bytes);
    copy_headers(record, batch->source, false);
    add_header(record, "scenesync-attempt", text_of("%u", (unsigned)batch->run.attempt + 1));
    add_header(record, "scenesync-not-before", text_of("%lld", not_before_ms));
}

static struct history_record *add_dead_letter(struct history *history,
                                              const struct history_record *from, const char *code,
                                              bool with_own)
{
    struct history_record *const dead = add_record(history, LEDGER_DEAD, 0, 0);
    dead->record.key = from->record.key;
    dead->record.value = from->record.value;
    copy_headers(dead, from, with_own);
    add_header(dead, "scenesync-error-code", span_of_text(code));
    add_header(dead, "scenesync-error", span_of_text("a sentence"));
    add_header(dead, "scenesync-source", place_of(from));
    add_header(dead, "scenesync-failed-at", text_of("%lld", (long long)history->now_ms));
    return dead;
}

static void bury(struct history *history, struct history_batch *batch,
                 const struct history_record *from)
{
    static struct writer out;
    const struct span indexes = indexes_of(&batch->run, true);
    if (indexes.size == 0) {
        return;
    }
    out.size = 0;
    print(&out, "{");
    print_identity(&out, batch->session_id, text_of("%.*s:dlq", SPAN_ARGS(batch->batch_id)),
                   batch->client_id);
    print_operations(&out, &batch->run, true);
    print(&out, "}");
    struct history_record *const dead = add_dead_letter(history, from, "retries_exhausted", false);
    dead->record.value = message_of(out.bytes);
    add_header(dead, "scenesync-batch-id", batch->batch_id);
    add_header(dead, "scenesync-indexes", indexes);
}

static void refuse(struct history *history, const struct history_record *sent,
                   const struct model_batch *batch, const char *code)
{
    static struct writer out;
    (void)add_dead_letter(history, sent, code, true);
    if (span_is_absent(batch->session_id)) {
        return;
    }
    const struct span assigned =
        text_of("%.*s@%lld", SPAN_ARGS(place_of(sent)), (long long)sent->record.timestamp_ms);
    out.size = 0;
    print(&out, "{");
    print_identity(&out, batch->session_id,
                   span_is_absent(batch->batch_id) ? assigned : batch->batch_id, batch->client_id);
    print(&out,
          "'success':false,'final':true,'attempts':1,'strategy':'%s','synced_count':0,"
          "'conflict_count':0,'failed_count':0,'pending_count':0,'clamped_count':0,'conflicts':[],"
          "'failed_operations':[],'scene_version':0,'duration_ms':0,'timestamp':%lld,",
          model_strategy_name(history->settings.strategy), (long long)sent->record.timestamp_ms);
    print_source(&out, sent);
    print(&out, ",'error_code':'%s','error':'a sentence'}", code);
    publish(history, bytes_keep(batch->session_id), message_of(out.bytes), true, false);
}

/* --- The pretended worker --- */

static struct history_scene *find_scene(struct history *history, struct span session_id)
{
    for (size_t i = 0; i < history->scene_count; i++) {
        if (span_equal(history->scenes[i].session_id, session_id)) {
            return &history->scenes[i];
        }
    }
    must(history->scene_count < HISTORY_SCENES_MAX, "too many scenes");
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
        text_of("%u %s/%d %lld\n", (unsigned)batch->run.attempt, from->record.topic_name,
                (int)from->record.partition, (long long)from->record.offset);
    scene->updated_at_ms = from->record.timestamp_ms;
    publish_result(history, batch);
    if (model_run_counts(&batch->run).pending > 0) {
        requeue(history, batch);
    }
    bury(history, batch, from);
}

static void begin(struct history *history, const struct history_record *sent,
                  const struct model_batch *read, struct span batch_id)
{
    must(history->batch_count < HISTORY_BATCHES_MAX, "too many batches");
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
            ? text_of("%.*s@%lld", SPAN_ARGS(place_of(sent)), (long long)sent->record.timestamp_ms)
            : read.batch_id;
    const struct history_batch *const known =
        read.code == NULL ? find_batch(history, batch_id) : NULL;
    if (read.code != NULL) {
        refuse(history, sent, &read, read.code);
    } else if (known == NULL) {
        begin(history, sent, &read, batch_id);
    } else if (span_equal(known->batch.operations_raw, read.operations_raw)) {
        history_publish_again(history,
                              (const char *)text_of("%.*s%c", SPAN_ARGS(batch_id), 0).data);
    } else {
        refuse(history, sent, &read, "batch_id_reused");
    }
    pool_free(&pool);
}

void history_retry(struct history *history, const char *batch_id)
{
    struct history_batch *const batch = find_batch(history, span_of_text(batch_id));
    must(batch != NULL, "there is no such batch");
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
    must(from != NULL, "the batch has no requeue");
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
    struct history_record *const copy = add_record(history, LEDGER_RESULTS, 0, 0);
    copy->record.key = latest->record.key;
    copy->record.value = latest->record.value;
    copy_headers(copy, latest, true);
    add_header(copy, "scenesync-duplicate", span_of_text("1"));
}

void history_batch(struct history *history, int32_t partition, const char *json)
{
    history_apply(history, history_send(history, partition, message_of(json)));
}

/* --- Redis --- */

static void add_field(struct history *history, struct span session_id, enum ledger_key key,
                      struct span name, struct span value)
{
    must(history->field_count < HISTORY_FIELDS_MAX, "too many fields");
    history->fields[history->field_count++] = (struct history_field){
        .session_id = session_id, .key = key, .name = bytes_keep(name), .value = value};
}

void history_add_field(struct history *history, const char *session_id, enum ledger_key key,
                       const char *name, struct span value)
{
    add_field(history, span_of_text(session_id), key, span_of_text(name), value);
}

static void store_element(struct history *history, struct span session_id,
                          const struct model_element *element)
{
    static struct writer out;
    out.size = 0;
    print(&out, "[%llu,%llu,", (unsigned long long)element->version,
          (unsigned long long)element->timestamp_ms);
    if (element->is_removed) {
        print(&out, "null");
        add_field(history, session_id, LEDGER_TOMBSTONES, element->id,
                  text_of("%lld", (long long)element->removed_at_ms));
    } else {
        struct pool pool = {0};
        print_raw(&out, value_write(element->document, &pool));
        pool_free(&pool);
    }
    print(&out, "]");
    add_field(history, session_id, LEDGER_ELEMENTS, element->id, message_of(out.bytes));
}

static void store_meta(struct history *history, const struct history_scene *scene)
{
    const struct span id = scene->session_id;
    add_field(history, id, LEDGER_META, span_of_text("version"),
              text_of("%llu", (unsigned long long)scene->scene.version));
    add_field(history, id, LEDGER_META, span_of_text("element_count"),
              text_of("%llu", (unsigned long long)scene->scene.element_count));
    add_field(history, id, LEDGER_META, span_of_text("updated_at"),
              text_of("%lld", (long long)scene->updated_at_ms));
    add_field(history, id, LEDGER_META, span_of_text("commit"), span_of_text("token"));
}

/* The highest offset of each partition of the ops topic that was applied to the scene. */
static void store_positions(struct history *history, const struct history_scene *scene)
{
    for (int32_t partition = 0; partition < 2; partition++) {
        const struct ledger_record *last = NULL;
        for (size_t i = 0; i < history->batch_count; i++) {
            const struct history_batch *const batch = &history->batches[i];
            const struct ledger_record *const record = &batch->source->record;
            if (record->partition == partition &&
                span_equal(batch->session_id, scene->session_id) &&
                (last == NULL || record->offset > last->offset)) {
                last = record;
            }
        }
        if (last != NULL) {
            add_field(history, scene->session_id, LEDGER_META,
                      text_of("at:scene.ops/%d", (int)partition),
                      text_of("%lld %lld", (long long)last->offset, (long long)last->timestamp_ms));
        }
    }
}

static void store_record(struct history *history, const struct history_batch *batch)
{
    static struct writer out;
    out.size = 0;
    const bool is_pending = model_run_counts(&batch->run).pending > 0;
    print(&out, "['bin:00112233445566778899aabbccddeeff',%llu,[%.*s],%s]",
          (unsigned long long)batch->run.arrival_ms, SPAN_ARGS(indexes_of(&batch->run, false)),
          (const char *)batch->result.data);
    const struct span array = message_of(out.bytes);
    struct writer *const value = calloc(1, sizeof(*value));
    must(value != NULL, "no memory");
    memcpy(value->bytes, batch->delivery.data, batch->delivery.size);
    memcpy(value->bytes + batch->delivery.size, array.data, array.size);
    add_field(history, batch->session_id, is_pending ? LEDGER_PENDING : LEDGER_BATCHES,
              text_of("%.*s %.*s", SPAN_ARGS(batch->batch_id), SPAN_ARGS(batch->client_id)),
              bytes_keep(span_make(value->bytes, batch->delivery.size + array.size)));
    free(value);
}

void history_store(struct history *history)
{
    for (size_t i = 0; i < history->scene_count; i++) {
        const struct history_scene *const scene = &history->scenes[i];
        store_meta(history, scene);
        store_positions(history, scene);
        for (size_t j = 0; j < scene->scene.count; j++) {
            store_element(history, scene->session_id, scene->scene.elements[j]);
        }
    }
    for (size_t i = 0; i < history->batch_count; i++) {
        store_record(history, &history->batches[i]);
    }
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
    must(false, "there is no such record");
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
    must(false, "there is no such field");
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
    must(out != NULL, "no memory");
    const bool is_good = ledger_check(ledger, out, HISTORY_RECORDS_MAX, &history->counts);
    (void)fclose(out);
    ledger_destroy(ledger);
    return is_good;
}

struct span bytes_with(struct span bytes, struct span from, struct span to)
{
    static struct writer out;
    bool is_found = false;
    out.size = 0;
    for (size_t i = 0; i < bytes.size;) {
        const bool is_here =
            i + from.size <= bytes.size && span_equal(span_make(bytes.data + i, from.size), from);
        const struct span next = is_here ? to : span_make(bytes.data + i, 1);
        must(out.size + next.size <= sizeof(out.bytes), "a message is too large");
        memcpy(out.bytes + out.size, next.data, next.size);
        out.size += next.size;
        i += is_here ? from.size : 1;
        is_found = is_found || is_here;
    }
    must(is_found, "there is nothing to replace");
    return bytes_keep(span_make(out.bytes, out.size));
}
