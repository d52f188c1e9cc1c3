#include "worker/json_pack.h"

#include <assert.h>
#include <jansson.h>

#include "protocol/pack.h"
#include "worker/text_escape.h"

static void pack_value(json_t *value, struct buffer *out);

static void pack_object(json_t *object, struct buffer *out)
{
    pack_map(out, (uint32_t)json_object_size(object));
    for (void *member = json_object_iter(object); member != NULL;
         member = json_object_iter_next(object, member)) {
        pack_text(out, json_object_iter_key(member));
        pack_value(json_object_iter_value(member), out);
    }
}

static void pack_items(json_t *array, struct buffer *out)
{
    size_t count = json_array_size(array);
    pack_array(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        pack_value(json_array_get(array, i), out);
    }
}

/* Counts fit 32 bits: each item takes a byte of text at least, and json_pack_text() caps the text.
 */
static void pack_value(json_t *value, struct buffer *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        pack_object(value, out);
        break;
    case JSON_ARRAY:
        pack_items(value, out);
        break;
    case JSON_STRING:
        pack_str(out, span_make(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
        pack_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        pack_double(out, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        pack_bool(out, json_is_true(value));
        break;
    case JSON_NULL:
        pack_nil(out);
        break;
    }
}

/* The message may quote the text, of which half a character or what a terminal would act on must
 * not reach anybody. */
static bool fail(struct json_pack_error *error, int line, int column, const char *message)
{
    *error = (struct json_pack_error){.line = line, .column = column};
    struct span rest = span_of_text(message);
    size_t size = 0;
    while (rest.size > 0 && size + TEXT_ESCAPE_BYTES_MAX < sizeof error->message) {
        if (rest.data[0] == '"' || rest.data[0] == '\\') { /* no quotes stand around it */
            error->message[size++] = (char)rest.data[0];
            rest = span_make(rest.data + 1, rest.size - 1);
        } else {
            size += text_escape_next(&rest, error->message + size);
        }
    }
    error->message[size] = '\0';
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
    pack_value(value, out);
    json_decref(value);
    return !out->failed || fail(error, 0, 0, "too large, or out of memory");
}
