#include "worker/span_index.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(span_index, numbers_different_strings_in_the_order_in_which_they_come)
{
    enum { COUNT = 3000 };
    static char names[COUNT][8];
    struct arena arena;
    struct span_index index;
    arena_init(&arena, (size_t)1 << 20);
    cr_assert(span_index_init(&index, COUNT, &arena));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            (void)snprintf(names[i], sizeof names[i], "n%u", i);
            cr_assert_eq(span_index_number(&index, span_of_text(names[i])), i);
        }
        cr_assert_eq(index.count, COUNT);
    }
    cr_assert(span_equal_text(index.spans[2999], "n2999"));
    arena_deinit(&arena);
}

Test(span_index, takes_the_bytes_and_not_the_place)
{
    struct arena arena;
    struct span_index index;
    const char first[] = "same", second[] = "same";
    arena_init(&arena, 4096);
    cr_assert(span_index_init(&index, 3, &arena));
    cr_expect_eq(span_index_number(&index, span_of_text(first)), 0);
    cr_expect_eq(span_index_number(&index, span_of_text("")), 1);
    cr_expect_eq(span_index_number(&index, span_of_text(second)), 0);
    cr_expect_eq(span_index_number(&index, span_make("same\0", 5)), 2);
    arena_deinit(&arena);
}

Test(span_index, says_so_when_memory_is_short)
{
    struct arena arena;
    struct span_index index;
    arena_init(&arena, 100);
    cr_expect_not(span_index_init(&index, 1000, &arena));
    arena_deinit(&arena);
}
