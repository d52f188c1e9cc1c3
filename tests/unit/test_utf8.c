#include "protocol/utf8.h"

#include <criterion/criterion.h>

/* Encodes any number below 2^21 in the given number of bytes, also where UTF-8 forbids it. */
static size_t encode(uint32_t code, size_t size, uint8_t out[4])
{
    static const uint8_t leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1;) {
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (uint8_t)(leads[size] | code);
    return size;
}

static size_t shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

Test(utf8, accepts_exactly_the_scalar_values_in_their_shortest_form)
{
    static const uint32_t ends[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (size_t size = 1; size <= 4; size++) {
        for (uint32_t code = 0; code < ends[size]; code++) {
            uint8_t bytes[4];
            encode(code, size, bytes);
            bool surrogate = code >= 0xd800 && code <= 0xdfff;
            bool valid = size == shortest(code) && !surrogate && code <= 0x10ffff;
            cr_assert_eq(utf8_is_valid(span_make(bytes, size)), valid, "U+%04X in %zu bytes",
                         (unsigned)code, size);
        }
    }
}

Test(utf8, refuses_every_cut_sequence)
{
    static const char *const sequences[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 3; i++) {
        struct span whole = span_of_text(sequences[i]);
        cr_assert(utf8_is_valid(whole));
        for (size_t size = 1; size < whole.size; size++) {
            cr_assert_not(utf8_is_valid(span_make(whole.data, size)));
            cr_assert_eq(utf8_valid_prefix(span_make(whole.data, size)), 0);
        }
    }
}

Test(utf8, refuses_bytes_that_begin_nothing)
{
    for (unsigned byte = 0x80; byte <= 0xff; byte++) {
        uint8_t bytes[] = {(uint8_t)byte, 'a', 'a', 'a'};
        cr_assert_not(utf8_is_valid(span_make(bytes, sizeof bytes)), "0x%02x", byte);
    }
}

Test(utf8, finds_the_bad_byte_at_every_place)
{
    uint8_t text[40];
    for (size_t size = 1; size <= sizeof text; size++) {
        for (size_t bad = 0; bad < size; bad++) {
            memset(text, 'a', sizeof text);
            text[bad] = 0xff;
            cr_assert_eq(utf8_valid_prefix(span_make(text, size)), bad);
        }
        memset(text, 'a', sizeof text);
        cr_assert_eq(utf8_valid_prefix(span_make(text, size)), size);
    }
}

Test(utf8, accepts_what_is_empty_and_nul_bytes)
{
    cr_assert(utf8_is_valid(span_make("", 0)));
    cr_assert(utf8_is_valid(span_make("a\0b", 3)));
}
