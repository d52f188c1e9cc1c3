#include "protocol/identifier.h"

#include <criterion/criterion.h>

#include "protocol/limits.h"
#include "tests/support/messages.h"

static struct arena arena;
static struct error error;

static void make(void)
{
    arena_init(&arena, 4096);
}

static void destroy(void)
{
    arena_deinit(&arena);
}

TestSuite(identifier, .init = make, .fini = destroy);

/** Reads a message as an element id; absent where it is refused. */
static struct span read_id(const char *json)
{
    struct wire_value value = wire_peek(message_of(json));
    struct span id = {0};
    error = (struct error){0};
    bool valid = identifier_read_element_id(&value, "parent", &arena, &id, &error);
    cr_assert_eq(valid, !span_is_absent(id));
    cr_assert_eq(valid, error.code == ERROR_NONE);
    return id;
}

Test(identifier, a_name_has_exactly_these_characters)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        bool name = byte != 0 && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_-",
                                        (int)byte) != NULL;
        bool batch = name || (byte != 0 && strchr(".:/@", (int)byte) != NULL);
        cr_assert_eq(identifier_is_session_id(span_make(&text, 1)), name, "0x%02x", byte);
        cr_assert_eq(identifier_is_batch_id(span_make(&text, 1)), batch, "0x%02x", byte);
    }
}

Test(identifier, one_bad_character_anywhere_spoils_a_name)
{
    char text[LIMITS_SESSION_ID_BYTES_MAX];
    for (size_t bad = 0; bad < sizeof text; bad++) {
        memset(text, 'a', sizeof text);
        cr_assert(identifier_is_session_id(span_make(text, sizeof text)));
        text[bad] = ' ';
        cr_assert_not(identifier_is_session_id(span_make(text, sizeof text)));
        cr_assert_not(identifier_is_batch_id(span_make(text, sizeof text)));
    }
}

Test(identifier, lengths_have_limits)
{
    static char text[400];
    memset(text, 'a', sizeof text);
    cr_assert_not(identifier_is_session_id(span_make(text, 0)));
    cr_assert(identifier_is_session_id(span_make(text, 64)));
    cr_assert_not(identifier_is_session_id(span_make(text, 65)));
    cr_assert_not(identifier_is_batch_id(span_make(text, 0)));
    cr_assert(identifier_is_batch_id(span_make(text, 320)));
    cr_assert_not(identifier_is_batch_id(span_make(text, 321)));
}

Test(identifier, text_bytes_and_either_case_name_one_element)
{
    const char *text = "0f8fad5b-d9cb-469f-a165-70867728950e";
    cr_assert(span_equal_text(read_id("'0f8fad5b-d9cb-469f-a165-70867728950e'"), text));
    cr_assert(span_equal_text(read_id("'0F8FAD5B-D9CB-469F-A165-70867728950E'"), text));
    cr_assert(span_equal_text(read_id("'0f8fad5b-d9cb-469f-a165-70867728950E'"), text));
    cr_assert(span_equal_text(read_id("'bin:0f8fad5bd9cb469fa16570867728950e'"), text));
}

Test(identifier, only_uuids_are_lower_cased)
{
    static const char *const names[] = {
        "Box-1",
        "A",
        "0F8FAD5BD9CB469FA16570867728950E",     /* no hyphens */
        "0F8FAD5B-D9CB-469F-A165-70867728950G", /* not hexadecimal */
        "0F8FAD5B_D9CB_469F_A165_70867728950E", /* other separators */
        "0F8FAD5BD-9CB-469F-A165-70867728950E", /* hyphens elsewhere */
        "0F8FAD5B-D9CB-469F-A165-70867728950EA",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct wire_value value = {.type = WIRE_STR, .body = span_of_text(names[i])};
        struct span out;
        cr_assert(identifier_read_element_id(&value, "id", &arena, &out, &error));
        cr_assert_eq(out.data, value.body.data, "%s was copied", names[i]);
    }
}

Test(identifier, an_id_that_needs_no_change_is_not_copied)
{
    struct span raw = message_of("'0f8fad5b-d9cb-469f-a165-70867728950e'");
    struct wire_value value = wire_peek(raw);
    struct span id;
    cr_assert(identifier_read_element_id(&value, "id", &arena, &id, &error));
    cr_assert_eq(id.data, value.body.data);
    cr_assert_eq(arena.used_bytes, 0);
}

Test(identifier, refusals_name_the_key_and_what_was_found)
{
    cr_assert(span_is_absent(read_id("7")));
    cr_assert_eq(error.code, ERROR_INVALID_OPERATION);
    cr_assert_str_eq(error.message,
                     "parent is an integer; send a str, or a UUID as a bin of 16 bytes");
    cr_assert(span_is_absent(read_id("'bin:0011'")));
    cr_assert_str_eq(error.message,
                     "parent is a bin of 2 bytes; send a UUID's 16 bytes or its text");
    cr_assert(span_is_absent(read_id("'a b'")));
    cr_assert_str_eq(error.message, "parent \"a b\" (3 bytes) is not 1 to 64 characters of A-Z a-z "
                                    "0-9 _ -");
    cr_assert(span_is_absent(read_id("''")));
    cr_assert(span_is_absent(read_id("null")));
    cr_assert(span_is_absent(read_id("{}")));
    cr_assert(span_is_absent(
        read_id("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'")));
}

Test(identifier, says_so_when_memory_is_short)
{
    arena_deinit(&arena);
    arena_init(&arena, 16);
    cr_assert(span_is_absent(read_id("'bin:0f8fad5bd9cb469fa16570867728950e'")));
    cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
    cr_assert(span_is_absent(read_id("'0F8FAD5B-D9CB-469F-A165-70867728950E'")));
    cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
}
