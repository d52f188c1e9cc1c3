#include "protocol/error.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "protocol/utf8.h"

Test(error, every_code_has_a_name_that_leads_back)
{
    for (unsigned code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
        const char *name = error_code_name((enum error_code)code);
        cr_assert_not_null(name, "code %u", code);
        cr_assert_eq(error_code_of_name(span_of_text(name)), code, "%s", name);
    }
    cr_assert_str_eq(error_code_name(ERROR_NOT_MESSAGEPACK), "not_messagepack");
    cr_assert_str_eq(error_code_name(ERROR_BATCH_ID_REUSED), "batch_id_reused");
}

Test(error, other_names_have_no_code)
{
    cr_assert_eq(error_code_of_name(span_of_text("")), ERROR_CODE_COUNT);
    cr_assert_eq(error_code_of_name(span_of_text("none")), ERROR_CODE_COUNT);
    cr_assert_eq(error_code_of_name(span_of_text("too_larg")), ERROR_CODE_COUNT);
}

Test(error, waiting_helps_against_these_only)
{
    for (unsigned i = ERROR_NONE + 1; i < ERROR_CODE_COUNT; i++) {
        enum error_code code = (enum error_code)i;
        bool transient = code == ERROR_ELEMENT_NOT_FOUND || code == ERROR_CONCURRENT_MODIFICATION;
        cr_assert_eq(error_class_of(code) == ERROR_CLASS_TRANSIENT, transient, "%s",
                     error_code_name(code));
    }
    cr_assert_eq(error_class_of(ERROR_STALE_TIMESTAMP), ERROR_CLASS_CONFLICT);
    cr_assert_eq(error_class_of(ERROR_NOT_A_MAP), ERROR_CLASS_POISON);
    cr_assert_eq(error_class_of(ERROR_OUT_OF_MEMORY), ERROR_CLASS_FATAL);
}

Test(error, keeps_code_and_message)
{
    struct error error;
    cr_assert_not(error_set(&error, ERROR_TOO_DEEP, "%d levels, %d allowed", 30, 24));
    cr_assert_eq(error.code, ERROR_TOO_DEEP);
    cr_assert_str_eq(error.message, "30 levels, 24 allowed");
    cr_assert_not(error_set(NULL, ERROR_TOO_DEEP, "nobody asked"));
}

Test(error, cuts_a_long_message_between_characters)
{
    for (int blanks = 245; blanks <= 256; blanks++) {
        struct error error;
        error_set(&error, ERROR_TOO_DEEP, "%*s%s", blanks, "",
                  "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
        size_t size = strlen(error.message);
        cr_assert_lt(size, ERROR_MESSAGE_BYTES_MAX);
        cr_assert_gt(size, ERROR_MESSAGE_BYTES_MAX - 5);
        cr_assert(utf8_is_valid(span_make(error.message, size)));
    }
}

static void assert_quoted(struct span text, const char *expected)
{
    char out[ERROR_QUOTE_BYTES_MAX];
    cr_assert_str_eq(error_quote(text, out), expected);
}

Test(error, quotes_text_as_it_is_where_that_is_safe)
{
    assert_quoted(span_of_text("Box-1"), "Box-1");
    assert_quoted(span_of_text("Z\xc3\xbcrich \xe2\x82\xac"), "Z\xc3\xbcrich \xe2\x82\xac");
    assert_quoted(span_make("", 0), "");
    assert_quoted((struct span){0}, "");
}

Test(error, hides_what_could_break_a_line_or_a_quotation)
{
    assert_quoted(span_make("a\0b\n\x1b[31m\x7f", 10), "a?b??[31m?");
    assert_quoted(span_of_text("\"'"), "??");
    assert_quoted(span_of_text("a\xc2\x85z"), "a??z"); /* NEXT LINE, a C1 control */
    assert_quoted(span_of_text("\xff\xc3:\xe2\x82"), "??:??");
}

Test(error, cuts_long_text_between_characters)
{
    char text[200];
    char out[ERROR_QUOTE_BYTES_MAX];
    memset(text, 'a', sizeof text);
    error_quote(span_make(text, 64), out);
    cr_assert_eq(strlen(out), 64);
    error_quote(span_make(text, 65), out);
    cr_assert_eq(strlen(out), 67);
    cr_assert_str_eq(out + 64, "...");
    for (size_t blanks = 55; blanks <= 64; blanks++) {
        (void)snprintf(text, sizeof text, "%*s%s", (int)blanks, "",
                       "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
        error_quote(span_make(text, blanks + 12), out);
        cr_assert_null(strchr(out, '?'), "a character was split after %zu blanks", blanks);
        cr_assert(utf8_is_valid(span_of_text(out)));
        cr_assert_str_eq(out + strlen(out) - 3, "...");
    }
}

Test(error, never_writes_beyond_its_room)
{
    char out[ERROR_QUOTE_BYTES_MAX + 8];
    uint8_t text[300];
    memset(out, '#', sizeof out);
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(text, (int)byte, sizeof text);
        error_quote(span_make(text, sizeof text), out);
        cr_assert(memchr(out, '\0', ERROR_QUOTE_BYTES_MAX) != NULL);
        cr_assert_arr_eq(out + ERROR_QUOTE_BYTES_MAX, "########", 8);
    }
}
