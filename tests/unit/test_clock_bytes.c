/*
 * What clocks cost in the store: the table of store/README.md, measured. With --verbose it says the
 * figures; it fails where the table no longer does.
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>

#include "tests/support/apply_fixture.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/sent_batch.h"

enum { UPDATES = 6, POINTS = 4 };

static const unsigned long long first_ms = 1795361620584;

/* How many updates have been applied where the table looks. */
static const unsigned points[POINTS] = {0, 1, 3, 6};

/* An element as an editor sends it; `kind` makes it one that takes 200 bytes without clocks. */
struct sent {
    const char *kind, *transform, *rest;
    size_t clocks_bytes[POINTS];
};

/* All is said that an add can say of an element without a parent. */
static const struct sent explicit_add = {
    .kind = "'type':'rect','data':{'fill':'#ff8800','label':'Conservatory'}",
    .transform = "'x':120.5,'y':64,'width':320,'height':200,'rotation':0,'z_index':3",
    .rest = ",'interactive':true,'selected':false",
    .clocks_bytes = {20, 42, 90, 161},
};

/* What most clients leave out is left to defaults. */
static const struct sent short_add = {
    .kind = "'type':'rect','data':{'fill':'#ff8800','label':'Conservatory'}",
    .transform = "'x':120.5,'y':64,'width':320,'height':200",
    .rest = "",
    .clocks_bytes = {86, 108, 156, 216},
};

/* A drag, a resize, another colour, a selection: each property at a time of its own. */
static const char *const changes[UPDATES] = {"'transform':{'x':130.5}",
                                             "'transform':{'y':80}",
                                             "'transform':{'width':300}",
                                             "'transform':{'height':180}",
                                             "'kind':{'data':{'fill':'#0088ff'}}",
                                             "'selected':true"};

static struct apply_fixture fixture;

static void apply(enum strategy strategy, const char *json)
{
    fixture.context.strategy = strategy;
    fixture.context.arrival_ms = UINT64_MAX;
    cr_assert_eq(apply_fixture_apply(&fixture, json).status, OUTCOME_SYNCED);
}

/* The bytes of the element's value in the store after each number of updates. */
static void measure(enum strategy strategy, const struct sent *sent, size_t *values)
{
    apply_fixture_begin(&fixture);
    apply(strategy, text_of_format("{'op':'add','timestamp':%llu,'element':{'id':'6f1b2c9e-0d5a-"
                                   "4a43-9c1e-5b7f2d8e9a10','kind':{%s},'transform':{%s}%s}}",
                                   first_ms, sent->kind, sent->transform, sent->rest));
    for (unsigned applied = 0, point = 0; point < POINTS; applied++) {
        const struct element *const element =
            scene_get(fixture.scene, "6f1b2c9e-0d5a-4a43-9c1e-5b7f2d8e9a10");
        if (applied == points[point]) {
            buffer_clear(test_scratch());
            const struct span rest = element_value_encode(element, test_scratch());
            values[point++] = test_scratch()->size + rest.size;
        }
        if (applied < UPDATES) {
            apply(strategy, text_of_format("{'op':'update','timestamp':%llu,'id':'6f1b2c9e-0d5a-"
                                           "4a43-9c1e-5b7f2d8e9a10','changes':{%s}}",
                                           first_ms + 1000 * (applied + 1), changes[applied]));
        }
    }
    apply_fixture_end(&fixture);
}

static void compare(const char *name, const struct sent *sent)
{
    size_t plain[POINTS];
    size_t merged[POINTS];
    measure(STRATEGY_LAST_WRITE_WINS, sent, plain);
    measure(STRATEGY_MERGE, sent, merged);
    for (unsigned i = 0; i < POINTS; i++) {
        cr_log_info("%s, %u updates: %zu bytes, with clocks %zu: %zu more", name, points[i],
                    plain[i], merged[i], merged[i] - plain[i]);
        cr_expect_eq(plain[i], 200);
        cr_expect_eq(merged[i] - plain[i], sent->clocks_bytes[i], "%s, %u updates: %zu", name,
                     points[i], merged[i] - plain[i]);
    }
}

Test(clock_bytes, are_what_the_table_says)
{
    compare("all said", &explicit_add);
    compare("defaults left out", &short_add);
}
