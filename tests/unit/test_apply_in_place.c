/*
 * Updates that are written over the stored document (element_patch_in_place()): to the scene they
 * are updates like all others. That one was written over shows in `transform_at`, which no other
 * way of storing a document leaves known.
 */
#include <criterion/criterion.h>

#include "tests/support/apply_fixture.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

/* A drag to `x`, which has one digit before the point and one behind it. */
#define DRAG(x, t) DRAG_ON("null", x, t)
#define DRAG_ON(base, x, t)                                                                        \
    "{'op':'update','id':'a','changes':{'transform':{'x':" #x "}},'timestamp':" #t                 \
    ",'base_version':" base "}"
#define TEXT(text, t)                                                                              \
    "{'op':'update','id':'a','changes':{'kind':{'data':{'content':'" text "'}}},'timestamp':" #t "}"
#define DOCUMENT(text, x)                                                                          \
    "{'id':'a','kind':{'type':'T','data':{'content':'" text "'}},'transform':{'x':" #x "}}"

static struct apply_fixture fixture;

static void make(void)
{
    apply_fixture_begin(&fixture);
}

static void destroy(void)
{
    apply_fixture_end(&fixture);
}

TestSuite(apply_in_place, .init = make, .fini = destroy);

static struct element *given(const char *document)
{
    return scene_with(fixture.scene, "a", LOCAL_VERSION, LOCAL_MS, document);
}

static void begin_next_batch(void)
{
    const struct scene_commit commit = {.token = {.size = 3, .text = "abc"}};
    (void)scene_end_batch(fixture.scene);
    scene_committed(fixture.scene, &commit);
    scene_begin_batch(fixture.scene);
}

/** An element whose kind is known to be valid, as the last batch left it: at SCENE_VERSION + 1. */
static struct element *given_checked(void)
{
    struct element *element = given(DOCUMENT("abc", 1.5));
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG(1.5, 100)).status, OUTCOME_SYNCED);
    cr_assert_eq(element->transform_at, 0);
    begin_next_batch();
    return element;
}

static void apply(const char *json)
{
    struct outcome outcome = apply_fixture_apply(&fixture, json);
    cr_assert_eq(outcome.status, OUTCOME_SYNCED, "%s", json);
    cr_assert_eq(outcome.reason, CONFLICT_NONE, "%s", json);
}

static void assert_document(const char *json)
{
    cr_assert(span_equal(element_document(scene_get(fixture.scene, "a")), message_of(json)), "%s",
              json);
}

Test(apply_in_place, moves_version_and_timestamp)
{
    struct element *element = given_checked();
    cr_assert_eq(element->version, SCENE_VERSION + 1);
    cr_assert_eq(element->timestamp_ms, 100);
    apply(DRAG(2.5, 200));
    cr_assert_neq(element->transform_at, 0);
    assert_document(DOCUMENT("abc", 2.5));
    cr_assert_eq(element->version, SCENE_VERSION + 2);
    cr_assert_eq(element->timestamp_ms, 200);
    apply(TEXT("x", 201));
    cr_assert_neq(element->transform_at, 0);
    assert_document(DOCUMENT("x", 2.5));
    cr_assert_eq(element->version, SCENE_VERSION + 2);
    cr_assert_eq(element->timestamp_ms, 201);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 2);
    cr_assert_eq(element->presence, ELEMENT_PRESENT);
    cr_assert_eq(fixture.scene->element_count, 1);
}

Test(apply_in_place, moves_the_version_where_no_byte_changes)
{
    struct element *element = given_checked();
    apply("{'op':'update','id':'a','changes':{'transform':{}},'timestamp':200}");
    cr_assert_neq(element->transform_at, 0);
    assert_document(DOCUMENT("abc", 1.5));
    cr_assert_eq(element->timestamp_ms, 200);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 2);
}

Test(apply_in_place, never_sets_the_timestamp_back)
{
    struct element *element = given_checked();
    apply(DRAG(2.5, 300));
    begin_next_batch();
    apply(DRAG_ON("7", 3.5, 200));
    assert_document(DOCUMENT("abc", 3.5));
    cr_assert_eq(element->timestamp_ms, 300);
    cr_assert_eq(element->version, SCENE_VERSION + 3);
}

