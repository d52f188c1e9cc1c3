#include "protocol/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>

Test(arena, gives_aligned_memory_that_does_not_overlap)
{
    enum { COUNT = 2000 };
    struct arena arena;
    arena_init(&arena, (size_t)64 << 20);
    uint8_t *pieces[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 300;
        pieces[i] = arena_alloc(&arena, size);
        cr_assert_not_null(pieces[i]);
        cr_assert_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t at = 0; at < i % 300; at++) {
            cr_assert_eq(pieces[i][at], (uint8_t)i, "piece %zu was written over", i);
        }
    }
    arena_deinit(&arena);
}

Test(arena, refuses_what_is_beyond_the_cap_and_goes_on_below_it)
{
    struct arena arena;
    arena_init(&arena, 1024);
    cr_assert_null(arena_alloc(&arena, 1025));
    cr_assert_not_null(arena_alloc(&arena, 1000));
    cr_assert_null(arena_alloc(&arena, 17));
    cr_assert_not_null(arena_alloc(&arena, 16));
    cr_assert_eq(arena.used_bytes, 1024);
    cr_assert_null(arena_alloc(&arena, 1));
    arena_deinit(&arena);
}

Test(arena, keeps_what_is_beyond_a_lower_cap_and_hands_out_no_more)
{
    struct arena arena;
    arena_init(&arena, 1024);
    cr_assert_not_null(arena_alloc(&arena, 512));
    arena_set_cap(&arena, 256);
    cr_assert_null(arena_alloc(&arena, 1));
    cr_assert_eq(arena.used_bytes, 512);
    arena_set_cap(&arena, 1024);
    cr_assert_not_null(arena_alloc(&arena, 512));
    arena_deinit(&arena);
}

Test(arena, refuses_sizes_that_overflow)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    cr_assert_null(arena_alloc(&arena, SIZE_MAX));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    cr_assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    arena_deinit(&arena);
}

Test(arena, gives_a_valid_pointer_for_nothing)
{
    struct arena arena;
    arena_init(&arena, 0);
    cr_assert_not_null(arena_alloc(&arena, 0));
    struct span copy = arena_copy(&arena, span_make("", 0));
    cr_assert_not(span_is_absent(copy));
    cr_assert_eq(copy.size, 0);
    arena_deinit(&arena);
}

Test(arena, clears_arrays_also_where_memory_was_used_before)
{
    struct arena arena;
    arena_init(&arena, 4096);
    memset(arena_alloc(&arena, 4096), 0xff, 4096);
    arena_reset(&arena);
    const uint32_t *numbers = arena_alloc_array(&arena, 100, sizeof *numbers);
    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(numbers[i], 0);
    }
    arena_deinit(&arena);
}

Test(arena, takes_over_blocks_and_leaves_some)
{
    struct arena taker, giver;
    arena_init(&taker, (size_t)64 << 20);
    arena_init(&giver, (size_t)64 << 20);
    uint8_t *kept = arena_alloc(&taker, 1000);
    memset(kept, 7, 1000);
    const uint8_t *const first = arena_alloc(&giver, 64 * 1024);
    const uint8_t *const second = arena_alloc(&giver, 128 * 1024);
    arena_reset(&giver);
    arena_take_over(&taker, &giver, 1);
    cr_expect_eq(arena_alloc(&giver, 10), first, "the first block was left");
    uint8_t *const more = arena_alloc(&taker, 100 * 1024);
    cr_expect_eq(more, second, "the second one is used next");
    memset(more, 8, (size_t)100 * 1024);
    cr_expect_eq(kept[999], 7, "what the taker held stays");
    arena_deinit(&giver);
    memset(more, 9, (size_t)100 * 1024);
    arena_deinit(&taker);
}

Test(arena, takes_over_all_into_one_that_is_empty_and_nothing_from_one)
{
    struct arena taker, giver;
    arena_init(&taker, (size_t)64 << 20);
    arena_init(&giver, (size_t)64 << 20);
    arena_take_over(&taker, &giver, 0);
    const uint8_t *const first = arena_alloc(&giver, 10);
    arena_reset(&giver);
    arena_take_over(&taker, &giver, 0);
    cr_expect_eq(arena_alloc(&taker, 10), first);
    cr_expect_neq(arena_alloc(&giver, 10), first);
    arena_deinit(&taker);
    arena_deinit(&giver);
}

Test(arena, copies_bytes)
{
    struct arena arena;
    arena_init(&arena, 64);
    char text[] = "scene";
    struct span copy = arena_copy(&arena, span_of_text(text));
    text[0] = 'x';
    cr_assert(span_equal_text(copy, "scene"));
    cr_assert(span_is_absent(arena_copy(&arena, span_make(text, 1000))));
    arena_deinit(&arena);
}

Test(arena, uses_the_same_memory_after_a_reset)
{
    struct arena arena;
    arena_init(&arena, (size_t)8 << 20);
    void *before[50];
    for (size_t i = 0; i < 50; i++) {
        before[i] = arena_alloc(&arena, i * 1000);
    }
    arena_reset(&arena);
    cr_assert_eq(arena.used_bytes, 0);
    for (size_t i = 0; i < 50; i++) {
        cr_assert_eq(arena_alloc(&arena, i * 1000), before[i]);
    }
    arena_deinit(&arena);
}

Test(arena, takes_other_sizes_after_a_reset)
{
    struct arena arena;
    arena_init(&arena, (size_t)64 << 20);
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < 20; i++) {
            size_t size = 1 + (i * 7919 + round * 104729) % ((size_t)2 << 20);
            uint8_t *memory = arena_alloc(&arena, size);
            cr_assert_not_null(memory);
            memory[0] = 1;
            memory[size - 1] = 1;
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

Test(arena, can_be_used_again_after_deinit)
{
    struct arena arena;
    arena_init(&arena, 100);
    cr_assert_not_null(arena_alloc(&arena, 10));
    arena_deinit(&arena);
    cr_assert_not_null(arena_alloc(&arena, 96));
    arena_deinit(&arena);
}

Test(arena, joins_spans_in_their_order)
{
    struct arena arena;
    arena_init(&arena, 1024);
    const struct span parts[] = {span_of_text("a"), span_of_text(""), (struct span){0},
                                 span_of_text("bc"), span_make("d\0e", 3)};
    struct span joined = arena_join(&arena, parts, sizeof parts / sizeof *parts);
    cr_assert(span_equal(joined, span_make("abcd\0e", 6)));
    cr_assert_neq(joined.data, parts[0].data);
    arena_deinit(&arena);
}

Test(arena, joins_nothing_as_an_empty_span)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct span joined = arena_join(&arena, NULL, 0);
    cr_assert_not(span_is_absent(joined));
    cr_assert_eq(joined.size, 0);
    arena_deinit(&arena);
}

Test(arena, joins_nothing_beyond_the_cap_or_beyond_memory)
{
    struct arena arena;
    arena_init(&arena, 16);
    const struct span parts[] = {span_of_text("0123456789"), span_of_text("abcdef"),
                                 span_of_text("!")};
    cr_assert(span_is_absent(arena_join(&arena, parts, 3)));
    cr_assert_eq(arena_join(&arena, parts, 2).size, 16);
    const struct span endless[] = {span_make("", SIZE_MAX), span_make("", 2)};
    cr_assert(span_is_absent(arena_join(&arena, endless, 2)));
    arena_deinit(&arena);
}
