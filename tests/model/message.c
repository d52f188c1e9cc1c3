/* Section 2: the order of checks, and the batch that passes them (model.h). */
#include "tests/model/model.h"

static const struct {
    const char *snake, *camel;
} strategy_names[] = {
    [MODEL_LAST_WRITE_WINS] = {"last_write_wins", "LastWriteWins"},
    [MODEL_LOCAL_WINS] = {"local_wins", "LocalWins"},
    [MODEL_REMOTE_WINS] = {"remote_wins", "RemoteWins"},
    [MODEL_MERGE] = {"merge", "Merge"},
};

const char *model_strategy_name(enum model_strategy strategy)
{
    return strategy_names[strategy].snake;
}

bool model_strategy_read(struct span name, enum model_strategy *strategy)
{
    for (unsigned i = 0; i <= MODEL_MERGE; i++) {
        if (span_equal_text(name, strategy_names[i].snake) ||
            span_equal_text(name, strategy_names[i].camel)) {
            *strategy = (enum model_strategy)i;
            return true;
        }
    }
    return false;
}

struct model_settings model_settings_default(void)
{
    return (struct model_settings){
        .strategy = MODEL_LAST_WRITE_WINS,
        .allow_batch_strategy = true,
        .retries_max = 3,
        .message_bytes_max = 1 << 20,
        .operations_max = 10000,
        .element_bytes_max = 1 << 20,
        .text_bytes_max = 1 << 20,
        .elements_max = 10000,
        .depth_max = 24,
    };
}

static bool is_made_of(struct span text, size_t size_max, const char *others)
{
    for (size_t i = 0; i < text.size; i++) {
        const char byte = (char)text.data[i];
        const bool is_alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                                     (byte >= '0' && byte <= '9');
        if (!is_alphanumeric && (byte == '\0' || strchr(others, byte) == NULL)) {
            return false;
        }
    }
    return text.size >= 1 && text.size <= size_max;
}

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 36 };

static bool is_dash_place(size_t place)
{
    return place == 8 || place == 13 || place == 18 || place == 23;
}

static bool is_uuid_text(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char byte = (char)text.data[i];
        const bool is_hex = (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F') ||
                            (byte >= '0' && byte <= '9');
        if (is_dash_place(i) ? byte != '-' : !is_hex) {
            return false;
        }
    }
    return text.size == UUID_TEXT_BYTES;
}

static struct span lower_cased(struct span text, struct pool *pool)
{
    uint8_t *const lower = pool_alloc(pool, text.size);
    for (size_t i = 0; i < text.size; i++) {
        const bool is_upper = text.data[i] >= 'A' && text.data[i] <= 'Z';
        lower[i] = (uint8_t)(text.data[i] + (is_upper ? 'a' - 'A' : 0));
    }
    return span_make(lower, text.size);
}

static struct span uuid_of_bytes(struct span bytes, struct pool *pool)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *const text = pool_alloc(pool, UUID_TEXT_BYTES);
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        if (is_dash_place(size)) {
            text[size++] = '-';
        }
        text[size++] = (uint8_t)digits[bytes.data[i] >> 4];
        text[size++] = (uint8_t)digits[bytes.data[i] & 0x0f];
    }
    return span_make(text, size);
}

/* A str of these characters or a bin of 16 bytes, as text; a UUID in lower case. */
static bool read_identity(const struct value *value, size_t size_max, const char *others,
                          struct pool *pool, struct span *out)
{
    if (value_is(value, VALUE_BIN) && value->text.size == UUID_BYTES) {
        *out = uuid_of_bytes(value->text, pool);
        return true;
    }
    if (!value_is(value, VALUE_STR) || !is_made_of(value->text, size_max, others)) {
        return false;
    }
    *out = is_uuid_text(value->text) ? lower_cased(value->text, pool) : value->text;
    return true;
}

bool model_id_read(const struct value *value, struct pool *pool, struct span *id)
{
    return read_identity(value, 64, "-_", pool, id);
}

static const char *read_session_id(const struct value *map, struct model_batch *batch)
{
    const struct value *const value = value_find_given(map, "session_id");
    if (value == NULL) {
        return "missing_field";
    }
    if (value->type != VALUE_STR) {
        return "wrong_type";
    }
    if (!is_made_of(value->text, 64, "-_")) {
        return "invalid_value";
    }
    batch->session_id = value->text;
    return NULL;
}

