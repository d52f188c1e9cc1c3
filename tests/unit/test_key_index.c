#include "protocol/key_index.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Stands for a map: the index never looks at anything but the keys' text. */
static uint8_t map[2 * 1024 * 1024];
static struct arena arena;

static void make(void)
{
    arena_init(&arena, (size_t)64 << 20);
}

static void destroy(void)
{
    arena_deinit(&arena);
}

TestSuite(key_index, .init = make, .fini = destroy);

static struct span put_key(size_t *used, unsigned number)
{
    int size = snprintf((char *)map + *used, 12, "%x", number);
    struct span key = span_make(map + *used, (size_t)size);
    *used += (size_t)size;
    return key;
}

Test(key_index, finds_each_of_100000_keys)
{
    enum { COUNT = 100000 };
    struct key_index index;
    cr_assert(key_index_init(&index, span_make(map, sizeof map), COUNT, &arena));
    size_t used = 1;
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert(key_index_add(&index, put_key(&used, i), i));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        char key[12];
        (void)snprintf(key, sizeof key, "%x", i);
        uint32_t number = 0;
        cr_assert(key_index_find(&index, span_of_text(key), &number));
        cr_assert_eq(number, i);
    }
}

Test(key_index, refuses_a_key_twice_and_keeps_the_first)
{
    struct key_index index;
    cr_assert(key_index_init(&index, span_make(map, sizeof map), 20, &arena));
    size_t used = 1;
    cr_assert(key_index_add(&index, put_key(&used, 0xab), 1));
    cr_assert_not(key_index_add(&index, put_key(&used, 0xab), 2));
    uint32_t number = 0;
    cr_assert(key_index_find(&index, span_of_text("ab"), &number));
    cr_assert_eq(number, 1);
}

Test(key_index, tells_similar_keys_apart)
{
    struct key_index index;
    cr_assert(key_index_init(&index, span_make(map, sizeof map), 20, &arena));
    memset(map + 1, 'a', 3);
    cr_assert(key_index_add(&index, span_make(map + 1, 3), 3));
    cr_assert(key_index_add(&index, span_make(map + 1, 2), 2));
    cr_assert(key_index_add(&index, span_make(map + 1, 0), 0));
    uint32_t number = 9;
    cr_assert_not(key_index_find(&index, span_of_text("a"), &number));
    cr_assert_eq(number, 9);
    cr_assert(key_index_find(&index, span_make("", 0), &number));
    cr_assert_eq(number, 0);
    cr_assert(key_index_find(&index, span_of_text("aa"), &number));
    cr_assert_eq(number, 2);
}

Test(key_index, says_so_when_memory_is_short)
{
    struct key_index index;
    arena_deinit(&arena);
    arena_init(&arena, 1000);
    cr_assert_not(key_index_init(&index, span_make(map, sizeof map), 1000, &arena));
}
