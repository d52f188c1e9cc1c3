/* Changes written over the stored document, case by case. */
#include "tests/support/in_place_fixture.h"

#include <criterion/criterion.h>

#include "protocol/pack.h"
#include "tests/support/messages.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

TestSuite(element_in_place, .init = in_place_make, .fini = in_place_destroy);

#define KIND "'kind':{'type':'T','data':{'content':'abc','size':12}}"
#define TRANSFORM                                                                                  \
    "'transform':{'x':1.5,'y':2.5,'width':3,'height':300,'z_index':4,'own':5,'rotation':0.5}"
#define DOCUMENT                                                                                   \
    "{'id':'a'," KIND "," TRANSFORM ",'interactive':true,'selected':false,'parent':'p','n':7,"     \
    "'own':{'a':{'b':'c','list':[1,{'x':2}]},'m':{},'nil':null}}"

static void assert_taken(const char *document, const char *changes)
{
    in_place_store(message_of(document), 64);
    cr_assert(in_place_change(message_of(changes)), "%s leaves %s", document, changes);
    cr_assert(in_place_change(message_of(changes)), "%s leaves %s the second time", document,
              changes);
}

static void assert_left(const char *document, const char *changes)
{
    in_place_store(message_of(document), 64);
    cr_assert_not(in_place_change(message_of(changes)), "%s takes %s", document, changes);
    cr_assert_not(in_place_change(message_of(changes)), "%s takes %s the second time", document,
                  changes);
}

/* ---- The transform ---- */

Test(element_in_place, takes_numbers_that_are_as_long_and_in_order)
{
    static const char *const cases[] = {
        "{'x':9.5}",
        "{'x':1.5}",
        "{'x':-0.0}",
        "{'rotation':9.5}",
        "{'width':127}",
        "{'width':-32}",
        "{'height':256}",
        "{'z_index':0}",
        "{'height':'hex:d17fff'}", /* another encoding of as many bytes */
        "{'x':9.5,'y':8.5}",
        "{'y':8.5,'z_index':5}",
        "{'x':9.5,'y':8.5,'width':7,'height':600,'z_index':5,'rotation':4.5}",
        "{}",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        in_place_store(message_of(DOCUMENT), 0);
        cr_assert(in_place_change(message_of_format("{'transform':%s}", cases[i])), "%s", cases[i]);
        cr_assert_neq(in_place.room.transform_at, 0);
    }
}

Test(element_in_place, leaves_other_transforms)
{
    static const char *const cases[] = {
        "{'y':8.5,'x':9.5}",                /* in another order */
        "{'x':9.5,'rotation':1.5,'y':8.5}", /* the last one is */
        "{'x':9}",                          /* shorter */
        "{'x':9.5,'height':3}",             /* the last one is */
        "{'width':300}",                    /* longer */
        "{'x':9.5,'y':8.5,'width':300}",    /* the last one is */
        "{'x':1e300}",                      /* clamped */
        "{'x':9.5,'y':-1e300}",
        "{'x':'hex:cb7ff0000000000000'}", /* refused: infinity, and what is no number */
        "{'x':'hex:cb7ff8000000000000'}",
        "{'x':'12345678'}",
        "{'width':null}",
        "{'width':true}",
        "{'width':[]}",
        "{'width':{}}",
        "{'own':6}", /* a field that the protocol does not know */
        "{'new':6}",
        "{'x':9.5,'own':6}",
        "{'x':9.5,'y':8.5,'width':7,'height':600,'z_index':5,'rotation':4.5,'own':6}",
        "{'x':9.5,'y':8.5,'width':7,'height':600,'z_index':5,'own':6,'rotation':4.5}",
        "null",
        "7",
        "[{'x':9.5}]",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        in_place_store(message_of(DOCUMENT), 64);
        cr_assert_not(in_place_change(message_of_format("{'transform':%s}", cases[i])), "%s",
                      cases[i]);
        /* Also where the transform's place is known. */
        cr_assert(in_place_change(message_of("{'transform':{}}")));
        cr_assert_not(in_place_change(message_of_format("{'transform':%s}", cases[i])), "%s",
                      cases[i]);
    }
}

