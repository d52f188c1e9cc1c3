#include "protocol/operation.h"

#include "protocol/element.h"
#include "protocol/fields.h"
#include "protocol/identifier.h"
#include "protocol/wire_scan.h"

#include <assert.h>

enum {
    KEY_OP,
    KEY_ID,
    KEY_ELEMENT,
    KEY_CHANGES,
    KEY_TIMESTAMP,
    KEY_BASE_VERSION,
    /* The externally tagged spelling's keys, in the order of `kind_of_variant`. */
    KEY_VARIANT_FIRST,
    KIND_COUNT = 4,
    KEY_COUNT = KEY_VARIANT_FIRST + KIND_COUNT
};

static const struct field_name key_names[KEY_COUNT] = {FIELD_NAME("op"),
                                                       FIELD_NAME("id"),
                                                       FIELD_NAME("element"),
                                                       FIELD_NAME("changes"),
                                                       FIELD_NAME("timestamp"),
                                                       FIELD_NAME("base_version"),
                                                       FIELD_NAME("AddElement"),
                                                       FIELD_NAME("UpdateElement"),
                                                       FIELD_NAME("RemoveElement"),
                                                       FIELD_NAME("Interaction")};

/* Both spellings' names of the kinds have the order of this one. */
static const enum operation_kind kind_of_variant[KIND_COUNT] = {
    OPERATION_ADD, OPERATION_UPDATE, OPERATION_REMOVE, OPERATION_INTERACTION};
static const struct field_name kind_names[KIND_COUNT] = {
    FIELD_NAME("add"), FIELD_NAME("update"), FIELD_NAME("remove"), FIELD_NAME("interaction")};

/* An operation on its way: where a step fails, `error` says why. */
struct decoding {
    const struct operation_context *context;
    struct operation *out;
    struct error *error;
    unsigned found;                /* which of the values there are, as bits */
    struct span values[KEY_COUNT]; /* not cleared */
};

enum { VARIANTS_FOUND = ((1 << KIND_COUNT) - 1) << KEY_VARIANT_FIRST };

const char *operation_kind_name(enum operation_kind kind)
{
    switch (kind) {
    case OPERATION_INVALID:
        return "invalid";
    case OPERATION_ADD:
        return "add";
    case OPERATION_UPDATE:
        return "update";
    case OPERATION_REMOVE:
        return "remove";
    case OPERATION_INTERACTION:
        return "interaction";
    }
    assert(false && "an operation kind");
    return "invalid";
}

/* Whether the key is there, nil counting as absent. */
static bool is_there(const struct decoding *decoding, size_t key)
{
    return (decoding->found >> key & 1u) != 0 && !wire_is_nil(decoding->values[key]);
}

static bool key_require(const struct decoding *decoding, size_t key)
{
    return is_there(decoding, key) || error_set(decoding->error, ERROR_INVALID_OPERATION,
                                                "`%s` is missing", key_names[key].text);
}

static bool map_require(const struct decoding *decoding, size_t key, struct span *out)
{
    if (!key_require(decoding, key)) {
        return false;
    }
    if (!wire_is_map(decoding->values[key])) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION, "`%s` must be a map, found %s",
                         key_names[key].text,
                         wire_type_name(wire_peek(decoding->values[key]).type));
    }
    *out = decoding->values[key];
    return true;
}

static bool kind_of_op(struct decoding *decoding, enum operation_kind *out)
{
    const struct wire_value op = wire_peek_inline(decoding->values[KEY_OP]);
    if (op.type != WIRE_STR) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION, "`op` must be a str, found %s",
                         wire_type_name(op.type));
    }
    const size_t kind = fields_find_name(kind_names, KIND_COUNT, op.body);
    if (kind < KIND_COUNT) {
        *out = kind_of_variant[kind];
        return true;
    }
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(decoding->error, ERROR_INVALID_OPERATION,
                     "`op` is \"%s\", allowed are add, update, remove, interaction",
                     error_quote(op.body, quoted));
}