static const char *read_batch_id(const struct value *map, struct pool *pool,
                                 struct model_batch *batch)
{
    const struct value *const value = value_find_given(map, "batch_id");
    if (value == NULL) {
        return NULL;
    }
    if (value->type != VALUE_STR && value->type != VALUE_BIN) {
        return "wrong_type";
    }
    return read_identity(value, 320, "-_.:/@", pool, &batch->batch_id) ? NULL : "invalid_value";
}

static const char *read_client_id(const struct value *map, struct model_batch *batch)
{
    const struct value *const value = value_find_given(map, "client_id");
    if (value == NULL) {
        return NULL;
    }
    if (value->type != VALUE_STR) {
        return "wrong_type";
    }
    if (value->text.size < 1 || value->text.size > 64 || !span_is_utf8(value->text)) {
        return "invalid_value";
    }
    batch->client_id = value->text;
    return NULL;
}

static const char *read_strategy(const struct value *map, const struct model_settings *settings,
                                 bool from_retry_topic, struct model_batch *batch)
{
    const struct value *const value = value_find_given(map, "strategy");
    enum model_strategy strategy = settings->strategy;
    if (value != NULL && value->type != VALUE_STR) {
        return "wrong_type";
    }
    if (value != NULL && !model_strategy_read(value->text, &strategy)) {
        return "invalid_value";
    }
    const bool is_used = settings->allow_batch_strategy || from_retry_topic;
    batch->strategy = is_used ? strategy : settings->strategy;
    return NULL;
}

static const char *read_operations(const struct value *map, const struct value **operations)
{
    const struct value *const value = value_find(map, "operations");
    if (value == NULL) {
        return "missing_field";
    }
    if (value->type != VALUE_NIL && value->type != VALUE_ARRAY) {
        return "wrong_type";
    }
    *operations = value;
    return NULL;
}

static bool read_place(const struct value *source, struct model_retry *retry)
{
    const struct value *const topic = value_find(source, "topic");
    if (!value_is(topic, VALUE_STR)) {
        return false;
    }
    retry->source_topic = topic->text;
    return value_as_uint(value_find(source, "partition"), &retry->source_partition) &&
           value_as_uint(value_find(source, "offset"), &retry->source_offset);
}

static bool read_retry(const struct value *section, struct model_retry *retry)
{
    retry->indexes = value_find(section, "indexes");
    retry->attempt_versions = value_find(section, "attempt_versions");
    retry->conflicts = value_find(section, "conflicts");
    retry->failed_operations = value_find(section, "failed_operations");
    return value_as_uint(value_find(section, "attempt"), &retry->attempt) &&
           value_as_uint(value_find(section, "not_before"), &retry->not_before_ms) &&
           value_as_uint(value_find(section, "arrival"), &retry->arrival_ms) &&
           value_as_uint(value_find(section, "total"), &retry->total) &&
           value_as_uint(value_find(section, "synced_count"), &retry->synced_count) &&
           value_as_uint(value_find(section, "clamped_count"), &retry->clamped_count) &&
           read_place(value_find(section, "source"), retry) &&
           value_is(retry->indexes, VALUE_ARRAY) && value_is(retry->conflicts, VALUE_ARRAY) &&
           value_is(retry->attempt_versions, VALUE_ARRAY) &&
           value_is(retry->failed_operations, VALUE_ARRAY);
}

static const char *check_retry(const struct value *map, bool from_retry_topic,
                               struct model_batch *batch)
{
    const struct value *const section = value_find_given(map, "retry");
    if (!from_retry_topic) {
        return section == NULL ? NULL : "invalid_value";
    }
    return read_retry(section, &batch->retry) ? NULL : "invalid_retry";
}

/* Keys that are no strs are refused for that, whether they stand twice or not. */
static bool has_key_twice(const struct value *map)
{
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        if (member->key->type == VALUE_STR && value_find_span(map, member->key->text) != member) {
            return true;
        }
    }
    return false;
}

