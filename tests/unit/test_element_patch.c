#include "protocol/element.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "protocol/pack.h"
#include "tests/support/messages.h"

static struct arena arena;
static struct buffer out;
static struct error error;
static struct limits limits;

static void make(void)
{
    arena_init(&arena, (size_t)64 << 20);
    buffer_init(&out, (size_t)16 << 20);
    limits = limits_default();
}

static void destroy(void)
{
    arena_deinit(&arena);
    buffer_deinit(&out);
}

TestSuite(element_patch, .init = make, .fini = destroy);

static struct span patch(struct span document, struct span changes)
{
    buffer_clear(&out);
    error = (struct error){0};
    cr_assert(element_patch((struct element_document){.bytes = document}, changes, &limits, &arena,
                            &out, &error),
              "%s", error.message);
    struct wire_structure structure;
    cr_assert(wire_check_structure(buffer_span(&out), &structure, &error), "%s", error.message);
    cr_assert(wire_check_strict(buffer_span(&out), &arena, ERROR_INVALID_OPERATION, &error), "%s",
              error.message);
    return bytes_keep(buffer_span(&out));
}

static void assert_patched(const char *document, const char *changes, const char *expected)
{
    cr_assert(span_equal(patch(message_of(document), message_of(changes)), message_of(expected)),
              "%s with %s is not %s", document, changes, expected);
}

/* What every document must have and no case here touches. */
#define K "'kind':{'type':'Box'}"

static void assert_refused(const char *document, const char *changes, enum error_code code,
                           const char *message)
{
    buffer_clear(&out);
    buffer_append(&out, "before", 6);
    cr_assert_not(element_patch((struct element_document){.bytes = message_of(document)},
                                message_of(changes), &limits, &arena, &out, &error));
    cr_assert_eq(error.code, code);
    cr_assert_str_eq(error.message, message, "\"%s\"", error.message);
    cr_assert(span_equal_text(buffer_span(&out), "before"));
    cr_assert_not(out.failed);
}