/* The names once more, by their sizes: this runs for every key of every operation. */
static size_t find_key(struct span key)
{
    const uint8_t *const text = key.data;
    switch (key.size) {
    case 2:
        return memcmp(text, "op", 2) == 0   ? KEY_OP
               : memcmp(text, "id", 2) == 0 ? KEY_ID
                                            : KEY_COUNT;
    case 7:
        return memcmp(text, "changes", 7) == 0   ? KEY_CHANGES
               : memcmp(text, "element", 7) == 0 ? KEY_ELEMENT
                                                 : KEY_COUNT;
    case 9:
        return memcmp(text, "timestamp", 9) == 0 ? KEY_TIMESTAMP : KEY_COUNT;
    default:
        return fields_find_name(key_names, KEY_COUNT, key);
    }
}

/* Takes the values of the known keys of the map at the cursor, which then stands behind it. */
static void keys_collect(struct decoding *decoding, struct wire_cursor *cursor)
{
    decoding->found = 0;
    for (uint32_t left = wire_advance_map(cursor); left > 0; left--) {
        const size_t key = find_key(wire_advance_text(cursor));
        const struct span value = wire_advance_whole(cursor);
        if (key < KEY_COUNT) {
            decoding->values[key] = value;
            decoding->found |= 1u << key;
        }
    }
}

/* Steps into the externally tagged spelling's inner map: `values` are then those in there. */
static bool variant_open(struct decoding *decoding, size_t variant, enum operation_kind *out)
{
    struct span inner = {NULL, 0};
    if (!map_require(decoding, KEY_VARIANT_FIRST + variant, &inner)) {
        return false;
    }
    struct wire_cursor cursor = wire_cursor_of(inner);
    keys_collect(decoding, &cursor);
    *out = kind_of_variant[variant];
    return true;
}

/* Tells the spelling; afterwards `values` are the operation's own, whichever it was. */
static bool spelling_resolve(struct decoding *decoding, enum operation_kind *out)
{
    const bool tagged = is_there(decoding, KEY_OP);
    size_t variant_count = 0;
    size_t variant = 0;
    if (tagged && (decoding->found & VARIANTS_FOUND) == 0) {
        return kind_of_op(decoding, out);
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (is_there(decoding, KEY_VARIANT_FIRST + i)) {
            variant = i;
            variant_count++;
        }
    }
    if (tagged && variant_count > 0) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION,
                         "both spellings at once: `op` and `%s`; use one of them",
                         key_names[KEY_VARIANT_FIRST + variant].text);
    }
    if (variant_count > 1) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION,
                         "%zu of the keys AddElement, UpdateElement, RemoveElement, "
                         "Interaction at once; use one per operation",
                         variant_count);
    }
    if (tagged) {
        return kind_of_op(decoding, out);
    }
    if (variant_count == 0) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION,
                         "neither `op` (add, update, remove, interaction) nor one of the "
                         "keys AddElement, UpdateElement, RemoveElement, Interaction");
    }
    return variant_open(decoding, variant, out);
}

static bool clocks_read(struct decoding *decoding)
{
    if (!key_require(decoding, KEY_TIMESTAMP)) {
        return false;
    }
    struct wire_value value = wire_peek_inline(decoding->values[KEY_TIMESTAMP]);
    if (!wire_as_timestamp(&value, &decoding->out->timestamp_ms)) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION,
                         "`timestamp` must be milliseconds since 1970, finite and not "
                         "negative, found %s",
                         wire_type_name(value.type));
    }
    decoding->out->has_timestamp = true;
    if (!is_there(decoding, KEY_BASE_VERSION)) {
        return true;
    }
    value = wire_peek_inline(decoding->values[KEY_BASE_VERSION]);
    if (!wire_as_uint(&value, &decoding->out->base_version)) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION,
                         "`base_version` must be a non-negative integer, found %s",
                         wire_type_name(value.type));
    }
    decoding->out->has_base_version = true;
    return true;
}

static bool id_read(struct decoding *decoding)
{
    if (!key_require(decoding, KEY_ID)) {
        return false;
    }
    const struct wire_value value = wire_peek_inline(decoding->values[KEY_ID]);
    return identifier_read_element_id(&value, "id", decoding->context->arena, &decoding->out->id,
                                      decoding->error);
}