Test(apply_in_place, is_not_for_what_a_conflict_keeps_out)
{
    struct element *element = given_checked();
    apply(DRAG(2.5, 200));
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG(3.5, 199)).code, ERROR_STALE_TIMESTAMP);
    fixture.context.strategy = STRATEGY_LOCAL_WINS;
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG_ON("5", 4.5, 300)).code,
                 ERROR_CONCURRENT_MODIFICATION);
    assert_document(DOCUMENT("abc", 2.5));
    cr_assert_eq(element->timestamp_ms, 200);
}

Test(apply_in_place, base_version_is_compared_with_the_version_before_the_batch)
{
    struct element *element = given_checked();
    fixture.context.strategy = STRATEGY_LOCAL_WINS;
    apply(DRAG_ON("6", 2.5, 200));
    apply(DRAG_ON("6", 3.5, 201)); /* its own change is none */
    cr_assert_neq(element->transform_at, 0);
    begin_next_batch();
    struct outcome outcome = apply_fixture_apply(&fixture, DRAG_ON("6", 4.5, 300));
    cr_assert_eq(outcome.code, ERROR_CONCURRENT_MODIFICATION);
    cr_assert_eq(outcome.local.version, SCENE_VERSION + 2);
    apply(DRAG_ON("7", 5.5, 300));
    assert_document(DOCUMENT("abc", 5.5));
}

Test(apply_in_place, lists_the_element_once_for_the_commit)
{
    struct element *element = given_checked();
    cr_assert_eq(fixture.scene->dirty_count, 0);
    cr_assert_not(element->is_dirty);
    for (unsigned i = 0; i < 3; i++) {
        apply(DRAG(2.5, 200));
        apply(TEXT("xy", 200));
        cr_assert_eq(fixture.scene->dirty_count, 1);
        cr_assert_eq(fixture.scene->dirty[0], element);
        cr_assert(element->is_dirty);
    }
    struct buffer head;
    buffer_init(&head, 64);
    cr_assert(span_equal(element_value_encode(element, &head), message_of(DOCUMENT("xy", 2.5))));
    buffer_append(&head, element->document, element->document_bytes);
    cr_assert(span_equal(buffer_span(&head), message_of("[7,200," DOCUMENT("xy", 2.5) "]")));
    buffer_deinit(&head);
    begin_next_batch();
    apply(DRAG(3.5, 300));
    cr_assert_eq(fixture.scene->dirty_count, 1);
}

/* The commit was refused: the scene is read again, and the element with it. */
static void read_again(uint64_t version, uint64_t timestamp_ms)
{
    scene_forget(fixture.scene, true);
    fixture.scene->element_count = 0;
    fixture.scene->version = SCENE_VERSION + 2;
    fixture.scene->is_loaded = true;
    scene_with(fixture.scene, "a", version, timestamp_ms, DOCUMENT("abc", 1.5));
    scene_begin_batch(fixture.scene);
}

Test(apply_in_place, keeps_the_first_look_from_before_its_change)
{
    struct element *element = given_checked();
    apply(DRAG(2.5, 200));
    cr_assert(element->has_first_look);
    cr_assert_eq(element->first_presence, ELEMENT_PRESENT);
    cr_assert_eq(element->first_version, SCENE_VERSION + 1);
    cr_assert_eq(element->first_timestamp_ms, 100);
    apply(DRAG(3.5, 300));
    cr_assert_eq(element->first_timestamp_ms, 100);
    /* Another element was changed by others, not this one. */
    read_again(SCENE_VERSION + 1, 100);
    apply(DRAG(2.5, 200));
    apply(DRAG(3.5, 300));
    assert_document(DOCUMENT("abc", 3.5));
    read_again(SCENE_VERSION + 2, 150);
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG(2.5, 200)).reason,
                 CONFLICT_CONCURRENT_MODIFICATION);
    assert_document(DOCUMENT("abc", 2.5));
}

/* ---- When it is not taken ---- */

Test(apply_in_place, checks_what_was_just_read_from_the_store)
{
    struct element *element = given(DOCUMENT("abc", 1.5));
    apply(DRAG(2.5, 200));
    cr_assert_eq(element->transform_at, 0, "it was copied, and its kind checked");
    cr_assert(element->has_checked_kind);
    apply(DRAG(3.5, 200));
    cr_assert_neq(element->transform_at, 0);
    assert_document(DOCUMENT("abc", 3.5));
}