Test(element_patch, merges_as_rfc_7396_has_it)
{
    static const struct {
        const char *target, *changes, *expected;
    } cases[] = {
        {"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
        {"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
        {"{'a':'b'}", "{'a':null}", "{}"},
        {"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
        {"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
        {"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
        {"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
        {"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
        {"{'a':['a','b']}", "{'a':['c','d']}", "{'a':['c','d']}"},
        {"{'a':'foo'}", "{'a':{'b':{'c':null}}}", "{'a':{'b':{}}}"},
        {"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
        {"{'a':[1,2]}", "{'a':{'b':'c','d':null}}", "{'a':{'b':'c'}}"},
        {"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
        {"{'a':{'b':{'c':1}}}", "{'a':{'b':null}}", "{'a':{}}"},
        {"{'a':1}", "{}", "{'a':1}"},
        {"{'a':1}", "{'z':null}", "{'a':1}"},
        {"{'a':{'b':1}}", "{'a':{}}", "{'a':{'b':1}}"},
        {"{'a':1}", "{'a':{}}", "{'a':{}}"},
        {"{}", "{'a':[null,{'b':null}]}", "{'a':[null,{'b':null}]}"},
        {"{'a':null}", "{'a':{'b':1}}", "{'a':{'b':1}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* As unknown fields beside a kind, and further down in its data. */
        char hex[3][400];
        const char *parts[3] = {cases[i].target, cases[i].changes, cases[i].expected};
        for (size_t part = 0; part < 3; part++) {
            struct span bytes = message_of(parts[part]);
            for (size_t at = 0; at < bytes.size; at++) {
                (void)snprintf(hex[part] + 2 * at, 3, "%02x", bytes.data[at]);
            }
        }
        struct span document = message_of_format("{'w':'hex:%s'," K "}", hex[0]);
        struct span changes = message_of_format("{'w':'hex:%s'}", hex[1]);
        struct span expected = message_of_format("{'w':'hex:%s'," K "}", hex[2]);
        cr_assert(span_equal(patch(document, changes), expected), "case %zu, unknown field", i);

        document = message_of_format("{'kind':{'type':'Box','data':'hex:%s'}}", hex[0]);
        changes = message_of_format("{'kind':{'data':'hex:%s'}}", hex[1]);
        expected = message_of_format("{'kind':{'type':'Box','data':'hex:%s'}}", hex[2]);
        cr_assert(span_equal(patch(document, changes), expected), "case %zu, data", i);
    }
}

Test(element_patch, keeps_the_place_of_keys_and_appends_new_ones)
{
    assert_patched("{'a':1,'b':2," K ",'c':3}", "{'n':9,'c':30,'m':8,'a':10}",
                   "{'a':10,'b':2," K ",'c':30,'n':9,'m':8}");
    assert_patched("{'a':1,'b':2," K ",'c':3}", "{'a':null,'c':null,'d':4}", "{'b':2," K ",'d':4}");
}

Test(element_patch, ignores_the_id)
{
    assert_patched("{'id':'a'," K "}", "{'id':'b'}", "{'id':'a'," K "}");
    assert_patched("{'id':'a'," K "}", "{'id':null,'x':1}", "{'id':'a'," K ",'x':1}");
    assert_patched("{" K "}", "{'id':'b'}", "{" K "}");
}

Test(element_patch, ignores_kind_and_transform_that_are_not_maps)
{
    const char *document = "{" K ",'transform':{'x':1}}";
    assert_patched(document, "{'kind':null,'transform':null}", document);
    assert_patched(document, "{'kind':'Text','transform':[1,2]}", document);
    assert_patched(document, "{'kind':7,'transform':7,'own':1}",
                   "{" K ",'transform':{'x':1},'own':1}");
}

Test(element_patch, ignores_values_that_an_add_would_refuse)
{
    const char *document = "{" K ",'transform':{'x':1,'z_index':2},'interactive':true,"
                           "'selected':false,'parent':'p'}";
    assert_patched(document,
                   "{'transform':{'x':null,'y':'1','width':'hex:cb7ff8000000000000',"
                   "'height':'hex:caff800000','rotation':[],'z_index':0.5},"
                   "'interactive':null,'selected':0,'parent':'a b'}",
                   document);
    assert_patched(document,
                   "{'transform':{'z_index':null,'x':true},'interactive':'yes','selected':null,"
                   "'parent':7}",
                   document);
    assert_patched(document, "{'transform':{'x':5,'y':null},'selected':true,'parent':{}}",
                   "{" K ",'transform':{'x':5,'z_index':2},'interactive':true,'selected':true,"
                   "'parent':'p'}");
}

Test(element_patch, stores_parents_normalised_and_nil)
{
    const char *document = "{" K ",'parent':'p'}";
    assert_patched(document, "{'parent':null}", "{" K ",'parent':null}");
    assert_patched(document, "{'parent':'q'}", "{" K ",'parent':'q'}");
    assert_patched(document, "{'parent':'bin:0f8fad5bd9cb469fa16570867728950e'}",
                   "{" K ",'parent':'0f8fad5b-d9cb-469f-a165-70867728950e'}");
    assert_patched(document, "{'parent':'0F8FAD5B-D9CB-469F-A165-70867728950E'}",
                   "{" K ",'parent':'0f8fad5b-d9cb-469f-a165-70867728950e'}");
    assert_patched("{" K "}", "{'parent':null}", "{" K ",'parent':null}");
    /* Text that is normal already keeps its encoding. */
    assert_patched(document, "{'parent':'hex:d90171'}", "{" K ",'parent':'hex:d90171'}");
}

Test(element_patch, clamps_numbers_of_the_transform)
{
    assert_patched("{" K ",'transform':{'x':1,'z_index':2}}",
                   "{'transform':{'x':1e300,'z_index':-1e300,'y':-1e300,'width':3.25}}",
                   "{" K ",'transform':{'x':'hex:cb47efffffe0000000','z_index':-2147483648,"
                   "'y':'hex:cbc7efffffe0000000','width':3.25}}");
    assert_patched("{" K ",'transform':{'z_index':2}}", "{'transform':{'z_index':7.0}}",
                   "{" K ",'transform':{'z_index':7}}");
}

Test(element_patch, treats_unknown_fields_of_the_transform_as_any_other)
{
    assert_patched("{" K ",'transform':{'x':1,'own':{'a':1},'old':2}}",
                   "{'transform':{'own':{'b':2},'old':null,'new':[null]}}",
                   "{" K ",'transform':{'x':1,'own':{'a':1,'b':2},'new':[null]}}");
}

Test(element_patch, knows_fields_on_their_own_level_only)
{
    assert_patched("{" K ",'own':{'id':'a','parent':'b','transform':{'x':1}}}",
                   "{'own':{'id':'c','parent':null,'transform':{'x':'far'}}}",
                   "{" K ",'own':{'id':'c','transform':{'x':'far'}}}");
    assert_patched("{" K ",'x':1,'z_index':1}", "{'x':null,'z_index':'up'}",
                   "{" K ",'z_index':'up'}");
    assert_patched("{" K ",'transform':{'id':'a','parent':'b'}}",
                   "{'transform':{'id':'c','parent':null}}", "{" K ",'transform':{'id':'c'}}");
}

Test(element_patch, mends_documents_that_others_wrote)
{
    assert_patched("{" K "}", "{'transform':{'x':1,'y':null},'selected':true}",
                   "{" K ",'transform':{'x':1},'selected':true}");
    assert_patched("{" K ",'transform':7}", "{'transform':{'x':1}}", "{" K ",'transform':{'x':1}}");
    /* But not where the change says nothing. */
    assert_patched("{" K "}", "{'transform':{'x':'far','y':null}}", "{" K "}");
    assert_patched("{" K ",'transform':7}", "{'transform':{'y':[]}}", "{" K ",'transform':7}");
    assert_patched("{" K ",'transform':7}", "{'transform':{}}", "{" K ",'transform':{}}");
    assert_patched("{'kind':'Box'}", "{'kind':{'type':'Text'}}", "{'kind':{'type':'Text'}}");
    assert_patched("{}", "{'kind':{'type':'Text','data':null}}", "{'kind':{'type':'Text'}}");
}

Test(element_patch, refuses_to_leave_kind_without_a_type)
{
    const char *document = "{" K "}";
    assert_refused(document, "{'kind':{'type':null}}", ERROR_INVALID_OPERATION,
                   "kind has no type; send kind as a map with a str type");
    assert_refused(document, "{'kind':{'type':5}}", ERROR_INVALID_OPERATION,
                   "kind.type is an integer; send kind as a map with a str type");
    assert_refused(document, "{'kind':{'type':{}}}", ERROR_INVALID_OPERATION,
                   "kind.type is a map; send kind as a map with a str type");
    assert_refused("{'id':'a'}", "{'selected':true}", ERROR_INVALID_OPERATION,
                   "the element has no kind; send kind as a map with a str type");
}

Test(element_patch, limits_the_text)
{
    limits.text_bytes_max = 3;
    const char *document = "{'kind':{'type':'T','data':{'content':'abc'}}}";
    assert_patched(document, "{'kind':{'data':{'content':'xyz'}}}",
                   "{'kind':{'type':'T','data':{'content':'xyz'}}}");
    assert_refused(document, "{'kind':{'data':{'content':'wxyz'}}}", ERROR_INVALID_OPERATION,
                   "kind.data.content is a text of 4 bytes; limits.max_text_bytes allows 3: "
                   "shorten it");
}

Test(element_patch, looks_again_at_a_valid_kind_where_changes_may_spoil_it)
{
    static const struct {
        const char *changes;
        bool is_fine;
    } cases[] = {
        {"{'kind':{'data':{'content':'wxyz'}}}", false},
        {"{'kind':{'type':null}}", false},
        {"{'kind':{'type':5}}", false},
        {"{'kind':{'type':{}}}", false},
        {"{'kind':{'data':{'content':'xyz'}}}", true},
        {"{'kind':{'data':{'content':[1,2,3,4,5,6,7]}}}", true},
        {"{'kind':{'type':'another','data':null}}", true},
        {"{'kind':null}", true}, /* ignored */
        {"{'a':'longer than a text'}", true},
    };
    limits.text_bytes_max = 3;
    struct element_document document = {
        .bytes = message_of("{'kind':{'type':'T','data':{'content':'abc'}}}"),
        .has_checked_kind = true,
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_clear(&out);
        bool is_fine =
            element_patch(document, message_of(cases[i].changes), &limits, &arena, &out, &error);
        cr_assert_eq(is_fine, cases[i].is_fine, "%s", cases[i].changes);
        cr_assert(is_fine || (error.code == ERROR_INVALID_OPERATION && out.size == 0));
    }
}

Test(element_patch, limits_the_size_of_the_result)
{
    const char *document = "{" K ",'a':1}";
    limits.element_bytes_max = message_of(document).size + 2;
    assert_patched(document, "{'a':300}", "{" K ",'a':300}");
    assert_refused(document, "{'a':70000}", ERROR_ELEMENT_TOO_LARGE,
                   "the element would have 23 bytes; limits.max_element_bytes allows 21: make it "
                   "smaller, or raise it");
}

Test(element_patch, keeps_untouched_bytes_exactly)
{
    /* {"id": "a", "kind": …, "n": 2^64-1, "f": 0.1, "e": [], "l": 5 as a uint 64, "t": 1} with
     * heads longer than due. */
    const char *head = "de0007 da00026964 d90161 a46b696e64 df00000001 d90474797065 d901 42"
                       "a16e cfffffffffffffffff a166 cb3fb999999999999a a165 dc0000"
                       "a16c cf0000000000000005 da000174";
    char before[300], after[300];
    (void)snprintf(before, sizeof before, "%s 01", head);
    (void)snprintf(after, sizeof after, "%s 02", head);
    cr_assert(span_equal(patch(bytes_of_hex(before), message_of("{'t':2}")), bytes_of_hex(after)));
    cr_assert(span_equal(patch(bytes_of_hex(before), message_of("{}")), bytes_of_hex(before)));
    cr_assert(
        span_equal(patch(bytes_of_hex(before), message_of("{'kind':{}}")), bytes_of_hex(before)));
    /* Values of a change are stored as they came, too. */
    (void)snprintf(after, sizeof after, "%s cf0000000000000002", head);
    cr_assert(span_equal(patch(bytes_of_hex(before), bytes_of_hex("81 a174 cf0000000000000002")),
                         bytes_of_hex(after)));
}

Test(element_patch, says_so_when_memory_is_short_and_leaves_nothing_behind)
{
    struct span document = message_of("{" K ",'a':{'b':1}}");
    struct span changes = message_of("{'a':{'b':2,'c':3},'d':'long enough','parent':'bin:"
                                     "0f8fad5bd9cb469fa16570867728950e'}");
    struct span whole = patch(document, changes);
    for (size_t room = 0; room < whole.size; room++) {
        struct buffer small;
        buffer_init(&small, 6 + room);
        buffer_append(&small, "before", 6);
        cr_assert_not(element_patch((struct element_document){.bytes = document}, changes, &limits,
                                    &arena, &small, &error));
        cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
        cr_assert(span_equal_text(buffer_span(&small), "before"));
        buffer_deinit(&small);
    }
    arena_reset(&arena);
    (void)patch(document, changes);
    size_t needed = arena.used_bytes;
    bool succeeded = false;
    for (size_t room = 0; room <= needed; room += 16) {
        struct arena small;
        arena_init(&small, room);
        buffer_clear(&out);
        succeeded = element_patch((struct element_document){.bytes = document}, changes, &limits,
                                  &small, &out, &error);
        cr_assert(succeeded || error.code == ERROR_OUT_OF_MEMORY);
        cr_assert_eq(out.size, succeeded ? whole.size : 0);
        arena_deinit(&small);
    }
    cr_assert(succeeded);
}

/** A map of kind and `count` keys "k<step * i>", each with `value`. */
static struct span wide_map(unsigned count, unsigned step, uint64_t value)
{
    struct buffer map;
    buffer_init(&map, (size_t)16 << 20);
    pack_map(&map, count + 1);
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", step * i);
        pack_text(&map, key);
        pack_uint(&map, value);
    }
    pack_text(&map, "kind");
    pack_raw(&map, message_of("{'type':'Box'}"));
    struct span kept = bytes_keep(buffer_span(&map));
    buffer_deinit(&map);
    return kept;
}

Test(element_patch, merges_maps_of_every_size_around_the_index)
{
    for (unsigned count = 1; count < 40; count++) {
        for (unsigned changed = 1; changed < 40; changed++) {
            struct span result = patch(wide_map(count, 1, 1), wide_map(changed, 2, 2));
            unsigned added = 0;
            for (unsigned i = 0; i < changed; i++) {
                added += 2 * i >= count;
            }
            cr_assert_eq(wire_peek(result).count, count + added + 1);
            for (unsigned i = 0; i < 80; i++) {
                char key[16];
                (void)snprintf(key, sizeof key, "k%u", i);
                bool is_changed = i % 2 == 0 && i / 2 < changed;
                struct span value = wire_map_find(result, key);
                cr_assert_eq(span_is_absent(value), i >= count && !is_changed);
                cr_assert(span_is_absent(value) || wire_peek(value).uint == (is_changed ? 2 : 1));
            }
        }
        arena_reset(&arena);
    }
}

Test(element_patch, merges_100000_keys_in_bounded_time)
{
    limits.element_bytes_max = (size_t)16 << 20;
    struct span document = wide_map(100000, 1, 1);
    struct span changes = wide_map(100000, 2, 2);
    clock_t before = clock();
    struct span result = patch(document, changes);
    /* Comparing each with each would take minutes. */
    cr_assert_lt((double)(clock() - before) / CLOCKS_PER_SEC, 5.0);
    cr_assert_eq(wire_peek(result).count, 150001);
}

Test(element_patch, merges_at_the_deepest_nesting_there_is)
{
    enum { DEEPEST = LIMITS_DEPTH_CEILING + 8 };
    static const uint8_t step[] = {0x81, 0xa1, 'a'}; /* {"a": */
    uint8_t nested[sizeof step * DEEPEST + 1];
    for (size_t i = 0; i < DEEPEST; i++) {
        memcpy(nested + sizeof step * i, step, sizeof step);
    }
    nested[sizeof step * DEEPEST] = 0x01;
    size_t size = sizeof nested;
    struct span document = message_of("{" K "}");
    struct span result = patch(document, span_make(nested, size));
    cr_assert_eq(result.size, document.size + size - 1);
}
