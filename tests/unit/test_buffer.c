#include "protocol/buffer.h"

#include <criterion/criterion.h>

static struct buffer buffer;

static void make(size_t bytes_max)
{
    buffer_init(&buffer, bytes_max);
}

static void destroy(void)
{
    buffer_deinit(&buffer);
}

TestSuite(buffer, .fini = destroy);

Test(buffer, grows_from_nothing_and_keeps_what_was_appended)
{
    make((size_t)1 << 20);
    for (size_t i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 31);
        buffer_append(&buffer, &byte, 1);
    }
    cr_assert_not(buffer.failed);
    cr_assert_eq(buffer.size, 100000);
    for (size_t i = 0; i < buffer.size; i++) {
        cr_assert_eq(buffer.data[i], (uint8_t)(i * 31));
    }
}

Test(buffer, takes_the_last_byte_below_the_cap_and_no_more)
{
    make(5);
    buffer_append(&buffer, "12345", 5);
    cr_assert_not(buffer.failed);
    buffer_append(&buffer, "6", 1);
    cr_assert(buffer.failed);
    cr_assert(span_equal_text(buffer_span(&buffer), "12345"));
}

Test(buffer, over_storage_of_the_caller_takes_what_fits_there)
{
    uint8_t storage[4];
    struct buffer fixed;
    buffer_init_fixed(&fixed, storage, sizeof storage);
    buffer_append(&fixed, "1234", 4);
    cr_assert_not(fixed.failed);
    cr_assert_eq(fixed.data, storage);
    buffer_append(&fixed, "5", 1);
    cr_assert(fixed.failed);
    cr_assert_eq(fixed.size, 4);
}

Test(buffer, a_failure_sticks_until_cleared)
{
    make(4);
    buffer_append(&buffer, "12", 2);
    buffer_append(&buffer, "345", 3);
    cr_assert(buffer.failed);
    buffer_append(&buffer, "3", 1);
    buffer_append_format(&buffer, "4");
    cr_assert(span_equal_text(buffer_span(&buffer), "12"));
    buffer_clear(&buffer);
    cr_assert_not(buffer.failed);
    buffer_append(&buffer, "1234", 4);
    cr_assert(span_equal_text(buffer_span(&buffer), "1234"));
}

Test(buffer, fails_for_sizes_that_overflow)
{
    make(SIZE_MAX);
    buffer_append(&buffer, "1", 1);
    buffer_append(&buffer, "", SIZE_MAX);
    cr_assert(buffer.failed);
    cr_assert_eq(buffer.size, 1);
}

Test(buffer, appending_nothing_is_no_failure)
{
    make(0);
    buffer_append(&buffer, NULL, 0);
    buffer_append_span(&buffer, span_make("", 0));
    buffer_append_format(&buffer, "%s", "");
    cr_assert_not(buffer.failed);
    cr_assert_not(span_is_absent(buffer_span(&buffer)));
    cr_assert_eq(buffer_span(&buffer).size, 0);
}

Test(buffer, keeps_its_storage_when_cleared)
{
    make(1000);
    buffer_append_format(&buffer, "%d", 1234);
    const uint8_t *storage = buffer.data;
    buffer_clear(&buffer);
    buffer_append_format(&buffer, "%d", 5);
    cr_assert_eq(buffer.data, storage);
    cr_assert(span_equal_text(buffer_span(&buffer), "5"));
}

Test(buffer, formats_text_of_every_length_up_to_the_cap)
{
    for (int size = 0; size <= 600; size++) {
        make(600);
        buffer_append_format(&buffer, "%0*d", size, 0);
        cr_assert_not(buffer.failed);
        cr_assert_eq(buffer.size, size == 0 ? 1 : (size_t)size);
        for (size_t i = 0; i < buffer.size; i++) {
            cr_assert_eq(buffer.data[i], '0');
        }
        buffer_deinit(&buffer);
    }
    make(600);
    buffer_append_format(&buffer, "%0601d", 0);
    cr_assert(buffer.failed);
    cr_assert_eq(buffer.size, 0);
}
