#include "protocol/batch_identity.h"

#include "protocol/identifier.h"
#include "protocol/utf8.h"
#include "protocol/wire_prefix.h"

enum { UUID_BYTES = 16 };

const struct field_name batch_key_names[BATCH_KEY_COUNT] = {
    FIELD_NAME("v"),         FIELD_NAME("session_id"), FIELD_NAME("batch_id"),
    FIELD_NAME("client_id"), FIELD_NAME("strategy"),   FIELD_NAME("operations"),
    FIELD_NAME("retry")};

bool batch_identity_read_session_id(struct span raw, struct span *out, struct error *error)
{
    if (fields_is_absent(raw)) {
        return error_set(error, ERROR_MISSING_FIELD, "`session_id` is %s",
                         span_is_absent(raw) ? "missing" : "nil, which counts as missing");
    }
    const struct wire_value value = wire_peek(raw);
    if (value.type != WIRE_STR) {
        return error_set(error, ERROR_WRONG_TYPE, "`session_id` must be a str, found %s",
                         wire_type_name(value.type));
    }
    if (!identifier_is_session_id(value.body)) {
        char quoted[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_INVALID_VALUE,
                         "`session_id` \"%s\" (%zu bytes) must be 1 to %d of A-Z a-z 0-9 _ -",
                         error_quote(value.body, quoted), value.body.size,
                         LIMITS_SESSION_ID_BYTES_MAX);
    }
    *out = value.body;
    return true;
}

static bool batch_id_refuse(const struct wire_value *value, struct error *error)
{
    if (value->type == WIRE_BIN) {
        return error_set(error, ERROR_INVALID_VALUE,
                         "`batch_id` is a bin of %zu bytes; send a UUID's %d bytes or a str",
                         value->body.size, UUID_BYTES);
    }
    if (value->type != WIRE_STR) {
        return error_set(error, ERROR_WRONG_TYPE,
                         "`batch_id` must be a str or a bin of %d bytes, found %s", UUID_BYTES,
                         wire_type_name(value->type));
    }
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(error, ERROR_INVALID_VALUE,
                     "`batch_id` \"%s\" (%zu bytes) must be 1 to %d of A-Z a-z 0-9 _ . : / @ -",
                     error_quote(value->body, quoted), value->body.size, LIMITS_BATCH_ID_BYTES_MAX);
}

/* Text and bytes of a UUID are one batch, as they are one element; so the element id's reader
 * serves for what can be a UUID. What it refuses may still be a batch_id, which has more letters.
 */
bool batch_identity_read_batch_id(struct span raw, struct arena *arena, struct span *out,
                                  struct error *error)
{
    const struct wire_value value = wire_peek(raw);
    const bool may_be_uuid =
        value.type == WIRE_BIN ||
        (value.type == WIRE_STR && value.body.size == IDENTIFIER_UUID_TEXT_BYTES);
    if (may_be_uuid) {
        struct error reason;
        if (identifier_read_element_id(&value, "batch_id", arena, out, &reason)) {
            return true;
        }
        if (reason.code == ERROR_OUT_OF_MEMORY) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a batch_id");
        }
    }
    if (value.type != WIRE_STR || !identifier_is_batch_id(value.body)) {
        return batch_id_refuse(&value, error);
    }
    *out = value.body;
    return true;
}

bool batch_identity_read_client_id(struct span raw, struct span *out, struct error *error)
{
    const struct wire_value value = wire_peek(raw);
    if (value.type != WIRE_STR) {
        return error_set(error, ERROR_WRONG_TYPE, "`client_id` must be a str, found %s",
                         wire_type_name(value.type));
    }
    if (value.body.size == 0 || value.body.size > LIMITS_CLIENT_ID_BYTES_MAX) {
        return error_set(error, ERROR_INVALID_VALUE,
                         "`client_id` has %zu bytes, 1 to %d are allowed", value.body.size,
                         LIMITS_CLIENT_ID_BYTES_MAX);
    }
    if (!utf8_is_valid(value.body)) {
        return error_set(error, ERROR_INVALID_VALUE, "`client_id` (%zu bytes) is not valid UTF-8",
                         value.body.size);
    }
    *out = value.body;
    return true;
}

/* Reads on where the message may be cut off, too large or otherwise wrong: the values of the
 * top-level keys as far as they go. A key that occurs twice with different values tells nothing. */
static void values_salvage(struct span payload, struct span values[BATCH_KEY_COUNT])
{
    uint32_t pairs = 0;
    size_t at = 0;
    if (!wire_prefix_map(payload, &pairs, &at)) {
        return;
    }
    bool ambiguous[BATCH_KEY_COUNT] = {false};
    for (uint32_t i = 0; i < pairs; i++) {
        size_t key_bytes = 0;
        size_t value_bytes = 0;
        const struct span rest = span_make(payload.data + at, payload.size - at);
        if (!wire_prefix_size(rest, &key_bytes) ||
            !wire_prefix_size(span_make(rest.data + key_bytes, rest.size - key_bytes),
                              &value_bytes)) {
            break;
        }
        const struct wire_value key = wire_peek(span_make(rest.data, key_bytes));
        const struct span value = span_make(rest.data + key_bytes, value_bytes);
        const size_t found = key.type == WIRE_STR
                                 ? fields_find_name(batch_key_names, BATCH_KEY_COUNT, key.body)
                                 : BATCH_KEY_COUNT;
        if (found < BATCH_KEY_COUNT) {
            ambiguous[found] = ambiguous[found] || (!span_is_absent(values[found]) &&
                                                    !span_equal(values[found], value));
            values[found] = value;
        }
        at += key_bytes + value_bytes;
    }
    for (size_t i = 0; i < BATCH_KEY_COUNT; i++) {
        if (ambiguous[i]) {
            values[i] = (struct span){NULL, 0};
        }
    }
}

/* A refused batch still gets a result where its scene is known, so its identity is looked for in
 * whatever stands there; what is invalid in itself stays absent. */
void batch_identity_salvage(struct span payload, const struct batch_context *context,
                            struct arena *arena, struct batch *out, struct error *error)
{
    struct span values[BATCH_KEY_COUNT] = {{NULL, 0}};
    struct batch salvaged = {.strategy = context->default_strategy};
    if (!span_is_absent(payload)) {
        values_salvage(payload, values);
    }
    (void)batch_identity_read_session_id(values[BATCH_KEY_SESSION_ID], &salvaged.session_id, NULL);
    if (!fields_is_absent(values[BATCH_KEY_BATCH_ID])) {
        struct error cause;
        if (!batch_identity_read_batch_id(values[BATCH_KEY_BATCH_ID], arena, &salvaged.batch_id,
                                          &cause) &&
            cause.code == ERROR_OUT_OF_MEMORY && error != NULL) {
            *error = cause;
        }
    }
    if (!fields_is_absent(values[BATCH_KEY_CLIENT_ID])) {
        (void)batch_identity_read_client_id(values[BATCH_KEY_CLIENT_ID], &salvaged.client_id, NULL);
    }
    *out = salvaged;
}
