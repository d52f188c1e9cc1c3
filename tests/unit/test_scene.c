#include "store/scene.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "protocol/pack.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

static struct scene *scene;
static struct error error;

static void setup(void)
{
    scene = scene_at_version(5);
}

static void teardown(void)
{
    scene_destroy(scene);
}

TestSuite(scene, .init = setup, .fini = teardown);

static bool load(const char *id, struct span value)
{
    struct element *element = scene_note(scene, span_of_text(id));
    cr_assert_not_null(element);
    return scene_load_element(scene, element, value, &error);
}

static void put(struct element *element, const char *json, uint64_t timestamp_ms)
{
    cr_assert(scene_put(scene, element, message_of(json), 0, timestamp_ms));
}

/* Stored values. */

Test(scene, value_of_an_element_is_version_timestamp_document)
{
    struct element *element = scene_with(scene, "a", 3, 500, "{'id':'a','deep':{'x':[1,2.5]}}");
    buffer_clear(test_scratch());
    buffer_append_span(test_scratch(), element_value_encode(element, test_scratch()));
    cr_assert(span_equal(buffer_span(test_scratch()),
                         message_of("[3,500,{'id':'a','deep':{'x':[1,2.5]}}]")));
}

Test(scene, value_of_a_removed_element_is_nil)
{
    struct element *element = scene_with_tombstone(scene, "a", 3, 500);
    cr_assert_eq(element->presence, ELEMENT_REMOVED);
    cr_assert(element->is_indexed, "the store's tombstone index has it");
    buffer_clear(test_scratch());
    buffer_append_span(test_scratch(), element_value_encode(element, test_scratch()));
    cr_assert(span_equal(buffer_span(test_scratch()), message_of("[3,500,null]")));
}

Test(scene, value_under_merge_has_clocks_as_its_fourth_item)
{
    struct span value = message_of("[3,500,{'id':'a'},{'':400,'*':7,'/x':5}]");
    cr_assert(load("a", value));
    const struct element *element = scene_get(scene, "a");
    cr_assert_eq(element->presence, ELEMENT_PRESENT);
    cr_assert(span_equal(element_document(element), message_of("{'id':'a'}")));
    cr_assert(span_equal(element_clocks(element), message_of("{'':400,'*':7,'/x':5}")));
    buffer_clear(test_scratch());
    buffer_append_span(test_scratch(), element_value_encode(element, test_scratch()));
    cr_assert(span_equal(buffer_span(test_scratch()), value));
}

Test(scene, a_fourth_item_of_nil_is_none)
{
    cr_assert(load("a", message_of("[3,500,{'id':'a'},null]")));
    cr_assert(span_is_absent(element_clocks(scene_get(scene, "a"))));
}

Test(scene, clocks_go_with_the_element)
{
    cr_assert(load("a", message_of("[3,500,{'id':'a'},{'':400}]")));
    struct element *element = scene_get(scene, "a");
    scene_begin_batch(scene);
    cr_assert(scene_remove(scene, element, 600, 600));
    cr_assert(span_is_absent(element_clocks(element)));
    buffer_clear(test_scratch());
    buffer_append_span(test_scratch(), element_value_encode(element, test_scratch()));
    cr_assert(span_equal(buffer_span(test_scratch()), message_of("[6,600,null]")));
    put(element, "{'id':'a','n':1}", 700);
    cr_assert(span_is_absent(element_clocks(element)));
}

Test(scene, clocks_that_are_none_make_an_element_unreadable)
{
    cr_assert_not(load("a", message_of("[3,500,{'id':'a'},7]")));
    cr_assert_eq(error.code, ERROR_STORE_ERROR);
    cr_assert_not_null(strstr(error.message, "clocks are an integer"), "%s", error.message);
    cr_assert_not(load("a", message_of("[3,500,{'id':'a'},{'x':400}]")));
    cr_assert_not_null(strstr(error.message, "'x'"), "%s", error.message);
    cr_assert_not(load("a", message_of("[3,500,{'id':'a'},{'/x':-4}]")));
    /* A pointer that stands twice. */
    cr_assert_not(load("a", message_of("[3,500,{'id':'a'},'hex:82a22f7801a22f7802']")));
}

Test(scene, bare_map_is_an_element_of_version_0)
{
    cr_assert(load("a", message_of("{'id':'a','n':7}")));
    const struct element *element = scene_get(scene, "a");
    cr_assert_eq(element->presence, ELEMENT_PRESENT);
    cr_assert_eq(element->version, 0);
    cr_assert_eq(element->timestamp_ms, 0);
    cr_assert_eq(element_number(element, "n"), 7);
}

