#include "protocol/batch.h"

#include "protocol/batch_identity.h"
#include "protocol/decimal.h"
#include "protocol/key_index.h"
#include "protocol/pack.h"
#include "protocol/partition_name.h"
#include "protocol/utf8.h"
#include "protocol/wire_scan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    BATCH_VERSION = 1,
    /* Containers around an operation's map: the batch's map and the array; on a retry also the
     * section's map, its array of failures and the entry. */
    DEPTH_AROUND_OPERATION = 2,
    DEPTH_AROUND_RETRY_BODY = 4
};

/* No map may have it: JavaScript takes it for the object's prototype. */
static const char forbidden_key[] = "__proto__";

/* `operations: nil` is the empty array. */
static const uint8_t empty_array[] = {0x90};

/* A batch on its way through the checks. */
struct decoding {
    struct span payload;
    const struct batch_context *context;
    struct arena *arena;
    struct batch *out;
    struct error *error;
    struct span values[BATCH_KEY_COUNT];             /* raw; absent or nil: the key is not there */
    struct span keys[KEY_INDEX_UNINDEXED_PAIRS_MAX]; /* seen so far, unless indexed */
    size_t key_count;
    const char *key_fault; /* what is wrong with the first unfit key, or NULL */
    bool is_strict;        /* the whole message passes wire_check_strict() */
    uint32_t operation_count;
};

size_t batch_default_id(const struct source *source, int64_t record_timestamp_ms,
                        char out[BATCH_DEFAULT_ID_BYTES_MAX])
{
    _Static_assert(PARTITION_NAME_PLACE_BYTES_MAX + 1 + DECIMAL_BYTES_MAX <=
                       BATCH_DEFAULT_ID_BYTES_MAX,
                   "room for the longest");
    size_t size = partition_name_write_place(source, out);
    out[size++] = '@';
    return size + decimal_write_signed(record_timestamp_ms, out + size);
}

static bool out_of_memory(const struct decoding *decoding)
{
    return error_set(decoding->error, ERROR_OUT_OF_MEMORY,
                     "no memory to decode a batch of %zu bytes", decoding->payload.size);
}

static bool wrong_type(const struct decoding *decoding, size_t key, const char *allowed)
{
    return error_set(decoding->error, ERROR_WRONG_TYPE, "`%s` must be %s, found %s",
                     batch_key_names[key].text, allowed,
                     wire_type_name(wire_peek(decoding->values[key]).type));
}

/* The checks of the whole message. */

static bool size_check(const struct decoding *decoding)
{
    const size_t bytes_max = decoding->context->limits->message_bytes_max;
    if (decoding->payload.size > bytes_max) {
        return error_set(decoding->error, ERROR_TOO_LARGE,
                         "the message has %zu bytes, at most %zu are allowed "
                         "(limits.max_message_bytes); split the batch",
                         decoding->payload.size, bytes_max);
    }
    if (decoding->payload.size == 0) {
        return error_set(decoding->error, ERROR_NOT_MESSAGEPACK,
                         "the message is empty; send a map");
    }
    return true;
}

/* A record as msgpackr writes it is not one value but several: the extension, the names of the
 * keys, the values. So it fails here, where only the first bytes can tell the cure. */
static bool structure_check(const struct decoding *decoding, struct wire_structure *out)
{
    static const uint8_t record_head[] = {0xd4, 0x72};
    if (wire_check_structure(decoding->payload, out, decoding->error)) {
        return true;
    }
    if (decoding->payload.size >= sizeof record_head &&
        memcmp(decoding->payload.data, record_head, sizeof record_head) == 0) {
        return error_set(decoding->error, ERROR_NOT_MESSAGEPACK,
                         "the message is a record of msgpackr, not one MessagePack value; set "
                         "useRecords: false");
    }
    return false;
}

