#include "protocol/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "protocol/utf8.h"

struct code_entry {
    const char *name;
    enum error_class class;
};

/* `element_not_found` and `concurrent_modification` are all that waiting can mend. */
static const struct code_entry codes[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"none", ERROR_CLASS_FATAL},
    [ERROR_TOO_LARGE] = {"too_large", ERROR_CLASS_POISON},
    [ERROR_NOT_MESSAGEPACK] = {"not_messagepack", ERROR_CLASS_POISON},
    [ERROR_NOT_A_MAP] = {"not_a_map", ERROR_CLASS_POISON},
    [ERROR_TOO_DEEP] = {"too_deep", ERROR_CLASS_POISON},
    [ERROR_DUPLICATE_KEY] = {"duplicate_key", ERROR_CLASS_POISON},
    [ERROR_UNSUPPORTED_VERSION] = {"unsupported_version", ERROR_CLASS_POISON},
    [ERROR_MISSING_FIELD] = {"missing_field", ERROR_CLASS_POISON},
    [ERROR_WRONG_TYPE] = {"wrong_type", ERROR_CLASS_POISON},
    [ERROR_INVALID_VALUE] = {"invalid_value", ERROR_CLASS_POISON},
    [ERROR_TOO_MANY_OPERATIONS] = {"too_many_operations", ERROR_CLASS_POISON},
    [ERROR_BATCH_ID_REUSED] = {"batch_id_reused", ERROR_CLASS_POISON},
    [ERROR_INVALID_RETRY] = {"invalid_retry", ERROR_CLASS_POISON},
    [ERROR_ELEMENT_NOT_FOUND] = {"element_not_found", ERROR_CLASS_TRANSIENT},
    [ERROR_ELEMENT_REMOVED] = {"element_removed", ERROR_CLASS_CONFLICT},
    [ERROR_ELEMENT_ALREADY_EXISTS] = {"element_already_exists", ERROR_CLASS_CONFLICT},
    [ERROR_STALE_TIMESTAMP] = {"stale_timestamp", ERROR_CLASS_CONFLICT},
    [ERROR_CONCURRENT_MODIFICATION] = {"concurrent_modification", ERROR_CLASS_TRANSIENT},
    [ERROR_INVALID_OPERATION] = {"invalid_operation", ERROR_CLASS_POISON},
    [ERROR_ELEMENT_TOO_LARGE] = {"element_too_large", ERROR_CLASS_POISON},
    [ERROR_TOO_MANY_ELEMENTS] = {"too_many_elements", ERROR_CLASS_CONFLICT},
    [ERROR_STORE_ERROR] = {"store_error", ERROR_CLASS_POISON},
    [ERROR_RETRY_TOO_LARGE] = {"retry_too_large", ERROR_CLASS_POISON},
    [ERROR_RETRIES_EXHAUSTED] = {"retries_exhausted", ERROR_CLASS_POISON},
    [ERROR_OUT_OF_MEMORY] = {"out_of_memory", ERROR_CLASS_FATAL},
};

const char *error_code_name(enum error_code code)
{
    assert(code < ERROR_CODE_COUNT);
    return codes[code].name;
}

enum error_code error_code_of_name(struct span name)
{
    /* ERROR_NONE is the absence of a code and has no name on the wire. */
    for (unsigned code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
        if (span_equal_text(name, codes[code].name)) {
            return (enum error_code)code;
        }
    }
    return ERROR_CODE_COUNT;
}

enum error_class error_class_of(enum error_code code)
{
    assert(code != ERROR_NONE && code < ERROR_CODE_COUNT);
    return codes[code].class;
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (error == NULL) {
        return false;
    }
    assert(code != ERROR_NONE && code < ERROR_CODE_COUNT);
    error->code = code;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    if (wanted < 0) {
        error->message[0] = '\0';
    } else if ((size_t)wanted >= sizeof error->message) {
        /* What vsnprintf cut may end in half a character. */
        error->message[utf8_valid_prefix(span_of_text(error->message))] = '\0';
    }
    return false;
}

enum { QUOTED_BYTES_MAX = 64 };

/** What of `text` is shown: a cut never splits a character, if it is one. */
static size_t quoted_size(struct span text)
{
    if (text.size <= QUOTED_BYTES_MAX) {
        return text.size;
    }
    size_t size = QUOTED_BYTES_MAX;
    while (size > QUOTED_BYTES_MAX - 3 && (text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

/** Control characters (C0, DEL, and C1 with both of its bytes) and quotes become '?'. */
static void hide_unprintable(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte == 0xc2 && i + 1 < size && (uint8_t)text[i + 1] < 0xa0) {
            text[i] = '?';
            text[++i] = '?';
        } else if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\'') {
            text[i] = '?';
        }
    }
}

const char *error_quote(struct span text, char out[ERROR_QUOTE_BYTES_MAX])
{
    size_t shown = quoted_size(text);
    if (shown > 0) {
        memcpy(out, text.data, shown);
    }
    size_t at = 0;
    while (at < shown) {
        size_t valid = utf8_valid_prefix(span_make(out + at, shown - at));
        hide_unprintable(out + at, valid);
        at += valid;
        if (at < shown) {
            out[at++] = '?';
        }
    }
    const char *end = shown < text.size ? "..." : "";
    memcpy(out + shown, end, strlen(end) + 1);
    return out;
}