static const char *check_version(const struct value *map)
{
    const struct value *const version = value_find_given(map, "v");
    uint64_t number = 1;
    const bool is_number = version == NULL || value_as_uint(version, &number);
    return is_number && number == 1 ? NULL : "unsupported_version";
}

static const char *check_keys(const struct value *map)
{
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        if (member->key->type != VALUE_STR || !span_is_utf8(member->key->text)) {
            return "wrong_type";
        }
        if (span_equal_text(member->key->text, "__proto__")) {
            return "invalid_value";
        }
    }
    return NULL;
}

static void read_each_operation(const struct value *operations,
                                const struct model_settings *settings, struct pool *pool,
                                struct model_batch *batch)
{
    batch->operations_raw = operations->type == VALUE_NIL ? span_of_text("\x90") : operations->raw;
    batch->operations = pool_alloc(pool, operations->count * sizeof(*batch->operations));
    for (const struct value *item = operations->first; item != NULL; item = item->next) {
        model_operation_read(item, settings, pool, &batch->operations[batch->operation_count++]);
    }
}

static const char *check_envelope(struct span message, const struct model_settings *settings,
                                  bool from_retry_topic, struct pool *pool, struct value **map)
{
    size_t size = 0;
    uint32_t depth = 0;
    if (message.size > settings->message_bytes_max) {
        return "too_large";
    }
    if (message.size == 0 || !value_measure(message, &size, &depth) || size != message.size) {
        return "not_messagepack";
    }
    *map = value_read(message, pool);
    if ((*map)->type != VALUE_MAP) {
        return "not_a_map";
    }
    return depth > settings->depth_max + (from_retry_topic ? 4 : 2) ? "too_deep" : NULL;
}

static const char *check_map(const struct value *map, const struct model_settings *settings,
                             bool from_retry_topic, struct pool *pool, struct model_batch *batch)
{
    const struct value *operations = NULL;
    const char *code = has_key_twice(map) ? "duplicate_key" : NULL;
    code = code != NULL ? code : check_version(map);
    code = code != NULL ? code : check_keys(map);
    code = code != NULL ? code : read_session_id(map, batch);
    code = code != NULL ? code : read_batch_id(map, pool, batch);
    code = code != NULL ? code : read_client_id(map, batch);
    code = code != NULL ? code : read_strategy(map, settings, from_retry_topic, batch);
    code = code != NULL ? code : read_operations(map, &operations);
    code = code != NULL ? code : check_retry(map, from_retry_topic, batch);
    if (code == NULL && operations->count > settings->operations_max) {
        code = "too_many_operations";
    }
    if (code == NULL) {
        read_each_operation(operations, settings, pool, batch);
    }
    return code;
}

/* Whether a key stands twice with different values: then nobody knows which one is meant. */
static bool is_ambiguous(const struct value *map, const char *key)
{
    const struct value *first = NULL;
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        if (!value_is_text(member->key, key)) {
            continue;
        }
        if (first != NULL && !span_equal(first->raw, member->raw)) {
            return true;
        }
        first = member;
    }
    return false;
}

/* Who a refused batch's result goes to: whatever can be read, however damaged the rest is. */
static void read_identity_of_refused(struct span message, struct pool *pool,
                                     struct model_batch *batch)
{
    const struct value *const map = value_read_prefix(message, pool);
    batch->session_id = batch->batch_id = batch->client_id = (struct span){0};
    if (map == NULL) {
        return;
    }
    if (!is_ambiguous(map, "session_id")) {
        (void)read_session_id(map, batch);
    }
    if (!is_ambiguous(map, "batch_id")) {
        (void)read_batch_id(map, pool, batch);
    }
    if (!is_ambiguous(map, "client_id")) {
        (void)read_client_id(map, batch);
    }
}

void model_batch_read(struct span message, const struct model_settings *settings,
                      bool from_retry_topic, struct pool *pool, struct model_batch *batch)
{
    struct value *map = NULL;
    *batch = (struct model_batch){0};
    batch->code = check_envelope(message, settings, from_retry_topic, pool, &map);
    if (batch->code == NULL) {
        batch->code = check_map(map, settings, from_retry_topic, pool, batch);
    }
    if (batch->code != NULL) {
        read_identity_of_refused(message, pool, batch);
    }
}