Test(element_in_place, leaves_numbers_that_the_document_does_not_have)
{
    assert_left("{" KIND ",'transform':{'x':1.5}}", "{'transform':{'y':2.5}}");
    assert_left("{" KIND ",'transform':{'x':1.5}}", "{'transform':{'x':2.5,'y':2.5}}");
    assert_left("{" KIND ",'transform':{}}", "{'transform':{'x':2.5}}");
    assert_taken("{" KIND ",'transform':{}}", "{'transform':{}}");
    assert_left("{" KIND ",'y':1}", "{'transform':{'y':2}}");
    assert_left("{" KIND ",'y':1}", "{'transform':{}}");
    assert_left("{" KIND ",'own':{'transform':{'x':1}}}", "{'transform':{'x':2}}");
    static const char *const others[] = {"7", "null", "'x'", "[{'x':1}]", "true"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        in_place_store(message_of_format("{" KIND ",'transform':%s,'own':{'x':1}}", others[i]), 64);
        cr_assert_not(in_place_change(message_of("{'transform':{}}")), "%s", others[i]);
        cr_assert_not(in_place_change(message_of("{'transform':{'x':2}}")), "%s", others[i]);
        cr_assert_eq(in_place.room.transform_at, 0);
    }
}

Test(element_in_place, leaves_a_number_that_is_stored_in_another_encoding)
{
    /* Others may have stored a z_index as a float: a copy has it as an integer. */
    const char *document = "{" KIND ",'transform':{'z_index':4.0,'x':'12345678'}}";
    assert_left(document, "{'transform':{'z_index':5.0}}");
    assert_left(document, "{'transform':{'z_index':5.5}}");
    assert_taken(document, "{'transform':{'z_index':'hex:cf0000000000000005'}}");
    assert_left(document, "{'transform':{'z_index':'hex:cf0000000080000000'}}"); /* 2^31 */
    /* What is in a number's place is none of the change's business. */
    assert_taken(document, "{'transform':{'x':1.5}}");
}

/* ---- One value ---- */

Test(element_in_place, takes_one_value)
{
    static const char *const cases[] = {
        "{'kind':{'data':{'content':'xyz'}}}",
        "{'kind':{'data':{'content':''}}}",
        "{'kind':{'type':'Longer'}}",
        "{'kind':{'data':{'content':'longer than it was before'}}}",
        "{'kind':{'data':{'content':[null,{'type':5}]}}}",
        "{'kind':{'data':{'size':13}}}",
        "{'kind':{'data':'a scalar over a map'}}",
        "{'interactive':false}",
        "{'selected':true}",
        "{'n':8}",
        "{'n':'hex:cf0000000000000007'}",
        "{'n':'a text in the place of a number'}",
        "{'n':[1,null,{'n':null}]}",
        "{'n':'bin:0011'}",
        "{'own':{'a':{'b':'d'}}}",
        "{'own':{'a':{'list':[]}}}",
        "{'own':{'a':7}}",
        "{'own':{'m':7}}",
        "{'own':{'nil':false}}",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_taken(DOCUMENT, cases[i]);
    }
    /* Others may have stored something else in a flag's place. */
    assert_taken("{" KIND ",'selected':{'selected':7},'interactive':7}", "{'selected':true}");
    assert_taken("{" KIND ",'selected':{'selected':7},'interactive':7}", "{'interactive':true}");
    assert_taken(DOCUMENT, "{'own':[]}");
    assert_taken("{" KIND ",'own':{'id':'a','parent':'b','transform':{'x':1},'selected':2}}",
                 "{'own':{'transform':{'x':'far'}}}");
}

Test(element_in_place, leaves_what_is_not_one_value)
{
    static const char *const cases[] = {
        "{}",
        "{'n':8,'selected':true}",
        "{'transform':{'x':9.5},'n':8}",
        "{'n':8,'transform':{'x':9.5}}",
        "{'kind':{}}",
        "{'kind':{'data':{}}}",
        "{'kind':{'data':{'content':'xyz','size':13}}}",
        "{'kind':{'data':7,'own':8}}",
        "{'own':{}}",
        "{'own':{'m':{}}}",
        "{'own':{'m':7,'nil':8}}",
        "{'own':{'a':{'b':'d','list':[]}}}",
        "{'own':{'a':{'b':'d','c':null}}}",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_left(DOCUMENT, cases[i]);
    }
}