static bool map_check(const struct decoding *decoding)
{
    const struct wire_value top = wire_peek(decoding->payload);
    if (top.type == WIRE_MAP) {
        return true;
    }
    const char *cure = "";
    if (top.type == WIRE_ARRAY) {
        cure = "; in Rust serialise with rmp_serde::to_vec_named, which keeps the field names";
    } else if (top.type == WIRE_EXT && top.ext_type == 0x72) {
        cure = "; it is a record of msgpackr: set useRecords: false";
    }
    return error_set(decoding->error, ERROR_NOT_A_MAP, "a batch must be a map, found %s%s",
                     wire_type_name(top.type), cure);
}

static bool depth_check(const struct decoding *decoding, uint32_t depth)
{
    const uint32_t inside_max = decoding->context->limits->depth_max;
    const uint32_t depth_max =
        inside_max +
        (decoding->context->from_retry_topic ? DEPTH_AROUND_RETRY_BODY : DEPTH_AROUND_OPERATION);
    if (depth > depth_max) {
        return error_set(
            decoding->error, ERROR_TOO_DEEP,
            "maps and arrays are nested %s%" PRIu32 " deep, at most %" PRIu32
            " are allowed (limits.max_depth %" PRIu32 " from an operation's map on); nest less",
            depth > LIMITS_DEPTH_CEILING ? "at least " : "", depth, depth_max, inside_max);
    }
    return true;
}

/* The batch map's keys. */

/* Remembers the first key that is no fit one. It is reported only after `v`: another version may
 * have other rules for keys. */
static void key_fault_note(struct decoding *decoding, const struct wire_value *key)
{
    if (decoding->key_fault != NULL) {
        return;
    }
    if (key->type != WIRE_STR) {
        decoding->key_fault = wire_type_name(key->type);
    } else if (!utf8_is_valid(key->body)) {
        decoding->key_fault = "a str that is not valid UTF-8";
    } else if (span_equal_text(key->body, forbidden_key)) {
        decoding->key_fault = forbidden_key;
    }
}

/* Notes the pair's key among those so far; false where it is there already or memory is out. */
static bool key_note(struct decoding *decoding, struct key_index *index, struct span key)
{
    if (index->slots != NULL) {
        return key_index_add(index, key, 0);
    }
    for (size_t i = 0; i < decoding->key_count; i++) {
        if (span_equal(decoding->keys[i], key)) {
            return false;
        }
    }
    decoding->keys[decoding->key_count++] = key;
    return true;
}

/* For a message that may not be strict: any other's keys are strs that are fit and differ. */
static bool key_check(struct decoding *decoding, struct key_index *index,
                      const struct wire_value *key)
{
    key_fault_note(decoding, key);
    if (key->type != WIRE_STR || key_note(decoding, index, key->body)) {
        return true;
    }
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(decoding->error, ERROR_DUPLICATE_KEY,
                     "the batch has the key \"%s\" more than once; write every key once",
                     error_quote(key->body, quoted));
}

/* One pass over the batch map: refuses repeated keys, unknown ones too, and collects the values of
 * the known ones. */
static bool keys_scan(struct decoding *decoding)
{
    struct wire_cursor cursor = wire_cursor_of(decoding->payload);
    const uint32_t pairs = wire_read(&cursor).count;
    struct key_index index = {.slots = NULL};
    if (!decoding->is_strict && pairs > KEY_INDEX_UNINDEXED_PAIRS_MAX &&
        !key_index_init(&index, decoding->payload, pairs, decoding->arena)) {
        return out_of_memory(decoding);
    }
    for (uint32_t i = 0; i < pairs; i++) {
        const struct wire_value key = wire_peek(wire_skip(&cursor));
        const struct span value = wire_advance_member(&cursor, i + 1 == pairs);
        if (!decoding->is_strict && !key_check(decoding, &index, &key)) {
            return false;
        }
        if (key.type != WIRE_STR) {
            continue;
        }
        const size_t known = fields_find_name(batch_key_names, BATCH_KEY_COUNT, key.body);
        if (known < BATCH_KEY_COUNT) {
            decoding->values[known] = value;
        }
    }
    return true;
}