/* What the kind asks for beside the clocks. An interaction's `event` may be anything. */
static bool target_read(struct decoding *decoding, enum operation_kind kind)
{
    struct operation *const out = decoding->out;
    switch (kind) {
    case OPERATION_ADD:
        return map_require(decoding, KEY_ELEMENT, &out->document) &&
               element_check(out->document, decoding->context->limits, decoding->context->arena,
                             &out->id, decoding->error);
    case OPERATION_UPDATE:
        return id_read(decoding) && map_require(decoding, KEY_CHANGES, &out->document);
    case OPERATION_REMOVE:
        return id_read(decoding);
    case OPERATION_INTERACTION:
        return true;
    case OPERATION_INVALID:
        break;
    }
    assert(false && "the spelling resolved to a kind");
    return false;
}

/* Takes the operation's bytes and, where it is a well-formed map, the values of its keys. */
static bool bytes_take(struct decoding *decoding, struct wire_cursor *cursor)
{
    struct operation *const out = decoding->out;
    const struct operation_context *const context = decoding->context;
    const uint8_t *const start = cursor->at;
    struct wire_cursor ahead = *cursor;
    out->well_formed =
        context->is_strict ||
        wire_check_strict_next(&ahead, context->arena, ERROR_INVALID_OPERATION, decoding->error);
    if (out->well_formed && wire_lead_is_map(*start)) {
        keys_collect(decoding, cursor);
    } else {
        (void)wire_advance_whole(cursor);
    }
    out->raw = span_make(start, (size_t)(cursor->at - start));
    return out->well_formed;
}

static bool map_check(struct decoding *decoding)
{
    struct operation *const out = decoding->out;
    if (wire_is_map(out->raw)) {
        return true;
    }
    const struct wire_value head = wire_peek(out->raw);
    if (head.type == WIRE_ARRAY) {
        return error_set(decoding->error, ERROR_INVALID_OPERATION,
                         "an operation must be a map, found an array; in Rust serialise "
                         "with rmp_serde::to_vec_named, which keeps the field names");
    }
    return error_set(decoding->error, ERROR_INVALID_OPERATION,
                     "an operation must be a map, found %s", wire_type_name(head.type));
}

static bool fields_decode(struct decoding *decoding)
{
    enum operation_kind kind = OPERATION_INVALID;
    if (!spelling_resolve(decoding, &kind) || !clocks_read(decoding) ||
        !target_read(decoding, kind)) {
        return false;
    }
    decoding->out->kind = kind;
    return true;
}

bool operation_decode_next(struct wire_cursor *cursor, uint32_t index,
                           const struct operation_context *context, struct operation *out,
                           struct error *error)
{
    struct operation operation = {.kind = OPERATION_INVALID, .index = index};
    /* Not cleared, as this runs for every operation: a message is written on failure only, values
     * where there is a map. */
    struct error reason;
    struct decoding decoding;
    reason.code = ERROR_NONE;
    decoding.context = context;
    decoding.out = &operation;
    decoding.error = &reason;
    if (bytes_take(&decoding, cursor) && map_check(&decoding) && fields_decode(&decoding)) {
        *out = operation;
        return true;
    }
    if (reason.code != ERROR_OUT_OF_MEMORY) {
        /* With its terminator. Half-read fields would only mislead: an invalid one has none. */
        const struct span text =
            arena_copy(context->arena, span_make(reason.message, strlen(reason.message) + 1));
        if (!span_is_absent(text)) {
            *out = (struct operation){.kind = OPERATION_INVALID,
                                      .index = index,
                                      .raw = operation.raw,
                                      .well_formed = operation.well_formed,
                                      .invalid_reason = (const char *)text.data};
            return true;
        }
    }
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to decode operation %u",
                     (unsigned)index);
}

bool operation_decode(struct span raw, uint32_t index, const struct limits *limits,
                      struct arena *arena, struct operation *out, struct error *error)
{
    struct wire_cursor cursor = wire_cursor_of(raw);
    const struct operation_context context = {.limits = limits, .arena = arena};
    return operation_decode_next(&cursor, index, &context, out, error);
}
