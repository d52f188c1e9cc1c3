#include "store/cache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/messages.h"

static struct scene_cache *cache;

static void setup(void)
{
    cache = scene_cache_create((size_t)1 << 20);
    cr_assert_not_null(cache);
}

static void teardown(void)
{
    scene_cache_destroy(cache);
}

TestSuite(cache, .init = setup, .fini = teardown);

static void bound(size_t bytes_max)
{
    scene_cache_destroy(cache);
    cache = scene_cache_create(bytes_max);
    cr_assert_not_null(cache);
}

static struct scene *take(const char *session_id)
{
    struct scene *scene = scene_cache_take(cache, span_of_text(session_id));
    cr_assert_not_null(scene);
    return scene;
}

/* Takes the scene and marks it, to tell it from one that is made anew. */
static void take_and_mark(const char *session_id, uint64_t mark)
{
    take(session_id)->version = mark;
}

/* Takes the scene and lets it hold about so many bytes. */
static void take_and_fill(const char *session_id, size_t bytes)
{
    struct scene *scene = take(session_id);
    struct element *element = scene_note(scene, span_of_text("a"));
    cr_assert_not_null(element);
    struct error error;
    cr_assert(scene_load_element(scene, element, (struct span){0}, &error));
    scene->is_loaded = true;
    scene_begin_batch(scene);
    uint8_t *document = calloc(1, bytes);
    cr_assert_not_null(document);
    cr_assert(scene_put(scene, element, span_make(document, bytes), 0, 1));
    free(document);
}

Test(cache, gives_the_same_scene_again)
{
    take_and_mark("a", 1);
    take_and_mark("b", 2);
    scene_cache_trim(cache);
    cr_assert_eq(take("a")->version, 1);
    cr_assert_eq(take("b")->version, 2);
    cr_assert(span_equal_text(take("a")->session_id, "a"));
    cr_assert_eq(scene_cache_count(cache), 2);
}

Test(cache, new_scene_is_not_loaded)
{
    cr_assert_not(take("a")->is_loaded);
    cr_assert_eq(take("a")->version, 0);
}

Test(cache, keeps_its_own_copy_of_the_name)
{
    char name[] = "a";
    (void)scene_cache_take(cache, span_of_text(name));
    name[0] = 'b';
    cr_assert_eq(scene_cache_count(cache), 1);
    (void)take("a");
    cr_assert_eq(scene_cache_count(cache), 1);
}

Test(cache, finds_every_one_of_many)
{
    bound((size_t)64 << 20);
    char name[32];
    for (uint64_t i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof(name), "scene-%d", (int)i);
        take_and_mark(name, i + 1);
    }
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 3000);
    for (uint64_t i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof(name), "scene-%d", (int)i);
        cr_assert_eq(take(name)->version, i + 1, "%s", name);
    }
}

Test(cache, stays_within_its_bound)
{
    bound(100000);
    char name[32];
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "scene-%d", i);
        take_and_fill(name, 3000);
        scene_cache_trim(cache);
        cr_assert_leq(scene_cache_bytes(cache), 100000);
    }
    cr_assert_gt(scene_cache_count(cache), 20, "it is used");
    cr_assert_lt(scene_cache_count(cache), 34);
}

Test(cache, drops_the_least_recently_used_first)
{
    bound(35000);
    take_and_fill("a", 10000);
    take_and_fill("b", 10000);
    take_and_fill("c", 10000);
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 3);
    take_and_mark("b", 2);
    take_and_mark("c", 3);
    take_and_mark("a", 1);
    take_and_fill("d", 10000);
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 3);
    cr_assert_eq(take("a")->version, 1);
    cr_assert_eq(take("c")->version, 3);
    cr_assert_eq(take("b")->version, 0, "it was dropped and is made anew");
}

Test(cache, keeps_everything_until_it_is_trimmed)
{
    bound(1000);
    take_and_fill("a", 10000);
    take_and_fill("b", 10000);
    cr_assert_eq(scene_cache_count(cache), 2);
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 0);
    cr_assert_eq(scene_cache_bytes(cache), 0);
}

Test(cache, without_room_nothing_survives_a_trim)
{
    bound(0);
    (void)take("a");
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 0);
    cr_assert_eq(take("a")->version, 0);
}

Test(cache, notices_a_scene_that_grew)
{
    bound(50000);
    take_and_fill("a", 1000);
    take_and_fill("b", 1000);
    scene_cache_trim(cache);
    size_t before = scene_cache_bytes(cache);
    take_and_fill("a", 20000);
    scene_cache_trim(cache);
    cr_assert_geq(scene_cache_bytes(cache), before + 19000);
    take_and_fill("b", 40000);
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 1, "the other one had to go");
}

Test(cache, one_scene_beyond_the_bound_is_not_kept)
{
    bound(5000);
    take_and_fill("a", 10000);
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 0);
}

Test(cache, clearing_drops_everything)
{
    take_and_mark("a", 1);
    scene_cache_trim(cache);
    take_and_mark("b", 2); /* not accounted for yet */
    scene_cache_clear(cache);
    cr_assert_eq(scene_cache_count(cache), 0);
    cr_assert_eq(scene_cache_bytes(cache), 0);
    cr_assert_eq(take("a")->version, 0);
    scene_cache_trim(cache);
    cr_assert_eq(scene_cache_count(cache), 1);
}
