#include "worker/json_pack.h"

#include <assert.h>
#include <jansson.h>
#include <msgpack.h>

#include "worker/text_escape.h"

/* What msgpack-c writes goes into the buffer, where a failure sticks. */
static int append(void *out, const char *bytes, size_t size)
{
    struct buffer *buffer = out;
    buffer_append(buffer, bytes, size);
    return buffer->failed ? -1 : 0;
}

static void pack_text(msgpack_packer *packer, const char *text, size_t size)
{
    (void)msgpack_pack_str_with_body(packer, text, size);
}

static void pack_value(json_t *value, msgpack_packer *packer);

static void pack_object(json_t *object, msgpack_packer *packer)
{
    (void)msgpack_pack_map(packer, json_object_size(object));
    for (void *member = json_object_iter(object); member != NULL;
         member = json_object_iter_next(object, member)) {
        const char *key = json_object_iter_key(member);
        pack_text(packer, key, strlen(key));
        pack_value(json_object_iter_value(member), packer);
    }
}

static void pack_items(json_t *array, msgpack_packer *packer)
{
    size_t count = json_array_size(array);
    (void)msgpack_pack_array(packer, count);
    for (size_t i = 0; i < count; i++) {
        pack_value(json_array_get(array, i), packer);
    }
}

/* Counts fit 32 bits: each item takes a byte of text at least, and json_pack_text() caps the text.
 */
static void pack_value(json_t *value, msgpack_packer *packer)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        pack_object(value, packer);
        break;
    case JSON_ARRAY:
        pack_items(value, packer);
        break;
    case JSON_STRING:
        pack_text(packer, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        (void)msgpack_pack_int64(packer, json_integer_value(value));
        break;
    case JSON_REAL:
        (void)msgpack_pack_double(packer, json_real_value(value));
        break;
    case JSON_TRUE:
        (void)msgpack_pack_true(packer);
        break;
    case JSON_FALSE:
        (void)msgpack_pack_false(packer);
        break;
    case JSON_NULL:
        (void)msgpack_pack_nil(packer);
        break;
    }
}

static bool fail(struct json_pack_error *error, int line, int column, const char *message)
{
    *error = (struct json_pack_error){.line = line, .column = column};
    text_escape_message(span_of_text(message), error->message, sizeof error->message);
    return false;
}

bool json_pack_text(struct span text, struct buffer *out, struct json_pack_error *error)
{
    if (text.size >= UINT32_MAX) {
        return fail(error, 0, 0, "more than 4 GiB of JSON");
    }
    json_error_t reason = {0};
    json_t *value = json_loadb((const char *)text.data, text.size,
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    if (value == NULL) {
        return fail(error, reason.line > 0 ? reason.line : 0, reason.column > 0 ? reason.column : 0,
                    reason.text);
    }
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    pack_value(value, &packer);
    json_decref(value);
    return !out->failed || fail(error, 0, 0, "too large, or out of memory");
}
