#include "tests/sim/sim_watch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <xxhash.h>

#include "tests/sim/sim_table.h"

enum { FINDINGS_MAX = 10, NUMBER_BYTES = 24 };

struct sim_watch {
    const struct sim_time *time;
    struct model_settings settings;
    FILE *out;
    uint64_t findings;
    bool has_forgotten;
    struct sim_table batches;  /* place -> identity, attempt; of ops and retries */
    struct sim_table answers;  /* identity -> attempts that have a result */
    struct sim_table dead;     /* place */
    struct sim_table results;  /* identity, source, attempt -> hash of the bytes */
    struct sim_table scenes;   /* session -> version */
    struct sim_table elements; /* session, id -> version, timestamp */
};

struct sim_watch *sim_watch_create(const struct sim_time *time,
                                   const struct model_settings *settings, FILE *out)
{
    struct sim_watch *watch = calloc(1, sizeof *watch);
    assert(watch != NULL);
    watch->time = time;
    watch->settings = *settings;
    watch->out = out;
    return watch;
}

void sim_watch_destroy(struct sim_watch *watch)
{
    sim_table_clear(&watch->batches);
    sim_table_clear(&watch->answers);
    sim_table_clear(&watch->dead);
    sim_table_clear(&watch->results);
    sim_table_clear(&watch->scenes);
    sim_table_clear(&watch->elements);
    free(watch);
}

uint64_t sim_watch_findings(const struct sim_watch *watch)
{
    return watch->findings;
}

void sim_watch_forget(struct sim_watch *watch)
{
    watch->has_forgotten = true;
    sim_table_clear(&watch->scenes);
    sim_table_clear(&watch->elements);
}

static void found(struct sim_watch *watch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void found(struct sim_watch *watch, const char *format, ...)
{
    watch->findings++;
    if (watch->findings > FINDINGS_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(watch->out, "at %" PRIu64 " ms: ", watch->time->now_ms);
    (void)vfprintf(watch->out, format, arguments);
    (void)fputc('\n', watch->out);
    va_end(arguments);
}

/* --- Hashes --- */

static uint64_t hash_of(struct span bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.size == 0 ? "" : (const char *)bytes.data, bytes.size,
                                seed + bytes.size);
}

static uint64_t hash_of_place(const char *topic, int64_t partition, int64_t offset)
{
    const int64_t numbers[] = {partition, offset};
    return hash_of(span_make(numbers, sizeof numbers), hash_of(span_of_text(topic), 1));
}

static uint64_t hash_of_identity(struct span session_id, struct span client_id,
                                 struct span batch_id)
{
    return hash_of(batch_id, hash_of(client_id, hash_of(session_id, 2)));
}

/* --- Records --- */

static const char *topic_of(const struct sim_partition *partition)
{
    return sim_topic_name(partition->topic);
}

static void take_batch(struct sim_watch *watch, const struct sim_partition *partition,
                       int64_t offset)
{
    const struct sim_record *record = &partition->records[offset];
    struct pool pool = {0};
    struct model_batch batch;
    bool is_retry = sim_topic_kind(partition->topic) == LEDGER_RETRY;
    model_batch_read(record->value, &watch->settings, is_retry, &pool, &batch);
    if (batch.code == NULL) {
        char name[256];
        struct span batch_id = batch.batch_id;
        if (span_is_absent(batch_id)) {
            (void)snprintf(name, sizeof name, "%s/%d/%lld@%lld", topic_of(partition),
                           (int)partition->number, (long long)offset,
                           (long long)record->timestamp_ms);
            batch_id = span_of_text(name);
        }
        struct sim_entry *entry = sim_table_provide(
            &watch->batches, hash_of_place(topic_of(partition), partition->number, offset));
        entry->first = hash_of_identity(batch.session_id, batch.client_id, batch_id);
        entry->second = is_retry ? batch.retry.attempt : 1;
    }
    pool_free(&pool);
}

static struct span text_in(const struct value *map, const char *key)
{
    const struct value *value = value_find(map, key);
    return value_is(value, VALUE_STR) ? value->text : (struct span){0};
}

static uint64_t number_in(const struct value *map, const char *key)
{
    uint64_t number = 0;
    (void)value_as_uint(value_find(map, key), &number);
    return number;
}

static void take_result(struct sim_watch *watch, const struct sim_record *record)
{
    struct pool pool = {0};
    const struct value *map = value_read(record->value, &pool);
    if (value_is(map, VALUE_MAP) && value_find(map, "error_code") == NULL) {
        uint64_t attempts = number_in(map, "attempts");
        uint64_t identity = hash_of_identity(text_in(map, "session_id"), text_in(map, "client_id"),
                                             text_in(map, "batch_id"));
        const struct value *source = value_find(map, "source");
        struct sim_entry *answer = sim_table_provide(&watch->answers, identity);
        answer->first = attempts > answer->first ? attempts : answer->first;
        uint64_t bytes = hash_of(record->value, 3);
        struct sim_entry *result = sim_table_provide(
            &watch->results,
            hash_of(source == NULL ? (struct span){0} : source->raw, identity + attempts));
        if (result->first != 0 && result->first != bytes && !watch->has_forgotten) {
            found(watch, "two results differ, of attempt %" PRIu64 " of batch '%.*s' in '%.*s'",
                  attempts, SPAN_ARGS(text_in(map, "batch_id")),
                  SPAN_ARGS(text_in(map, "session_id")));
        }
        result->first = bytes;
    }
    pool_free(&pool);
}

static void take_dead_letter(struct sim_watch *watch, const struct sim_record *record)
{
    struct span source = sim_record_header(record, "scenesync-source");
    (void)sim_table_provide(&watch->dead, hash_of(source, 4));
}

void sim_watch_appended(void *context, const struct sim_partition *partition, int64_t offset)
{
    struct sim_watch *watch = context;
    switch (sim_topic_kind(partition->topic)) {
    case LEDGER_OPS:
    case LEDGER_RETRY:
        take_batch(watch, partition, offset);
        break;
    case LEDGER_RESULTS:
        take_result(watch, &partition->records[offset]);
        break;
    case LEDGER_DEAD:
        take_dead_letter(watch, &partition->records[offset]);
        break;
    }
}

/* --- Offsets --- */

static bool is_dead(const struct sim_watch *watch, const struct sim_partition *partition,
                    int64_t offset)
{
    char source[128];
    (void)snprintf(source, sizeof source, "%s/%d/%lld", topic_of(partition), (int)partition->number,
                   (long long)offset);
    return sim_table_find(&watch->dead, hash_of(span_of_text(source), 4)) != NULL;
}

static bool is_answered(const struct sim_watch *watch, const struct sim_partition *partition,
                        int64_t offset)
{
    const struct sim_entry *batch = sim_table_find(
        &watch->batches, hash_of_place(topic_of(partition), partition->number, offset));
    const struct sim_entry *answer =
        batch == NULL ? NULL : sim_table_find(&watch->answers, batch->first);
    bool is_told = answer != NULL && answer->first >= batch->second;
    return is_told || is_dead(watch, partition, offset);
}

void sim_watch_offset(void *context, const struct sim_partition *partition, int64_t from,
                      int64_t to)
{
    struct sim_watch *watch = context;
    /* A retry of what the store forgot is nobody's: the batch itself comes again. */
    bool is_exempt = watch->has_forgotten && sim_topic_kind(partition->topic) == LEDGER_RETRY;
    for (int64_t offset = from; offset < to && !is_exempt; offset++) {
        if (!is_answered(watch, partition, offset)) {
            found(watch, "%s/%d: offset %lld is committed, record %lld is not answered",
                  topic_of(partition), (int)partition->number, (long long)to, (long long)offset);
        }
    }
}

/* --- Commits --- */

static bool read_number(struct span bytes, size_t *at, uint64_t *number)
{
    if (*at >= bytes.size) {
        return false;
    }
    uint8_t first = bytes.data[(*at)++];
    size_t size = 0;
    *number = first;
    if (first >= 0xcc && first <= 0xcf) {
        size = (size_t)1 << (first - 0xcc);
        *number = 0;
    } else if (first > 0x7f) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (*at >= bytes.size) {
            return false;
        }
        *number = *number << 8 | bytes.data[(*at)++];
    }
    return true;
}