Test(scene, absent_value_is_an_unknown_element)
{
    const struct element *element = scene_without(scene, "a");
    cr_assert_eq(element->presence, ELEMENT_UNKNOWN);
    cr_assert(element->is_loaded);
    cr_assert_eq(element->version, 0);
    cr_assert_eq(element->timestamp_ms, 0);
}

Test(scene, value_that_is_none_of_ours_is_refused)
{
    static const char *const broken[] = {
        "'hex:'",
        "'hex:93'",
        "'hex:9301028000'",
        "'hex:c1'",
        "5",
        "'text'",
        "[1,2]",
        "[1,2,{},{},5]",
        "[-1,2,{}]",
        "[1,-2,{}]",
        "['1',2,{}]",
        "[1,{},{}]",
        "[[],2,{}]",
        "[1,2,5]",
        "[1,2,[]]",
        "null",
        "[1,2,'hex:8101c0']" /* a key that is no str */,
        "'hex:82a161c0a161c0'" /* a key twice */,
        "{'a':{'b':'hex:d40001'}}" /* an extension type */,
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        cr_expect_not(load("a", message_of(broken[i])), "%s was taken", broken[i]);
        cr_expect_eq(error.code, ERROR_STORE_ERROR, "%s", broken[i]);
        cr_expect_not_null(strstr(error.message, "'a'"), "%s", error.message);
    }
    cr_assert_not(scene_get(scene, "a")->is_loaded);
}

/* A document from another program, with more keys than are compared one by one. */
Test(scene, large_document_is_taken)
{
    struct buffer *out = test_scratch();
    buffer_clear(out);
    pack_map(out, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%u", i);
        pack_text(out, key);
        pack_uint(out, i);
    }
    cr_assert(load("a", bytes_keep(buffer_span(out))), "%s", error.message);
    cr_assert_eq(element_number(scene_get(scene, "a"), "k999"), 999);
}

/* Elements. */

Test(scene, finds_every_element_that_was_noted)
{
    char id[16];
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(id, sizeof(id), "element-%u", i);
        struct element *element = scene_note(scene, span_of_text(id));
        cr_assert_not_null(element);
        element->version = i;
    }
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(id, sizeof(id), "element-%u", i);
        cr_assert_eq(scene_get(scene, id)->version, i, "%s", id);
        cr_assert_eq(scene_note(scene, span_of_text(id)), scene_get(scene, id));
    }
    cr_assert_null(scene_find(scene, span_of_text("element-5000")));
    cr_assert_eq(scene->used_slots, 5000);
}

Test(scene, empty_scene_finds_nothing)
{
    cr_assert_null(scene_find(scene, span_of_text("a")));
}

/* A scene that is wholly in memory. */

static void note_two(void)
{
    cr_assert(load("a", message_of("[3,500,{'id':'a'}]")));
    cr_assert(load("b", message_of("[4,500,null]")));
    cr_assert(load("c", (struct span){0}));
}

Test(scene, with_all_of_the_stores_values_an_element_that_is_new_is_unknown)
{
    note_two(); /* tombstones count, what the store does not have does not */
    scene_note_stored(scene, 2);
    cr_assert(scene->is_complete);
    const struct element *element = scene_note(scene, span_of_text("d"));
    cr_assert(element->is_loaded && element->presence == ELEMENT_UNKNOWN);
}

Test(scene, with_some_of_them_an_element_that_is_new_has_to_be_read)
{
    note_two();
    scene_note_stored(scene, 3);
    cr_assert_not(scene->is_complete);
    cr_assert_not(scene_note(scene, span_of_text("d"))->is_loaded);
}

Test(scene, an_unreadable_value_is_one_of_the_stores_too)
{
    note_two();
    scene_mark_unreadable(scene_note(scene, span_of_text("d")));
    scene_note_stored(scene, 3);
    cr_assert(scene->is_complete);
}

Test(scene, a_load_that_did_not_ask_leaves_it_as_complete_as_it_was)
{
    note_two();
    scene_note_stored(scene, UINT64_MAX);
    cr_assert_not(scene->is_complete);
    scene_note_stored(scene, 2);
    scene_note_stored(scene, UINT64_MAX);
    cr_assert(scene->is_complete);
    scene_forget(scene, false);
    cr_assert_not(scene->is_complete);
}