Test(element_in_place, leaves_what_there_is_a_rule_about)
{
    static const char *const cases[] = {
        "{'id':'b'}",
        "{'id':null}",
        "{'parent':'q'}",
        "{'parent':null}",
        "{'parent':'a b'}",
        "{'parent':{'a':1}}",
        "{'kind':null}",
        "{'kind':'U'}",
        "{'kind':[]}",
        "{'kind':{'type':5}}",
        "{'kind':{'type':null}}",
        "{'kind':{'type':{'a':1}}}",
        "{'kind':{'type':'U','data':7}}",
        "{'selected':1}",
        "{'selected':null}",
        "{'selected':{'a':true}}",
        "{'interactive':'yes'}",
        "{'interactive':{}}",
        "{'n':null}",
        "{'kind':{'data':null}}",
        "{'kind':{'data':{'content':null}}}",
        "{'own':{'a':{'b':null}}}",
        "{'own':{'nil':null}}",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_left(DOCUMENT, cases[i]);
    }
}

Test(element_in_place, leaves_keys_and_maps_that_the_document_does_not_have)
{
    static const char *const cases[] = {
        "{'new':1}",
        "{'new':{'a':1}}",
        "{'b':1}", /* further down it has one */
        "{'own':{'new':1}}",
        "{'own':{'a':{'new':1}}}",
        "{'own':{'a':{'x':3}}}",
        "{'own':{'m':{'new':1}}}",
        "{'kind':{'new':1}}",
        "{'kind':{'data':{'new':'text'}}}",
        "{'own':{'b':'d'}}", /* another map has it */
        "{'own':{'m':{'nil':1}}}",
        "{'n':{'a':1}}", /* a map over a scalar */
        "{'own':{'nil':{'a':1}}}",
        "{'own':{'a':{'b':{'c':1}}}}",
        "{'own':{'a':{'list':{'x':1}}}}",
        "{'kind':{'data':{'content':{'a':1}}}}",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_left(DOCUMENT, cases[i]);
    }
    assert_left("{" KIND "}", "{'selected':true}");
    assert_left("{" KIND "}", "{'interactive':true}");
}

/* ---- Room and limits ---- */

Test(element_in_place, grows_within_its_room)
{
    for (size_t spare = 0; spare < 8; spare++) {
        for (int length = 0; length < 12; length++) {
            in_place_store(message_of(DOCUMENT), spare);
            bool has_room = (size_t)length <= strlen("abc") + spare;
            struct span changes =
                message_of_format("{'kind':{'data':{'content':'%.*s'}}}", length, "0123456789ab");
            cr_assert_eq(in_place_change(changes), has_room, "%d bytes, %zu spare", length, spare);
        }
    }
}

Test(element_in_place, leaves_what_becomes_too_large)
{
    struct span document = message_of(DOCUMENT);
    struct span longer = message_of("{'kind':{'data':{'content':'abcd'}}}");
    in_place_store(document, 64);
    in_place.limits.element_bytes_max = document.size;
    cr_assert_not(in_place_change(longer));
    in_place.limits.element_bytes_max = document.size + 1;
    cr_assert(in_place_change(longer));
}

Test(element_in_place, leaves_what_is_too_large_under_a_lowered_limit)
{
    static const char *const cases[] = {"{'kind':{'data':{'content':''}}}", "{'n':8}",
                                        "{'selected':true}", "{'transform':{'x':9.5}}",
                                        "{'transform':{}}"};
    struct span document = message_of(DOCUMENT);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        in_place_store(document, 64);
        in_place.limits.element_bytes_max = document.size - 1;
        cr_assert_not(in_place_change(message_of(cases[i])), "%s", cases[i]);
        in_place.limits.element_bytes_max = document.size;
        cr_assert(in_place_change(message_of(cases[i])), "%s", cases[i]);
    }
}