Test(apply_in_place, refuses_an_update_of_a_kind_that_others_made_invalid)
{
    static const char invalid[] = "{'id':'a','kind':{'type':5},'transform':{'x':1.5},'n':7}";
    struct element *element = given(invalid);
    struct outcome outcome = apply_fixture_apply(&fixture, DRAG(2.5, 200));
    cr_assert_eq(outcome.code, ERROR_INVALID_OPERATION);
    outcome_expect_says(outcome, "kind.type is an integer");
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 8, 200)).code, ERROR_INVALID_OPERATION);
    assert_document(invalid);
    cr_assert_eq(element->version, LOCAL_VERSION);
    cr_assert_eq(fixture.scene->dirty_count, 0);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
}

Test(apply_in_place, checks_again_what_is_read_again)
{
    struct element *element = given_checked();
    apply(DRAG(2.5, 200));
    cr_assert_neq(element->transform_at, 0);
    scene_forget(fixture.scene, false);
    fixture.scene->is_loaded = true;
    given("{'id':'a','transform':{'x':1.5},'kind':{'type':5}}");
    cr_assert_eq(element->transform_at, 0);
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG(3.5, 300)).code, ERROR_INVALID_OPERATION);
}

#define OTHER_TRANSFORM(x) "{'z_index':1,'rotation':2,'height':3,'width':4,'y':5,'x':" x "}"

Test(apply_in_place, finds_the_transform_where_an_add_has_put_it)
{
    struct element *element = given_checked();
    apply(DRAG(2.5, 200));
    cr_assert_neq(element->transform_at, 0);
    const char *add = "{'op':'add','element':{'n':{'x':1.5},'transform':" OTHER_TRANSFORM(
        "1.5") ",'id':'a',"
               "'selected':true,'interactive':true,'parent':'p','kind':{'type':'T'}},'timestamp':"
               "200}";
    cr_assert_eq(apply_fixture_apply(&fixture, add).status, OUTCOME_SYNCED);
    cr_assert_eq(element->transform_at, 0);
    apply(DRAG(3.5, 200));
    cr_assert_neq(element->transform_at, 0);
    assert_document("{'n':{'x':1.5},'transform':" OTHER_TRANSFORM(
        "3.5") ",'id':'a',"
               "'selected':true,'interactive':true,'parent':'p','kind':{'type':'T'}}");
}

Test(apply_in_place, is_not_for_elements_with_clocks)
{
    struct element *element = given_checked();
    fixture.context.strategy = STRATEGY_MERGE;
    apply(DRAG(2.5, 200));
    cr_assert_eq(element->transform_at, 0);
    cr_assert_gt(element->clocks_bytes, 0, "what was written when is noted");
    apply(DRAG(3.5, 300));
    cr_assert_eq(element->transform_at, 0);
    /* Whatever the next batch's strategy is, it has clocks. */
    fixture.context.strategy = STRATEGY_LAST_WRITE_WINS;
    apply(DRAG(4.5, 400));
    apply(TEXT("x", 400));
    cr_assert_eq(element->transform_at, 0);
    assert_document(DOCUMENT("x", 4.5));
    fixture.context.strategy = STRATEGY_MERGE;
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG(5.5, 399)).code, ERROR_STALE_TIMESTAMP);
    assert_document(DOCUMENT("x", 4.5));
}

Test(apply_in_place, leaves_what_fails_as_it_was)
{
    struct element *element = given_checked();
    apply(DRAG(2.5, 200));
    begin_next_batch();
    fixture.limits.text_bytes_max = 3;
    struct outcome outcome = apply_fixture_apply(&fixture, TEXT("abcd", 300));
    cr_assert_eq(outcome.code, ERROR_INVALID_OPERATION);
    fixture.limits = limits_default();
    fixture.limits.element_bytes_max = element->document_bytes - 1;
    cr_assert_eq(apply_fixture_apply(&fixture, DRAG(3.5, 300)).code, ERROR_ELEMENT_TOO_LARGE);
    assert_document(DOCUMENT("abc", 2.5));
    cr_assert_eq(element->timestamp_ms, 200);
    cr_assert_eq(fixture.scene->dirty_count, 0);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 2);
}