Test(scene, several_changes_of_an_element_are_one_write)
{
    struct element *element = scene_without(scene, "a");
    scene_begin_batch(scene);
    put(element, "{'n':1}", 100);
    put(element, "{'n':2,'longer':'than before'}", 101);
    put(element, "{'n':3}", 102);
    cr_assert_eq(scene_end_batch(scene), 6);
    cr_assert_eq(scene->dirty_count, 1);
    cr_assert_eq(scene->dirty[0], element);
    cr_assert(span_equal(element_document(element), message_of("{'n':3}")));
    cr_assert_eq(element->version, 6);
    cr_assert_eq(scene->element_count, 1);
}

Test(scene, document_is_a_copy)
{
    struct element *element = scene_without(scene, "a");
    uint8_t bytes[] = {0x81, 0xa1, 'n', 0x01};
    scene_begin_batch(scene);
    cr_assert(scene_put(scene, element, span_make(bytes, sizeof(bytes)), 0, 100));
    bytes[3] = 0x02;
    cr_assert_eq(element_number(element, "n"), 1);
}

Test(scene, counts_what_is_present)
{
    struct element *element = scene_without(scene, "a");
    scene_begin_batch(scene);
    put(element, "{}", 100);
    put(element, "{}", 100);
    cr_assert_eq(scene->element_count, 1);
    cr_assert(scene_remove(scene, element, 101, 1000));
    cr_assert(scene_remove(scene, element, 102, 1001));
    cr_assert_eq(scene->element_count, 0);
    cr_assert_eq(element->timestamp_ms, 102);
    cr_assert_eq(element->tombstone_record_ms, 1001);
}

Test(scene, batch_knows_what_it_found_and_did)
{
    struct element *old = scene_with(scene, "old", 3, 500, "{}");
    struct element *new = scene_without(scene, "new");
    scene_begin_batch(scene);
    cr_assert_eq(scene_version_before_batch(scene, old), 3);
    put(old, "{}", 500);
    put(new, "{}", 500);
    cr_assert_eq(scene_version_before_batch(scene, old), 3);
    cr_assert_not(scene_created_by_batch(scene, old));
    cr_assert(scene_created_by_batch(scene, new));
    cr_assert(scene_remove(scene, old, 501, 0));
    cr_assert(scene_removed_by_batch(scene, old));
    put(old, "{}", 501);
    cr_assert_not(scene_removed_by_batch(scene, old));
    cr_assert(scene_created_by_batch(scene, old), "anew");
    cr_assert_eq(scene_end_batch(scene), 6);

    scene_begin_batch(scene);
    cr_assert_eq(scene_version_before_batch(scene, old), 6);
    cr_assert_not(scene_created_by_batch(scene, new));
    cr_assert_not(scene_removed_by_batch(scene, old));
    cr_assert_eq(scene_end_batch(scene), 6, "no change, no version");
}

Test(scene, several_batches_before_a_commit_have_versions_of_their_own)
{
    struct element *a = scene_without(scene, "a");
    struct element *b = scene_without(scene, "b");
    scene_begin_batch(scene);
    put(a, "{}", 100);
    cr_assert_eq(scene_end_batch(scene), 6);
    scene_begin_batch(scene);
    put(b, "{}", 100);
    cr_assert_eq(scene_end_batch(scene), 7);
    cr_assert_eq(a->version, 6);
    cr_assert_eq(b->version, 7);
    cr_assert_eq(scene->committed_version, 5);
    cr_assert_eq(scene->dirty_count, 2);
}

/* Commits and what goes wrong with them. */

Test(scene, committed_scene_has_nothing_to_write)
{
    struct element *a = scene_with_tombstone(scene, "a", 3, 100);
    struct element *b = scene_with(scene, "b", 3, 100, "{}");
    scene_begin_batch(scene);
    put(a, "{}", 200);
    cr_assert(scene_remove(scene, b, 200, 1000));
    (void)scene_end_batch(scene);
    struct scene_commit commit = {.token = {.size = 3, .text = "abc"}};
    scene_committed(scene, &commit);
    cr_assert_eq(scene->dirty_count, 0);
    cr_assert_eq(scene->committed_version, 6);
    cr_assert_eq(scene->token.size, 3);
    cr_assert_not(a->is_dirty);
    cr_assert_not(a->is_indexed, "its tombstone left the index");
    cr_assert(b->is_indexed);
    scene_begin_batch(scene);
    put(a, "{}", 300);
    cr_assert_eq(scene->dirty_count, 1, "it is listed anew");
}