static bool version_check(const struct decoding *decoding)
{
    if (fields_is_absent(decoding->values[BATCH_KEY_V])) {
        return true;
    }
    const struct wire_value value = wire_peek(decoding->values[BATCH_KEY_V]);
    uint64_t version = 0;
    if (!wire_as_uint(&value, &version)) {
        return error_set(decoding->error, ERROR_UNSUPPORTED_VERSION,
                         "`v` is %s; this worker reads version %d: write that or leave `v` out",
                         wire_type_name(value.type), BATCH_VERSION);
    }
    if (version != BATCH_VERSION) {
        return error_set(decoding->error, ERROR_UNSUPPORTED_VERSION,
                         "`v` is %" PRIu64
                         "; this worker reads version %d: write that or leave `v` out",
                         version, BATCH_VERSION);
    }
    return true;
}

static bool key_fault_check(const struct decoding *decoding)
{
    if (decoding->key_fault == NULL) {
        return true;
    }
    if (decoding->key_fault == forbidden_key) {
        return error_set(decoding->error, ERROR_INVALID_VALUE,
                         "the batch has the key `%s`, which no map may have", forbidden_key);
    }
    return error_set(decoding->error, ERROR_WRONG_TYPE,
                     "the batch's keys must be strs of valid UTF-8, found %s as a key",
                     decoding->key_fault);
}

/* The rest of the table. */

static bool identity_take(const struct decoding *decoding)
{
    struct batch *const out = decoding->out;
    if (!batch_identity_read_session_id(decoding->values[BATCH_KEY_SESSION_ID], &out->session_id,
                                        decoding->error)) {
        return false;
    }
    if (!fields_is_absent(decoding->values[BATCH_KEY_BATCH_ID]) &&
        !batch_identity_read_batch_id(decoding->values[BATCH_KEY_BATCH_ID], decoding->arena,
                                      &out->batch_id, decoding->error)) {
        return false;
    }
    return fields_is_absent(decoding->values[BATCH_KEY_CLIENT_ID]) ||
           batch_identity_read_client_id(decoding->values[BATCH_KEY_CLIENT_ID], &out->client_id,
                                         decoding->error);
}

static bool strategy_read(const struct decoding *decoding)
{
    decoding->out->strategy = decoding->context->default_strategy;
    if (fields_is_absent(decoding->values[BATCH_KEY_STRATEGY])) {
        return true;
    }
    const struct wire_value value = wire_peek(decoding->values[BATCH_KEY_STRATEGY]);
    if (value.type != WIRE_STR) {
        return wrong_type(decoding, BATCH_KEY_STRATEGY, "a str");
    }
    const enum strategy strategy = strategy_of_name(value.body);
    if (strategy == STRATEGY_COUNT) {
        char quoted[ERROR_QUOTE_BYTES_MAX];
        return error_set(decoding->error, ERROR_INVALID_VALUE,
                         "`strategy` is \"%s\", allowed are last_write_wins, local_wins, "
                         "remote_wins, merge",
                         error_quote(value.body, quoted));
    }
    if (!decoding->context->allow_batch_strategy && !decoding->context->from_retry_topic) {
        return true;
    }
    decoding->out->strategy = strategy;
    return true;
}

static bool operations_check(struct decoding *decoding)
{
    const struct span raw = decoding->values[BATCH_KEY_OPERATIONS];
    if (span_is_absent(raw)) {
        return error_set(decoding->error, ERROR_MISSING_FIELD,
                         "`operations` is missing; an empty array says "
                         "that there are none");
    }
    const struct wire_value head = wire_peek(raw);
    if (head.type == WIRE_NIL) {
        decoding->out->operations_raw = span_make(empty_array, sizeof empty_array);
        return true;
    }
    if (head.type != WIRE_ARRAY) {
        return wrong_type(decoding, BATCH_KEY_OPERATIONS, "an array");
    }
    decoding->out->operations_raw = raw;
    decoding->operation_count = head.count;
    return true;
}

