#include "store/record.h"

#include <xxhash.h>

#include "protocol/decimal.h"
#include "protocol/pack.h"
#include "protocol/partition_name.h"
#include "store/record_head.h"

struct record_fingerprint record_fingerprint_of(struct span operations_raw)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(operations_raw.data, operations_raw.size));
    struct record_fingerprint fingerprint;
    _Static_assert(sizeof(canonical.digest) == RECORD_FINGERPRINT_BYTES, "128 bits");
    memcpy(fingerprint.bytes, canonical.digest, sizeof(fingerprint.bytes));
    return fingerprint;
}

struct span record_field(const struct batch *batch, const struct source *source, bool by_source,
                         struct arena *arena)
{
    char origin[PARTITION_NAME_PLACE_BYTES_MAX + 1];
    size_t origin_size = 0;
    if (by_source) {
        origin_size = partition_name_write_place(source, origin);
        origin[origin_size++] = ' ';
    }
    size_t size = batch->batch_id.size + 1 + origin_size + batch->client_id.size;
    uint8_t *field = arena_alloc(arena, size);
    if (field == NULL) {
        return (struct span){0};
    }
    uint8_t *at = field;
    memcpy(at, batch->batch_id.data, batch->batch_id.size);
    at += batch->batch_id.size;
    *at++ = ' ';
    memcpy(at, origin, origin_size);
    at += origin_size;
    if (batch->client_id.size > 0) {
        memcpy(at, batch->client_id.data, batch->client_id.size);
    }
    return span_make(field, size);
}

/* "<attempt> <topic>/<partition> <offset>\n" */
static void encode_head(const struct batch_record *record, struct buffer *out)
{
    char head[DECIMAL_BYTES_MAX + 1 + PARTITION_NAME_BYTES_MAX + 1 + DECIMAL_BYTES_MAX + 1];
    size_t size = decimal_write(record->attempt, head);
    head[size++] = ' ';
    size += partition_name_write(record->delivery.topic, record->delivery.partition, head + size);
    head[size++] = ' ';
    size += decimal_write_signed(record->delivery.offset, head + size);
    head[size++] = '\n';
    buffer_append(out, head, size);
}

size_t record_encode(const struct batch_record *record, struct buffer *out)
{
    encode_head(record, out);
    pack_array(out, 4);
    pack_bin(out, span_make(record->fingerprint.bytes, RECORD_FINGERPRINT_BYTES));
    pack_uint(out, record->arrival_ms);
    pack_array(out, record->pending_count);
    for (uint32_t i = 0; i < record->pending_count; i++) {
        pack_uint(out, record->pending_indexes[i]);
    }
    size_t result_at = out->size;
    sync_result_encode(&record->result, BODIES_MARKED, 0, out);
    return result_at;
}

static bool refuse(struct error *error, const char *what)
{
    return error_set(error, ERROR_STORE_ERROR, "the stored batch record is broken: %s", what);
}

/* The first line: the attempt, and the delivery that made it. */
static bool head_decode(struct span value, struct batch_record *out, struct span *packed)
{
    struct record_head head;
    if (!record_head_decode(value, &head) || head.attempt == 0) {
        return false;
    }
    struct span name = head.partition_name;
    const uint8_t *slash = memchr(name.data, '/', name.size); /* a topic's name has none */
    uint64_t partition = 0;
    if (slash == NULL) {
        return false;
    }
    size_t topic_bytes = (size_t)(slash - name.data);
    if (topic_bytes > PARTITION_NAME_TOPIC_BYTES_MAX ||
        !decimal_read(span_make(slash + 1, name.size - topic_bytes - 1), INT32_MAX, &partition)) {
        return false;
    }
    out->attempt = head.attempt;
    out->delivery = (struct source){
        .topic = span_make(name.data, topic_bytes),
        .partition = (int32_t)partition,
        .offset = (int64_t)head.offset,
    };
    *packed = head.rest;
    return true;
}

static bool pending_decode(struct wire_cursor *cursor, struct arena *arena,
                           struct batch_record *out, struct error *error)
{
    struct wire_value list = wire_read(cursor);
    if (list.type != WIRE_ARRAY) {
        return refuse(error, "no list of pending operations");
    }
    uint32_t *indexes = arena_alloc_array(arena, list.count, sizeof(uint32_t));
    if (indexes == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a batch record");
    }
    for (uint32_t i = 0; i < list.count; i++) {
        struct wire_value item = wire_read(cursor);
        uint64_t index = 0;
        if (!wire_as_uint(&item, &index) || index > UINT32_MAX) {
            return refuse(error, "a pending index is no number");
        }
        indexes[i] = (uint32_t)index;
    }
    out->pending_indexes = indexes;
    out->pending_count = list.count;
    return true;
}

