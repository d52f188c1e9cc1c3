#include "protocol/wire_prefix.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "protocol/wire.h"
#include "tests/support/messages.h"

/* On the heap and no byte larger, so that reading too far is seen. */
static bool size_of_exact(struct span bytes, size_t *size)
{
    uint8_t *const copy = malloc(bytes.size > 0 ? bytes.size : 1);
    memcpy(copy, bytes.data, bytes.size);
    const bool ok = wire_prefix_size(span_make(copy, bytes.size), size);
    free(copy);
    return ok;
}

/* One of every form, with the lengths its head can say. */
static const char *const values[] = {"00",
                                     "7f",
                                     "e0",
                                     "ff",
                                     "c0",
                                     "c2",
                                     "c3",
                                     "80",
                                     "90",
                                     "a0",
                                     "81 01 c0",
                                     "92 01 a161",
                                     "a3 616263",
                                     "c4 02 0000",
                                     "c5 0002 0000",
                                     "c6 00000002 0000",
                                     "c7 02 05 0000",
                                     "c8 0002 05 0000",
                                     "c9 00000002 05 0000",
                                     "ca 00000000",
                                     "cb 0000000000000000",
                                     "cc 00",
                                     "cd 0000",
                                     "ce 00000000",
                                     "cf 0000000000000000",
                                     "d0 00",
                                     "d1 0000",
                                     "d2 00000000",
                                     "d3 0000000000000000",
                                     "d4 05 00",
                                     "d5 05 0000",
                                     "d6 05 00000000",
                                     "d7 05 0000000000000000",
                                     "d8 05 00000000000000000000000000000000",
                                     "d9 01 61",
                                     "da 0001 61",
                                     "db 00000001 61",
                                     "dc 0002 01 02",
                                     "dd 00000002 01 02",
                                     "de 0001 01 02",
                                     "df 00000001 01 02",
                                     "82 a161 93 01 81 a162 c0 d9 01 78 a162 dc 0000"};

Test(wire_prefix, measures_every_form_and_no_byte_less_will_do)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct span value = bytes_of_hex(values[i]);
        size_t size = 0;
        cr_assert(size_of_exact(value, &size), "%s", values[i]);
        cr_assert_eq(size, value.size, "%s", values[i]);
        for (size_t cut = 0; cut < value.size; cut++) {
            size = 77;
            cr_assert_not(size_of_exact(span_make(value.data, cut), &size), "%s", values[i]);
            cr_assert_eq(size, 77);
        }
    }
}

Test(wire_prefix, stops_at_the_end_of_the_first_value)
{
    const struct span bytes = bytes_of_hex("82 a161 90 a162 81 01 02 c1 c1 c1");
    size_t size = 0;
    cr_assert(size_of_exact(bytes, &size));
    cr_assert_eq(size, bytes.size - 3);
}

Test(wire_prefix, refuses_the_reserved_byte_and_counts_beyond_the_bytes)
{
    static const char *const refused[] = {"",
                                          "c1",
                                          "91 c1",
                                          "dd ffffffff",
                                          "df ffffffff 00",
                                          "db ffffffff 00",
                                          "93 01 02",
                                          "81 01",
                                          "dd ffffffff dd ffffffff dd ffffffff"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        size_t size = 77;
        cr_assert_not(size_of_exact(bytes_of_hex(refused[i]), &size), "%s", refused[i]);
    }
}

Test(wire_prefix, agrees_with_the_check_of_whole_messages)
{
    uint64_t state = 88172645463325252;
    uint8_t bytes[24];
    for (int round = 0; round < 200000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            /* Mostly small heads, so that many of them are whole. */
            bytes[i] = (uint8_t)(state % 3 == 0 ? state >> 32 : 0x80 + (state >> 32) % 0x28);
        }
        size_t size = 0;
        struct wire_structure structure;
        if (wire_prefix_size(span_make(bytes, sizeof bytes), &size)) {
            cr_assert(wire_check_structure(span_make(bytes, size), &structure, NULL));
        } else {
            cr_assert_not(wire_check_structure(span_make(bytes, sizeof bytes), &structure, NULL));
        }
    }
}

Test(wire_prefix, reads_the_head_of_a_map_alone)
{
    uint32_t pairs = 0;
    size_t size = 0;
    cr_assert(wire_prefix_map(bytes_of_hex("8f"), &pairs, &size));
    cr_assert(pairs == 15 && size == 1);
    cr_assert(wire_prefix_map(bytes_of_hex("de 0100"), &pairs, &size));
    cr_assert(pairs == 256 && size == 3);
    cr_assert(wire_prefix_map(bytes_of_hex("df ffffffff"), &pairs, &size));
    cr_assert(pairs == UINT32_MAX && size == 5);
    static const char *const others[] = {"", "90", "dc 0001", "de 01", "df 000000", "c0", "c1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_assert_not(wire_prefix_map(bytes_of_hex(others[i]), &pairs, &size), "%s", others[i]);
    }
}
