#include <criterion/criterion.h>

#include "protocol/decimal.h"

static struct span write(uint64_t value)
{
    static char text[DECIMAL_BYTES_MAX];
    return span_make(text, decimal_write(value, text));
}

static struct span write_signed(int64_t value)
{
    static char text[DECIMAL_BYTES_MAX];
    return span_make(text, decimal_write_signed(value, text));
}

Test(decimal, writes_every_length)
{
    cr_assert(span_equal_text(write(0), "0"));
    cr_assert(span_equal_text(write(9), "9"));
    cr_assert(span_equal_text(write(10), "10"));
    cr_assert(span_equal_text(write(1234567890), "1234567890"));
    cr_assert(span_equal_text(write(UINT64_MAX), "18446744073709551615"));
    cr_assert(span_equal_text(write_signed(INT64_MAX), "9223372036854775807"));
    cr_assert(span_equal_text(write_signed(INT64_MIN), "-9223372036854775808"));
    cr_assert(span_equal_text(write_signed(-1), "-1"));
    cr_assert(span_equal_text(write_signed(0), "0"));
}

Test(decimal, knows_the_size_beforehand)
{
    uint64_t power = 1; /* of ten */
    for (size_t size = 1; size <= 20; size++) {
        cr_assert_eq(decimal_size(power), size);
        cr_assert_eq(write(power).size, size);
        cr_assert_eq(decimal_size(power - 1), size == 1 ? 1 : size - 1);
        power = size < 20 ? power * 10 : power;
    }
    cr_assert_eq(decimal_size(UINT64_MAX), 20);
}

Test(decimal, reads_what_it_wrote)
{
    static const int64_t values[] = {0,         1,         -1,           9, -10, 1700000000000,
                                     INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        int64_t value;
        cr_assert(decimal_read_signed(write_signed(values[i]), &value));
        cr_assert_eq(value, values[i]);
    }
    uint64_t value;
    cr_assert(decimal_read(write(UINT64_MAX), UINT64_MAX, &value));
    cr_assert_eq(value, UINT64_MAX);
}

Test(decimal, refuses_what_is_no_number_or_too_large)
{
    static const char *const texts[] = {"", "-", "+1", " 1", "1 ", "0x1", "1e3", "--1", "-1"};
    uint64_t value = 7;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        cr_assert(!decimal_read(span_of_text(texts[i]), UINT64_MAX, &value), "%s", texts[i]);
    }
    cr_assert(!decimal_read((struct span){0}, UINT64_MAX, &value));
    cr_assert(!decimal_read(span_of_text("18446744073709551616"), UINT64_MAX, &value));
    cr_assert(!decimal_read(span_of_text("11"), 10, &value));
    cr_assert(!decimal_read(span_of_text("9"), 8, &value));
    cr_assert_eq(value, 7, "the output was touched");
    cr_assert(decimal_read(span_of_text("10"), 10, &value));

    int64_t number = 7;
    cr_assert(!decimal_read_signed(span_of_text("9223372036854775808"), &number));
    cr_assert(!decimal_read_signed(span_of_text("-9223372036854775809"), &number));
    cr_assert(!decimal_read_signed(span_of_text("--1"), &number));
    cr_assert_eq(number, 7, "the output was touched");
}

Test(decimal, reads_the_digits_at_the_start)
{
    uint64_t value = 0;
    cr_assert_eq(decimal_read_prefix(span_of_text("7.0.15"), 99, &value), 1);
    cr_assert_eq(value, 7);
    cr_assert_eq(decimal_read_prefix(span_of_text("x7"), 99, &value), 0);
    cr_assert_eq(decimal_read_prefix(span_of_text("100 x"), 99, &value), 0);
    cr_assert_eq(value, 7, "the output was touched");
}
