#include "protocol/identifier.h"

#include "protocol/limits.h"

/* Properties of a character, as bits. */
enum {
    IN_NAME = 1,  /* [A-Za-z0-9_-] */
    IN_BATCH = 2, /* and [.:/@] */
    NOT_UPPER = 4,
    IS_HEX = 8,
    DIGIT = IN_NAME | IN_BATCH | NOT_UPPER | IS_HEX,
    LOWER = IN_NAME | IN_BATCH | NOT_UPPER,
    UPPER = IN_NAME | IN_BATCH,
    POINT = IN_BATCH | NOT_UPPER
};

/* A table instead of comparisons, since the characters of an id follow no pattern that a processor
 * could predict; instead of isalnum(), because that answers by the locale. */
static const uint8_t properties[256] = {
    ['0'] = DIGIT,          ['1'] = DIGIT,          ['2'] = DIGIT,          ['3'] = DIGIT,
    ['4'] = DIGIT,          ['5'] = DIGIT,          ['6'] = DIGIT,          ['7'] = DIGIT,
    ['8'] = DIGIT,          ['9'] = DIGIT,          ['a'] = LOWER | IS_HEX, ['b'] = LOWER | IS_HEX,
    ['c'] = LOWER | IS_HEX, ['d'] = LOWER | IS_HEX, ['e'] = LOWER | IS_HEX, ['f'] = LOWER | IS_HEX,
    ['g'] = LOWER,          ['h'] = LOWER,          ['i'] = LOWER,          ['j'] = LOWER,
    ['k'] = LOWER,          ['l'] = LOWER,          ['m'] = LOWER,          ['n'] = LOWER,
    ['o'] = LOWER,          ['p'] = LOWER,          ['q'] = LOWER,          ['r'] = LOWER,
    ['s'] = LOWER,          ['t'] = LOWER,          ['u'] = LOWER,          ['v'] = LOWER,
    ['w'] = LOWER,          ['x'] = LOWER,          ['y'] = LOWER,          ['z'] = LOWER,
    ['A'] = UPPER | IS_HEX, ['B'] = UPPER | IS_HEX, ['C'] = UPPER | IS_HEX, ['D'] = UPPER | IS_HEX,
    ['E'] = UPPER | IS_HEX, ['F'] = UPPER | IS_HEX, ['G'] = UPPER,          ['H'] = UPPER,
    ['I'] = UPPER,          ['J'] = UPPER,          ['K'] = UPPER,          ['L'] = UPPER,
    ['M'] = UPPER,          ['N'] = UPPER,          ['O'] = UPPER,          ['P'] = UPPER,
    ['Q'] = UPPER,          ['R'] = UPPER,          ['S'] = UPPER,          ['T'] = UPPER,
    ['U'] = UPPER,          ['V'] = UPPER,          ['W'] = UPPER,          ['X'] = UPPER,
    ['Y'] = UPPER,          ['Z'] = UPPER,          ['-'] = LOWER,          ['_'] = LOWER,
    ['.'] = POINT,          [':'] = POINT,          ['/'] = POINT,          ['@'] = POINT,
};

/** The properties that all of 1 to `size_max` characters have; none for another number of them. */
static unsigned common_properties(struct span text, size_t size_max)
{
    if (text.size == 0 || text.size > size_max) {
        return 0;
    }
    unsigned common = UINT8_MAX;
    size_t i = 0;
    for (; i + 4 <= text.size; i += 4) {
        const uint8_t *at = text.data + i;
        common &= properties[at[0]] & properties[at[1]] & properties[at[2]] & properties[at[3]];
    }
    for (; i < text.size; i++) {
        common &= properties[text.data[i]];
    }
    return common;
}

bool identifier_is_session_id(struct span text)
{
    return (common_properties(text, LIMITS_SESSION_ID_BYTES_MAX) & IN_NAME) != 0;
}

bool identifier_is_batch_id(struct span text)
{
    return (common_properties(text, LIMITS_BATCH_ID_BYTES_MAX) & IN_BATCH) != 0;
}

enum { UUID_BYTES = 16 };

static bool is_hyphen_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool is_uuid(struct span text)
{
    if (text.size != IDENTIFIER_UUID_TEXT_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (is_hyphen_place(i) ? byte != '-' : (properties[byte] & IS_HEX) == 0) {
            return false;
        }
    }
    return true;
}

void identifier_format_uuid(const uint8_t uuid[16], char out[IDENTIFIER_UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (is_hyphen_place(used)) {
            out[used++] = '-';
        }
        out[used++] = digits[uuid[i] >> 4];
        out[used++] = digits[uuid[i] & 0xf];
    }
}

static bool fail_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory left for an element id");
}

static bool copy_uuid_text(const uint8_t uuid[16], struct arena *arena, struct span *out,
                           struct error *error)
{
    char *text = arena_alloc(arena, IDENTIFIER_UUID_TEXT_BYTES);
    if (text == NULL) {
        return fail_memory(error);
    }
    identifier_format_uuid(uuid, text);
    *out = span_make(text, IDENTIFIER_UUID_TEXT_BYTES);
    return true;
}

static bool copy_lower(struct span text, struct arena *arena, struct span *out, struct error *error)
{
    uint8_t *lower = arena_alloc(arena, text.size);
    if (lower == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < text.size; i++) {
        bool is_upper = (properties[text.data[i]] & NOT_UPPER) == 0;
        lower[i] = (uint8_t)(text.data[i] + (is_upper ? 'a' - 'A' : 0));
    }
    *out = span_make(lower, text.size);
    return true;
}

static bool read_text_id(struct span text, const char *key, struct arena *arena, struct span *out,
                         struct error *error)
{
    unsigned common = common_properties(text, LIMITS_ID_BYTES_MAX);
    if ((common & IN_NAME) == 0) {
        char quoted[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_INVALID_OPERATION,
                         "%s \"%s\" (%zu bytes) is not 1 to %d characters of A-Z a-z 0-9 _ -", key,
                         error_quote(text, quoted), text.size, LIMITS_ID_BYTES_MAX);
    }
    if ((common & NOT_UPPER) == 0 && is_uuid(text)) {
        return copy_lower(text, arena, out, error);
    }
    *out = text;
    return true;
}

bool identifier_read_element_id(const struct wire_value *value, const char *key,
                                struct arena *arena, struct span *out, struct error *error)
{
    if (value->type == WIRE_STR) {
        return read_text_id(value->body, key, arena, out, error);
    }
    if (value->type != WIRE_BIN) {
        return error_set(error, ERROR_INVALID_OPERATION,
                         "%s is %s; send a str, or a UUID as a bin of %d bytes", key,
                         wire_type_name(value->type), UUID_BYTES);
    }
    if (value->body.size != UUID_BYTES) {
        return error_set(error, ERROR_INVALID_OPERATION,
                         "%s is a bin of %zu bytes; send a UUID's %d bytes or its text", key,
                         value->body.size, UUID_BYTES);
    }
    return copy_uuid_text(value->body.data, arena, out, error);
}