/* A requeue is made from the result's pending failures: they, their count and the list of indexes
 * must agree, whoever wrote the record. */
static bool pending_is_consistent(const struct batch_record *record)
{
    const struct sync_result *result = &record->result;
    uint32_t count = 0;
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        const struct failure_entry *entry = &result->failures[i];
        if (!entry->pending) {
            continue;
        }
        if (count == record->pending_count || record->pending_indexes[count] != entry->index) {
            return false;
        }
        count++;
    }
    return count == record->pending_count && count == result->pending_count;
}

bool record_decode(struct span value, struct arena *arena, struct batch_record *out,
                   struct error *error)
{
    struct batch_record record = {0};
    struct span packed;
    if (!head_decode(value, &record, &packed)) {
        return refuse(error, "its first line is not '<attempt> <topic>/<partition> <offset>'");
    }
    struct wire_structure structure;
    if (!wire_check_structure(packed, &structure, NULL)) {
        return refuse(error, "not MessagePack");
    }
    struct wire_cursor cursor = wire_cursor_of(packed);
    struct wire_value head = wire_read(&cursor);
    if (head.type != WIRE_ARRAY || head.count != 4) {
        return refuse(error, "not an array of 4");
    }
    struct wire_value fingerprint = wire_peek(wire_skip(&cursor));
    if (fingerprint.type != WIRE_BIN || fingerprint.body.size != RECORD_FINGERPRINT_BYTES) {
        return refuse(error, "no fingerprint");
    }
    memcpy(record.fingerprint.bytes, fingerprint.body.data, RECORD_FINGERPRINT_BYTES);
    struct wire_value arrival = wire_peek(wire_skip(&cursor));
    if (!wire_as_uint(&arrival, &record.arrival_ms)) {
        return refuse(error, "no arrival");
    }
    if (!pending_decode(&cursor, arena, &record, error)) {
        return false;
    }
    struct error cause;
    if (!sync_result_decode(wire_skip(&cursor), arena, &record.result, &cause)) {
        if (cause.code == ERROR_OUT_OF_MEMORY) {
            *error = cause;
            return false;
        }
        return refuse(error, cause.message);
    }
    if (!pending_is_consistent(&record)) {
        return refuse(error, "its pending operations are not those of its result");
    }
    *out = record;
    return true;
}

/* The bytes of the operation with this original index among those at hand. */
static struct body body_at_hand(uint32_t index, const struct batch *batch)
{
    uint32_t low = 0;
    uint32_t high = batch->operation_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (batch->operations[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < batch->operation_count && batch->operations[low].index == index) {
        return (struct body){.kind = BODY_PRESENT, .raw = batch->operations[low].raw};
    }
    return (struct body){.kind = BODY_ABSENT};
}

/* The same among the failures that an earlier attempt settled. */
static struct body body_settled(uint32_t index, const struct retry_section *retry)
{
    uint32_t low = 0;
    uint32_t high = retry == NULL ? 0 : retry->failure_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (retry->failures[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (retry != NULL && low < retry->failure_count && retry->failures[low].index == index) {
        return retry->failures[low].body;
    }
    return (struct body){.kind = BODY_ABSENT};
}

static struct body body_of(uint32_t index, const struct batch *batch)
{
    struct body body = body_at_hand(index, batch);
    return body.kind == BODY_PRESENT ? body : body_settled(index, batch->retry);
}

static void refill(struct body *body, uint32_t index, const struct batch *batch, bool *truncated)
{
    if (body->kind == BODY_MARKED) {
        *body = body_of(index, batch);
        *truncated = *truncated || body->kind == BODY_ABSENT;
    }
}

void record_refill_bodies(struct sync_result *result, const struct batch *batch)
{
    for (uint32_t i = 0; i < result->conflict_entry_count; i++) {
        struct conflict_entry *entry = &result->conflicts[i];
        refill(&entry->body, entry->index, batch, &result->truncated);
    }
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        struct failure_entry *entry = &result->failures[i];
        refill(&entry->body, entry->index, batch, &result->truncated);
    }
}
