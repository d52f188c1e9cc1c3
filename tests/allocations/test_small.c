/* The cache of scenes, long texts in a buffer, and the store's watermark, while memory is refused.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "store/cache.h"
#include "store/memory_store.h"
#include "tests/allocations/refusing.h"
#include "tests/support/batches.h"

enum { SESSIONS = 600 };

struct caching {
    struct scene_cache *cache;
    size_t taken;
};

static bool take(struct caching *caching, size_t number)
{
    char session[16];
    const int size = snprintf(session, sizeof session, "s%zu", number);
    struct scene *const scene = scene_cache_take(caching->cache, span_make(session, (size_t)size));
    return scene != NULL;
}

static void cache_prepare(void *context)
{
    struct caching *const caching = context;
    *caching = (struct caching){.cache = NULL};
}

static bool cache_work(void *context, struct error *error)
{
    struct caching *const caching = context;
    caching->cache = scene_cache_create(1 << 20);
    while (caching->cache != NULL && caching->taken < SESSIONS && take(caching, caching->taken)) {
        caching->taken++;
    }
    return caching->taken == SESSIONS ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for scene %zu", caching->taken);
}

/* What was taken is there, and what was not can be. */
static void cache_verify(void *context, bool is_done)
{
    struct caching *const caching = context;
    if (caching->cache != NULL) {
        cr_assert_eq(scene_cache_count(caching->cache), caching->taken);
        for (size_t i = 0; i < caching->taken; i++) {
            cr_assert(take(caching, i));
        }
        cr_assert_eq(scene_cache_count(caching->cache), caching->taken);
        cr_assert(is_done || take(caching, caching->taken));
    }
    scene_cache_destroy(caching->cache);
}

Test(allocations, the_cache_gives_a_scene_or_stays_as_it_was)
{
    struct caching caching;
    const struct trial trial = {cache_prepare, cache_work, cache_verify, &caching};
    /* Two for each scene, two for the cache; more where the buckets grow. */
    refuse_each(&trial, 2 * SESSIONS + 2);
}

static void format_prepare(void *context)
{
    buffer_init(context, 1 << 20);
}

static bool format_work(void *context, struct error *error)
{
    struct buffer *const buffer = context;
    buffer_append_format(buffer, "%s", "a");
    buffer_append_format(buffer, "%0300d", 7);
    return !buffer->failed || error_set(error, ERROR_OUT_OF_MEMORY, "the buffer has failed");
}

static void format_verify(void *context, bool is_done)
{
    struct buffer *const buffer = context;
    cr_assert_eq(buffer->failed, !is_done);
    cr_assert(buffer->size == (is_done ? 301 : buffer->size > 0 ? 1 : 0));
    buffer_deinit(buffer);
}

Test(allocations, a_long_text_is_appended_or_not)
{
    struct buffer buffer;
    const struct trial trial = {format_prepare, format_work, format_verify, &buffer};
    refuse_each(&trial, 2);
}

/* The watermark of two partitions, read and raised in one step. */
struct marking {
    struct store *store;
    struct arena arena;
    struct watermark_entry entries[2];
    struct watermark_request request;
};

static bool mark(struct marking *marking, bool is_write, struct error *error)
{
    marking->request = (struct watermark_request){
        .entries = marking->entries, .count = 2, .is_write = is_write, .arena = &marking->arena};
    store_submit_watermark(marking->store, &marking->request);
    (void)store_poll(marking->store, 0);
    if (marking->request.status == STORE_UNKNOWN) { /* there was no room to queue it */
        return error_set(error, ERROR_OUT_OF_MEMORY, "the request was not taken");
    }
    *error = marking->request.error;
    return marking->request.status == STORE_DONE;
}

static void mark_prepare(void *context)
{
    static const struct store_retention retention = {.dedupe_batches_max = 1};
    struct marking *const marking = context;
    *marking =
        (struct marking){.store = memory_store_create(&retention),
                         .entries = {{.name = span_of_text("t/0"), .value = span_of_text("1")},
                                     {.name = span_of_text("t/1"), .value = span_of_text("2")}}};
    cr_assert_not_null(marking->store);
    arena_init(&marking->arena, 1 << 20);
}

static bool mark_work(void *context, struct error *error)
{
    return mark(context, true, error) && mark(context, false, error);
}

static void mark_verify(void *context, bool is_done)
{
    struct marking *const marking = context;
    struct error error = {.code = ERROR_NONE};
    cr_assert(mark(marking, false, &error), "%s", error.message);
    const bool has_first = !span_is_absent(marking->entries[0].found);
    cr_assert_eq(has_first, !span_is_absent(marking->entries[1].found), "half a watermark");
    cr_assert(has_first || !is_done);
    store_destroy(marking->store);
    arena_deinit(&marking->arena);
}

Test(allocations, the_watermark_of_the_memory_store_is_raised_whole_or_not)
{
    struct marking marking;
    const struct trial trial = {mark_prepare, mark_work, mark_verify, &marking};
    refuse_each(&trial, 6);
}

/* A store and a scene are made whole or not at all. */
static void create_prepare(void *context)
{
    struct store **const store = context;
    *store = NULL;
}

static bool create_work(void *context, struct error *error)
{
    static const struct store_retention retention = {.dedupe_batches_max = 1};
    struct store **const store = context;
    *store = memory_store_create(&retention);
    return *store != NULL || error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a store");
}

static void create_verify(void *context, bool is_done)
{
    struct store **const store = context;
    cr_assert_eq(is_done, *store != NULL);
    store_destroy(*store);
}

Test(allocations, a_store_is_made_or_not)
{
    struct store *store = NULL;
    const struct trial trial = {create_prepare, create_work, create_verify, &store};
    refuse_each(&trial, 1);
}