static bool retry_read(const struct decoding *decoding)
{
    const struct span raw = decoding->values[BATCH_KEY_RETRY];
    if (!decoding->context->from_retry_topic) {
        return fields_is_absent(raw) ||
               error_set(decoding->error, ERROR_INVALID_VALUE,
                         "`retry` is what workers write on the retry topics; leave it out");
    }
    if (fields_is_absent(raw)) {
        return error_set(decoding->error, ERROR_INVALID_RETRY,
                         "`retry` is missing, which every batch on a retry topic has");
    }
    struct retry_section *const section = arena_alloc(decoding->arena, sizeof *section);
    if (section == NULL) {
        return out_of_memory(decoding);
    }
    if ((!decoding->is_strict &&
         !wire_check_strict(raw, decoding->arena, ERROR_INVALID_RETRY, decoding->error)) ||
        !retry_section_decode(raw, decoding->arena, section, decoding->error)) {
        return false;
    }
    if (section->index_count != decoding->operation_count) {
        return error_set(decoding->error, ERROR_INVALID_RETRY,
                         "`retry` has %" PRIu32 " indexes for %" PRIu32 " operations",
                         section->index_count, decoding->operation_count);
    }
    decoding->out->retry = section;
    return true;
}

static bool operations_decode(const struct decoding *decoding)
{
    struct batch *const out = decoding->out;
    const struct limits *const limits = decoding->context->limits;
    const struct operation_context context = {
        .limits = limits, .arena = decoding->arena, .is_strict = decoding->is_strict};
    const uint32_t count = decoding->operation_count;
    if (count > limits->operations_max) {
        return error_set(decoding->error, ERROR_TOO_MANY_OPERATIONS,
                         "the batch has %" PRIu32 " operations, at most %" PRIu32
                         " are allowed (limits.max_operations); split it",
                         count, limits->operations_max);
    }
    out->operations = arena_alloc_array(decoding->arena, count, sizeof *out->operations);
    if (out->operations == NULL) {
        return out_of_memory(decoding);
    }
    struct wire_cursor cursor = wire_cursor_of(out->operations_raw);
    (void)wire_read(&cursor);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t index = out->retry != NULL ? out->retry->indexes[i] : i;
        if (!operation_decode_next(&cursor, index, &context, &out->operations[i],
                                   decoding->error)) {
            return false;
        }
    }
    out->operation_count = count;
    return true;
}

static bool decode(struct decoding *decoding)
{
    struct wire_structure structure;
    if (!size_check(decoding) || !structure_check(decoding, &structure) || !map_check(decoding) ||
        !depth_check(decoding, structure.depth)) {
        return false;
    }
    decoding->is_strict = structure.is_strict;
    return keys_scan(decoding) && version_check(decoding) && key_fault_check(decoding) &&
           identity_take(decoding) && strategy_read(decoding) && operations_check(decoding) &&
           retry_read(decoding) && operations_decode(decoding);
}

bool batch_decode(struct span payload, const struct batch_context *context, struct arena *arena,
                  struct batch *out, struct error *error)
{
    struct decoding decoding = {
        .payload = payload, .context = context, .arena = arena, .out = out, .error = error};
    *out = (struct batch){.strategy = context->default_strategy};
    if (!decode(&decoding)) {
        batch_identity_salvage(payload, context, arena, out, error);
        return false;
    }
    return true;
}

void batch_encode(const struct batch_parts *parts, struct buffer *out)
{
    const bool has_client = !span_is_absent(parts->client_id);
    pack_map(out, 5u + (has_client ? 1u : 0u) + (parts->retry != NULL ? 1u : 0u));
    pack_text(out, "v");
    pack_uint(out, BATCH_VERSION);
    pack_text(out, "session_id");
    pack_str(out, parts->session_id);
    pack_text(out, "batch_id");
    pack_str(out, parts->batch_id);
    if (has_client) {
        pack_text(out, "client_id");
        pack_str(out, parts->client_id);
    }
    pack_text(out, "strategy");
    pack_text(out, strategy_name(parts->strategy));
    pack_text(out, "operations");
    pack_array(out, parts->operation_count);
    for (uint32_t i = 0; i < parts->operation_count; i++) {
        pack_raw(out, parts->operations[i]);
    }
    if (parts->retry != NULL) {
        pack_text(out, "retry");
        retry_section_encode(parts->retry, out);
    }
}