/* The value begins with an array's head, the version, the timestamp. */
static bool read_element(const struct element_write *element, uint64_t *version,
                         uint64_t *timestamp_ms)
{
    uint8_t bytes[NUMBER_BYTES];
    size_t size = element->head.size < sizeof bytes ? element->head.size : sizeof bytes;
    memcpy(bytes, element->head.data, size);
    size_t at = 1;
    return size > 0 && (bytes[0] & 0xf0) == 0x90 &&
           read_number(span_make(bytes, size), &at, version) &&
           read_number(span_make(bytes, size), &at, timestamp_ms);
}

static void take_element(struct sim_watch *watch, const struct scene_commit *commit,
                         const struct element_write *element)
{
    uint64_t version = 0;
    uint64_t timestamp_ms = 0;
    if (!read_element(element, &version, &timestamp_ms)) {
        found(watch, "element '%.*s' of '%.*s' is written and cannot be read",
              SPAN_ARGS(element->id), SPAN_ARGS(commit->session_id));
        return;
    }
    struct sim_entry *known =
        sim_table_provide(&watch->elements, hash_of(element->id, hash_of(commit->session_id, 5)));
    if (version <= known->first || version > commit->version || timestamp_ms < known->second) {
        found(watch,
              "element '%.*s' of '%.*s' goes from version %" PRIu64 " at %" PRIu64
              " to version %" PRIu64 " at %" PRIu64 ", the scene to version %" PRIu64,
              SPAN_ARGS(element->id), SPAN_ARGS(commit->session_id), known->first, known->second,
              version, timestamp_ms, commit->version);
    }
    known->first = version;
    known->second = timestamp_ms;
}

void sim_watch_commit(void *context, const struct scene_commit *commit)
{
    struct sim_watch *watch = context;
    if (!commit->checked) {
        return; /* records of a failure: the scene stays as it is */
    }
    struct sim_entry *known = sim_table_provide(&watch->scenes, hash_of(commit->session_id, 6));
    if (commit->version < known->first ||
        (commit->version == known->first && commit->element_count > 0)) {
        found(watch, "scene '%.*s' goes from version %" PRIu64 " to %" PRIu64,
              SPAN_ARGS(commit->session_id), known->first, commit->version);
    }
    known->first = commit->version;
    for (size_t i = 0; i < commit->element_count; i++) {
        take_element(watch, commit, &commit->elements[i]);
    }
}