Test(scene, tombstone_that_the_store_dropped_is_unknown)
{
    struct element *a = scene_with_tombstone(scene, "a", 3, 100);
    struct element *b = scene_with(scene, "b", 3, 100, "{}");
    struct scene_commit commit = {.dropped_count = 3};
    commit.dropped[0] = span_of_text("a");
    commit.dropped[1] = span_of_text("b");
    commit.dropped[2] = span_of_text("never-heard-of");
    scene_committed(scene, &commit);
    cr_assert_eq(a->presence, ELEMENT_UNKNOWN);
    cr_assert_eq(a->timestamp_ms, 0);
    cr_assert_eq(a->version, 0);
    cr_assert_not(a->is_indexed);
    cr_assert_eq(b->presence, ELEMENT_PRESENT);
}

Test(scene, forgetting_drops_changes_and_positions)
{
    struct element *element = scene_with(scene, "a", 3, 100, "{'n':1}");
    struct store_position *position = scene_position(scene, span_of_text("scene.ops/0"));
    *position = (struct store_position){
        .name = position->name, .is_read = true, .known = true, .offset = 9, .timestamp_ms = 7};
    scene_begin_batch(scene);
    put(element, "{'n':2}", 200);
    scene_forget(scene, false);
    cr_assert_not(scene->is_loaded);
    cr_assert_not(element->is_loaded);
    cr_assert_eq(scene->dirty_count, 0);
    position = scene_position(scene, span_of_text("scene.ops/0"));
    cr_assert_not(position->is_read);
    cr_assert_not(position->known);
    cr_assert_eq(scene->position_count, 1);

    cr_assert(load("a", message_of("[4,150,{'n':3}]")));
    cr_assert_not(element->was_raced, "no look was kept");
    cr_assert_eq(element_number(element, "n"), 3);
}

Test(scene, look_that_was_kept_tells_what_changed_meanwhile)
{
    static const struct {
        const char *first, *second;
        bool was_raced;
    } rows[] = {
        {"[3,100,{'n':1}]", "[3,100,{'n':1}]", false},
        {"[3,100,{'n':1}]", "[4,100,{'n':1}]", true},
        {"[3,100,{'n':1}]", "[3,101,{'n':1}]", true},
        {"[3,100,{'n':1}]", "[4,101,null]", true},
        {"[3,100,{'n':1}]", NULL, true},
        {NULL, "[4,101,{'n':1}]", true},
        {NULL, NULL, false},
        {"[3,100,null]", "[3,100,null]", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span first = rows[i].first == NULL ? (struct span){0} : message_of(rows[i].first);
        struct span second = rows[i].second == NULL ? (struct span){0} : message_of(rows[i].second);
        scene_forget(scene, false);
        cr_assert(load("a", first));
        scene->is_loaded = true;
        scene_begin_batch(scene);
        /* What this worker did itself is no race. */
        put(scene_get(scene, "a"), "{'n':9}", 900);
        scene_forget(scene, true);
        cr_assert(load("a", second));
        cr_expect_eq(scene_get(scene, "a")->was_raced, rows[i].was_raced, "row %zu", i);
    }
}

Test(scene, element_first_seen_after_a_lost_race_was_not_raced)
{
    scene_forget(scene, true);
    const struct element *element = scene_with(scene, "a", 3, 100, "{}");
    cr_assert_not(element->was_raced);
}

/* Positions. */

Test(scene, position_of_each_partition_is_one)
{
    for (int i = 0; i < 20; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "scene.ops/%d", i);
        struct store_position *position = scene_position(scene, span_of_text(name));
        cr_assert_not(position->known);
        position->offset = i;
    }
    cr_assert_eq(scene_position(scene, span_of_text("scene.ops/1"))->offset, 1);
    cr_assert_eq(scene_position(scene, span_of_text("scene.ops/19"))->offset, 19);
    cr_assert_eq(scene->position_count, 20);
}

Test(scene, bytes_grow_with_what_it_holds)
{
    size_t before = scene->bytes;
    struct element *element = scene_without(scene, "a");
    cr_assert_gt(scene->bytes, before);
    before = scene->bytes;
    scene_begin_batch(scene);
    put(element, "{'text':'a hundred bytes, or about so many that it makes a difference here'}", 1);
    cr_assert_geq(scene->bytes, before + 70);
    before = scene->bytes;
    put(element, "{'text':'smaller'}", 2);
    cr_assert_eq(scene->bytes, before, "the room is kept");
}
