/* Records and fields, read and sorted (inside.h). */
#include <stdlib.h>

#include "tests/ledger/inside.h"

int order_spans(struct span a, struct span b)
{
    const size_t shorter = a.size < b.size ? a.size : b.size;
    const int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int order_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int order_places(const struct place *a, const struct place *b)
{
    int order = order_spans(a->topic, b->topic);
    order = order != 0 ? order : order_numbers(a->partition, b->partition);
    return order != 0 ? order : order_numbers(a->offset, b->offset);
}

int order_identities(const struct identity *a, const struct identity *b)
{
    int order = order_spans(a->session_id, b->session_id);
    order = order != 0 ? order : order_spans(a->client_id, b->client_id);
    return order != 0 ? order : order_spans(a->batch_id, b->batch_id);
}

size_t list_find(const struct list *list, const void *key,
                 int (*order)(const void *item, const void *key))
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const void *const item = (const uint8_t *)list->items + middle * list->item_size;
        if (order(item, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Items whose first member is an identity. */
static int identity_order(const void *item, const void *key)
{
    return order_identities(item, key);
}

size_t list_find_identity(const struct list *list, const struct identity *identity)
{
    return list_find(list, identity, identity_order);
}

static int session_order(const void *item, const void *key)
{
    const struct identity *const identity = item;
    const struct span *const session_id = key;
    return order_spans(identity->session_id, *session_id);
}

size_t list_find_session(const struct list *list, struct span session_id)
{
    return list_find(list, &session_id, session_order);
}

/* Items whose first member is a place, their source. */
static int source_order(const void *item, const void *key)
{
    return order_places(item, key);
}

size_t list_find_source(const struct list *list, const struct place *source)
{
    return list_find(list, source, source_order);
}

static int delivery_order(const void *left, const void *right)
{
    const struct delivery *const a = left;
    const struct delivery *const b = right;
    const int order = order_identities(&a->identity, &b->identity);
    return order != 0 ? order : order_places(&a->place, &b->place);
}

static int result_order(const void *left, const void *right)
{
    const struct result *const a = left;
    const struct result *const b = right;
    int order = order_identities(&a->identity, &b->identity);
    order = order != 0 ? order : order_places(&a->source, &b->source);
    order = order != 0 ? order : (a->attempts > b->attempts) - (a->attempts < b->attempts);
    return order != 0 ? order : order_places(&a->place, &b->place);
}

static int refusal_order(const void *left, const void *right)
{
    const struct refusal *const a = left;
    const struct refusal *const b = right;
    const int order = order_places(&a->source, &b->source);
    return order != 0 ? order : order_places(&a->place, &b->place);
}

static int requeue_order(const void *left, const void *right)
{
    const struct requeue *const a = left;
    const struct requeue *const b = right;
    int order = order_identities(&a->identity, &b->identity);
    order = order != 0 ? order : order_places(&a->source, &b->source);
    order = order != 0 ? order : (a->attempt > b->attempt) - (a->attempt < b->attempt);
    return order != 0 ? order : order_places(&a->place, &b->place);
}

static int dead_order(const void *left, const void *right)
{
    const struct dead_letter *const a = left;
    const struct dead_letter *const b = right;
    const int order = order_places(&a->source, &b->source);
    return order != 0 ? order : order_places(&a->place, &b->place);
}

static int memory_order(const void *left, const void *right)
{
    const struct memory *const a = left;
    const struct memory *const b = right;
    return order_identities(&a->identity, &b->identity);
}

static int field_order(const void *left, const void *right)
{
    const struct field *const a = left;
    const struct field *const b = right;
    const int order = order_spans(a->session_id, b->session_id);
    return order != 0 ? order : order_numbers(a->key, b->key);
}

static void sort(struct list *list, int (*order)(const void *left, const void *right))
{
    if (list->count > 1) {
        qsort(list->items, list->count, list->item_size, order);
    }
}

struct text text_of_identity(const struct identity *identity)
{
    struct text text;
    (void)snprintf(text.bytes, sizeof(text.bytes), "batch '%.*s' of client '%.*s' in scene '%.*s'",
                   SPAN_ARGS(identity->batch_id), SPAN_ARGS(identity->client_id),
                   SPAN_ARGS(identity->session_id));
    return text;
}

struct text text_of_place(const struct place *place)
{
    struct text text;
    (void)snprintf(text.bytes, sizeof(text.bytes), "%.*s/%lld/%lld", SPAN_ARGS(place->topic),
                   (long long)place->partition, (long long)place->offset);
    return text;
}

struct text text_of_story(const struct story *story)
{
    struct text text;
    (void)snprintf(
        text.bytes, sizeof(text.bytes), "batch '%.*s' (client '%.*s', scene '%.*s', %.200s)",
        (int)(story->identity.batch_id.size > 100 ? 100 : story->identity.batch_id.size),
        (const char *)story->identity.batch_id.data, SPAN_ARGS(story->identity.client_id),
        SPAN_ARGS(story->identity.session_id), text_of_place(&story->delivery->place).bytes);
    return text;
}

struct span find_header(const struct ledger_record *record, const char *name)
{
    for (size_t i = record->header_count; i > 0; i--) { /* the last one counts */
        if (strcmp(record->headers[i - 1].name, name) == 0) {
            return record->headers[i - 1].value;
        }
    }
    return (struct span){0};
}

bool is_header(const struct ledger_record *record, const char *name, const char *value)
{
    const struct span found_value = find_header(record, name);
    return !span_is_absent(found_value) && span_equal_text(found_value, value);
}

static struct place place_of(const struct ledger_record *record)
{
    return (struct place){.topic = span_of_text(record->topic_name),
                          .partition = record->partition,
                          .offset = record->offset};
}

static struct identity keep_identity(struct ledger *ledger, const struct model_batch *batch)
{
    return (struct identity){.session_id = pool_copy(&ledger->pool, batch->session_id),
                             .client_id = pool_copy(&ledger->pool, batch->client_id),
                             .batch_id = pool_copy(&ledger->pool, batch->batch_id)};
}

/* What a batch is called that has no name. */
static struct span assigned_batch_id(struct ledger *ledger, const struct ledger_record *record)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "%s/%d/%lld@%lld", record->topic_name,
                   (int)record->partition, (long long)record->offset,
                   (long long)record->timestamp_ms);
    return pool_copy(&ledger->pool, span_of_text(text));
}

static void read_delivery(struct ledger *ledger, const struct ledger_record *record)
{
    struct pool pool = {0};
    struct model_batch batch;
    model_batch_read(record->value, &ledger->settings, false, &pool, &batch);
    struct delivery *const delivery =
        list_add(batch.code == NULL ? &ledger->deliveries : &ledger->refused);
    delivery->place = place_of(record);
    delivery->record = record;
    delivery->code = batch.code;
    delivery->identity = keep_identity(ledger, &batch);
    if (span_is_absent(batch.batch_id)) {
        delivery->identity.batch_id = assigned_batch_id(ledger, record);
    }
    delivery->operations = pool_copy(&ledger->pool, batch.operations_raw);
    delivery->operation_count = batch.operation_count;
    pool_free(&pool);
}

static uint64_t uint_of(const struct value *map, const char *key)
{
    uint64_t number = 0;
    (void)value_as_uint(value_find(map, key), &number);
    return number;
}

static struct span text_in(struct ledger *ledger, const struct value *map, const char *key)
{
    const struct value *const value = value_find(map, key);
    return value_is(value, VALUE_STR) ? pool_copy(&ledger->pool, value->text) : (struct span){0};
}

static struct place source_in(struct ledger *ledger, const struct value *map)
{
    const struct value *const source = value_find(map, "source");
    return (struct place){.topic = text_in(ledger, source, "topic"),
                          .partition = (int64_t)uint_of(source, "partition"),
                          .offset = (int64_t)uint_of(source, "offset")};
}

static void read_refusal(struct ledger *ledger, const struct ledger_record *record,
                         const struct value *map)
{
    struct refusal *const refusal = list_add(&ledger->refusals);
    refusal->source = source_in(ledger, map);
    refusal->place = place_of(record);
    refusal->code = text_in(ledger, map, "error_code");
    refusal->record = record;
}

static void read_accepted(struct ledger *ledger, const struct ledger_record *record,
                          const struct value *map)
{
    struct result *const result = list_add(&ledger->results);
    const struct value *const final = value_find(map, "final");
    result->identity = (struct identity){.session_id = text_in(ledger, map, "session_id"),
                                         .client_id = text_in(ledger, map, "client_id"),
                                         .batch_id = text_in(ledger, map, "batch_id")};
    result->source = source_in(ledger, map);
    result->place = place_of(record);
    result->attempts = uint_of(map, "attempts");
    result->scene_version = uint_of(map, "scene_version");
    result->is_final = value_is(final, VALUE_BOOL) && final->boolean;
    result->is_replay = is_header(record, "scenesync-replay", "1");
    result->record = record;
    ledger->counts.replayed_results += result->is_replay;
}

static void read_result(struct ledger *ledger, const struct ledger_record *record)
{
    struct pool pool = {0};
    const struct value *const map = value_read(record->value, &pool);
    ledger->counts.results++;
    if (!value_is(map, VALUE_MAP)) {
        const struct place place = place_of(record);
        found(ledger, FINDING_DIFFERING, "result at %s: not a MessagePack map",
              text_of_place(&place).bytes);
    } else if (value_find(map, "error_code") != NULL) {
        read_refusal(ledger, record, map);
    } else {
        read_accepted(ledger, record, map);
    }
    pool_free(&pool);
}

static void read_requeue(struct ledger *ledger, const struct ledger_record *record)
{
    struct pool pool = {0};
    struct model_batch batch;
    model_batch_read(record->value, &ledger->settings, true, &pool, &batch);
    struct requeue *const requeue = list_add(&ledger->requeues);
    requeue->place = place_of(record);
    requeue->record = record;
    requeue->code = batch.code;
    requeue->identity = keep_identity(ledger, &batch);
    if (batch.code == NULL) {
        requeue->attempt = batch.retry.attempt;
        requeue->source =
            (struct place){.topic = pool_copy(&ledger->pool, batch.retry.source_topic),
                           .partition = (int64_t)batch.retry.source_partition,
                           .offset = (int64_t)batch.retry.source_offset};
    }
    ledger->counts.requeues++;
    pool_free(&pool);
}

/* The digits at the text's end, and what stands before the character in front of them. */
static bool cut_number(struct span *text, char separator, int64_t *number)
{
    size_t at = text->size;
    uint64_t scale = 1;
    uint64_t sum = 0;
    while (at > 0 && text->data[at - 1] >= '0' && text->data[at - 1] <= '9' &&
           text->size - at < 18) {
        sum += scale * (uint64_t)(text->data[at - 1] - '0');
        scale *= 10;
        at--;
    }
    if (at == text->size || at == 0 || text->data[at - 1] != (uint8_t)separator) {
        return false;
    }
    *number = (int64_t)sum;
    text->size = at - 1;
    return true;
}

/* "<topic>/<partition>/<offset>" */
static bool read_place(struct span text, struct place *place)
{
    if (span_is_absent(text) || !cut_number(&text, '/', &place->offset) ||
        !cut_number(&text, '/', &place->partition)) {
        return false;
    }
    place->topic = text;
    return true;
}

static void read_dead_letter(struct ledger *ledger, const struct ledger_record *record)
{
    struct dead_letter *const dead = list_add(&ledger->dead);
    dead->place = place_of(record);
    dead->record = record;
    dead->code = find_header(record, "scenesync-error-code");
    dead->is_of_operations = !span_is_absent(find_header(record, "scenesync-batch-id"));
    (void)read_place(find_header(record, "scenesync-source"), &dead->source);
    ledger->counts.dead_letters++;
}

/* "<batch_id> <client_id>" */
static struct identity identity_of_field(const struct field *field)
{
    struct identity identity = {.session_id = field->session_id, .batch_id = field->name};
    const uint8_t *const blank =
        field->name.size == 0 ? NULL : memchr(field->name.data, ' ', field->name.size);
    if (blank != NULL) {
        identity.batch_id.size = (size_t)(blank - field->name.data);
        identity.client_id = span_make(blank + 1, field->name.size - identity.batch_id.size - 1);
    }
    return identity;
}

/* "<attempt> <topic>/<partition> <offset>\n" and an array; the attempt is all that is needed of the
 * head. */
static bool read_memory_value(struct ledger *ledger, struct span value, struct memory *memory)
{
    struct pool pool = {0};
    const uint8_t *const end = value.size == 0 ? NULL : memchr(value.data, '\n', value.size);
    const size_t head_size = end == NULL ? 0 : (size_t)(end - value.data);
    for (size_t i = 0; i < head_size && value.data[i] >= '0' && value.data[i] <= '9'; i++) {
        memory->attempt = memory->attempt * 10 + (uint64_t)(value.data[i] - '0');
    }
    const struct value *const list =
        end == NULL ? NULL : value_read(span_make(end + 1, value.size - head_size - 1), &pool);
    const bool is_list = value_is(list, VALUE_ARRAY) && list->count == 4;
    const struct value *const arrival = is_list ? list->first->next : NULL;
    const bool is_read =
        is_list && value_as_uint(arrival, &memory->arrival_ms) && list->last->type == VALUE_MAP;
    if (is_read) {
        memory->result = list->last->raw;
        memory->source = source_in(ledger, list->last);
        memory->scene_version = uint_of(list->last, "scene_version");
    }
    pool_free(&pool);
    return is_read;
}

static void read_memory(struct ledger *ledger, const struct field *field)
{
    struct memory *const memory = list_add(&ledger->memories);
    memory->identity = identity_of_field(field);
    memory->is_pending = field->key == LEDGER_PENDING;
    if (!read_memory_value(ledger, field->value, memory)) {
        found(ledger, FINDING_DIFFERING, "the record of %s cannot be read",
              text_of_identity(&memory->identity).bytes);
        ledger->memories.count--;
    }
}

static void read_records(struct ledger *ledger, enum ledger_topic topic,
                         void (*read)(struct ledger *ledger, const struct ledger_record *record))
{
    struct ledger_record *const *const records = ledger->records[topic].items;
    for (size_t i = 0; i < ledger->records[topic].count; i++) {
        read(ledger, records[i]);
    }
}

void read_everything(struct ledger *ledger)
{
    read_records(ledger, LEDGER_OPS, read_delivery);
    read_records(ledger, LEDGER_RESULTS, read_result);
    read_records(ledger, LEDGER_RETRY, read_requeue);
    read_records(ledger, LEDGER_DEAD, read_dead_letter);
    const struct field *const fields = ledger->fields.items;
    for (size_t i = 0; i < ledger->fields.count; i++) {
        if (fields[i].key == LEDGER_BATCHES || fields[i].key == LEDGER_PENDING) {
            read_memory(ledger, &fields[i]);
        }
    }
    sort(&ledger->deliveries, delivery_order);
    sort(&ledger->refused, delivery_order);
    sort(&ledger->results, result_order);
    sort(&ledger->refusals, refusal_order);
    sort(&ledger->requeues, requeue_order);
    sort(&ledger->dead, dead_order);
    sort(&ledger->memories, memory_order);
    sort(&ledger->fields, field_order);
}