Test(element_in_place, leaves_a_kind_with_the_bytes_for_a_text_that_is_too_long)
{
    struct span kind = message_of("{'data':{'content':'wxyz'}}");
    struct span changes = message_of("{'kind':{'data':{'content':'wxyz'}}}");
    in_place_store(message_of(DOCUMENT), 64);
    in_place.limits.text_bytes_max = 3;
    cr_assert_not(in_place_change(changes));
    cr_assert_not(in_place_copy(changes));
    in_place.limits.text_bytes_max = kind.size - 1;
    cr_assert_not(in_place_change(changes));
    cr_assert(in_place_copy(changes), "the text is not too long");
    in_place.limits.text_bytes_max = kind.size;
    cr_assert(in_place_change(changes));
    /* The limit is the text's alone. */
    in_place.limits.text_bytes_max = 1;
    cr_assert(in_place_change(message_of("{'own':{'a':{'b':'longer than a text'}}}")));
    cr_assert(in_place_change(message_of("{'transform':{'x':9.5}}")));
}

Test(element_in_place, reads_heads_that_are_longer_than_due)
{
    /* {"kind": {"type": "B"}, "transform": {"x": 1}, "t": "u"} */
    const char *document = "df00000003 d9046b696e64 de0001 da000474797065 d90142"
                           "db000000097472616e73666f726d df00000001 d90178 cf0000000000000001"
                           "da000174 d90175";
    in_place_store(bytes_of_hex(document), 8);
    cr_assert(in_place_change(bytes_of_hex("81 a97472616e73666f726d 81 a178 cf0000000000000002")));
    cr_assert(in_place_change(
        bytes_of_hex("de0001 d9097472616e73666f726d de0001 d90178 cb3ff0000000000000")));
    cr_assert_not(in_place_change(bytes_of_hex("81 a97472616e73666f726d 81 a178 02")));
    cr_assert(in_place_change(bytes_of_hex("df00000001 da000174 da00027576")));
    cr_assert(in_place_change(bytes_of_hex("81 a174 a0")));
}

/* ---- One change after the other ---- */

Test(element_in_place, keeps_the_place_of_the_transform_while_values_grow_and_shrink)
{
    static const char *const documents[] = {
        "{'own':'abc'," TRANSFORM "," KIND ",'n':{'m':'abc'},'selected':true}",
        "{" KIND "," TRANSFORM ",'own':'abc','n':{'m':'abc'},'selected':true}",
        "{" TRANSFORM ",'n':{'m':'abc'}," KIND ",'own':'abc','selected':true}",
        "{'selected':true,'n':{'m':'abc'},'own':'abc'," KIND "," TRANSFORM "}",
    };
    static const char *const paths[][2] = {
        {"{'own':", "}"}, {"{'kind':{'data':{'content':", "}}}"}, {"{'n':{'m':", "}}"}};
    enum { ROUNDS = 60, TEXT_BYTES_MAX = 40 };
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        in_place_store(message_of(documents[i]), (size_t)3 * TEXT_BYTES_MAX);
        for (int round = 0; round < ROUNDS; round++) {
            int length = round * 7 % TEXT_BYTES_MAX + 1;
            cr_assert(in_place_change(
                message_of_format("{'transform':{'x':%d.5,'width':%d}}", round, round)));
            cr_assert_neq(in_place.room.transform_at, 0);
            cr_assert(in_place_change(message_of_format("%s'%0*d'%s", paths[round % 3][0], length,
                                                        0, paths[round % 3][1])));
            cr_assert_neq(in_place.room.transform_at, 0, "it need not be looked for again");
            cr_assert_not(in_place_change(message_of("{'selected':7}")),
                          "and what is left is in between");
        }
    }
}

Test(element_in_place, looks_for_the_transform_once)
{
    struct span document = message_of("{'own':{'x':1.5}," KIND "," TRANSFORM "}");
    in_place_store(document, 0);
    cr_assert(in_place_change(message_of("{'transform':{}}")));
    /* Whoever changes the document otherwise has to say so: what is kept is believed. */
    in_place.room.transform_at =
        (size_t)(wire_map_find(in_place_stored(), "own").data - in_place.room.bytes);
    cr_assert(element_patch_in_place(&in_place.room, message_of("{'transform':{'x':2.5}}"),
                                     &in_place.limits));
    cr_assert(
        span_equal(in_place_stored(), message_of("{'own':{'x':2.5}," KIND "," TRANSFORM "}")));
}
