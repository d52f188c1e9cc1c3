#include "protocol/element.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "protocol/pack.h"
#include "tests/support/messages.h"

static struct arena arena;
static struct buffer out;
static struct error error;
static struct limits limits;

static void make(void)
{
    arena_init(&arena, (size_t)16 << 20);
    buffer_init(&out, (size_t)16 << 20);
    limits = limits_default();
}

static void destroy(void)
{
    arena_deinit(&arena);
    buffer_deinit(&out);
}

TestSuite(element, .init = make, .fini = destroy);

static bool check(struct span element, struct span *id)
{
    error = (struct error){0};
    bool valid = element_check(element, &limits, &arena, id, &error);
    cr_assert_eq(error.code, valid ? ERROR_NONE : ERROR_INVALID_OPERATION, "%s", error.message);
    return valid;
}

static void assert_accepted(const char *json)
{
    struct span id = {0};
    cr_assert(check(message_of(json), &id), "%s: %s", json, error.message);
    cr_assert_not(span_is_absent(id));
}

static void assert_refused(const char *json, const char *message)
{
    struct span id = {0};
    cr_assert_not(check(message_of(json), &id), "%s", json);
    cr_assert(span_is_absent(id));
    cr_assert_str_eq(error.message, message, "%s: \"%s\"", json, error.message);
}

/** Completes an add that must be valid. */
static struct span complete(struct span element)
{
    struct span id;
    cr_assert(check(element, &id), "%s", error.message);
    buffer_clear(&out);
    cr_assert(element_complete(element, &limits, &arena, &out, &error), "%s", error.message);
    struct wire_structure structure;
    cr_assert(wire_check_structure(buffer_span(&out), &structure, &error), "%s", error.message);
    cr_assert(wire_check_strict(buffer_span(&out), &arena, ERROR_INVALID_OPERATION, &error), "%s",
              error.message);
    return bytes_keep(buffer_span(&out));
}

static void assert_completed(const char *json, const char *expected)
{
    cr_assert(span_equal(complete(message_of(json)), message_of(expected)), "%s", json);
}

#define DEFAULTS                                                                                   \
    "'transform':{'x':0,'y':0,'width':100,'height':100,'rotation':0,'z_index':0},"                 \
    "'interactive':true,'selected':false,'parent':null"

Test(element, accepts_the_least_and_the_most_there_can_be)
{
    assert_accepted("{'id':'a','kind':{'type':'Box'}}");
    assert_accepted("{'kind':{'type':'','data':7},'id':'a','other':[null,{}]}");
    assert_accepted("{'id':'a','kind':{'type':'T','data':{'content':'x'},'more':1},"
                    "'transform':{'x':1,'y':-2.5,'width':0,'height':1e300,'rotation':1.5,"
                    "'z_index':-3,'own':'y'},'interactive':false,'selected':true,'parent':'b'}");
}

Test(element, takes_nil_for_absent_in_optional_fields)
{
    assert_accepted("{'id':'a','kind':{'type':'Box'},'transform':null,'interactive':null,"
                    "'selected':null,'parent':null}");
    assert_accepted("{'id':'a','kind':{'type':'Box'},'transform':{'x':null,'z_index':null}}");
}

Test(element, needs_an_id)
{
    const char *missing = "the element has no id; send a str, or a UUID as a bin of 16 bytes";
    assert_refused("{'kind':{'type':'Box'}}", missing);
    assert_refused("{'id':null,'kind':{'type':'Box'}}", missing);
    assert_refused("{'id':7,'kind':{'type':'Box'}}",
                   "id is an integer; send a str, or a UUID as a bin of 16 bytes");
}

Test(element, needs_a_kind_with_a_type)
{
    const char *missing = "the element has no kind; send kind as a map with a str type";
    assert_refused("{'id':'a'}", missing);
    assert_refused("{'id':'a','kind':null}", missing);
    assert_refused("{'id':'a','kind':'Box'}", "kind is a str; send kind as a map with a str type");
    assert_refused("{'id':'a','kind':{}}", "kind has no type; send kind as a map with a str type");
    assert_refused("{'id':'a','kind':{'type':null}}",
                   "kind.type is nil; send kind as a map with a str type");
    assert_refused("{'id':'a','kind':{'type':1}}",
                   "kind.type is an integer; send kind as a map with a str type");
}

Test(element, refuses_wrong_types_in_known_fields)
{
#define KIND "'id':'a','kind':{'type':'Box'}"
    assert_refused("{" KIND ",'transform':[]}", "transform is an array; send a map");
    assert_refused("{" KIND ",'interactive':1}", "interactive is an integer; send a bool");
    assert_refused("{" KIND ",'selected':'yes'}", "selected is a str; send a bool");
    assert_refused("{" KIND ",'parent':7}",
                   "parent is an integer; send a str, or a UUID as a bin of 16 bytes");
    assert_refused("{" KIND ",'transform':{'x':'1'}}",
                   "transform.x is a str; send a finite number");
    assert_refused("{" KIND ",'transform':{'y':'hex:cb7ff8000000000000'}}",
                   "transform.y is not finite; send a finite number");
    assert_refused("{" KIND ",'transform':{'width':'hex:ca7f800000'}}",
                   "transform.width is not finite; send a finite number");
    assert_refused("{" KIND ",'transform':{'height':true}}",
                   "transform.height is a bool; send a finite number");
    assert_refused("{" KIND ",'transform':{'rotation':{}}}",
                   "transform.rotation is a map; send a finite number");
    assert_refused("{" KIND ",'transform':{'z_index':0.5}}",
                   "transform.z_index is a fraction; send an integer");
    assert_refused("{" KIND ",'transform':{'z_index':'hex:cbfff0000000000000'}}",
                   "transform.z_index is not finite; send an integer");
    assert_refused("{" KIND ",'transform':{'z_index':'1'}}",
                   "transform.z_index is a str; send an integer");
}

Test(element, normalises_the_id)
{
    struct span id;
    cr_assert(check(message_of("{'id':'bin:0f8fad5bd9cb469fa16570867728950e',"
                               "'kind':{'type':'Box'}}"),
                    &id));
    cr_assert(span_equal_text(id, "0f8fad5b-d9cb-469f-a165-70867728950e"));
}

Test(element, limits_the_text)
{
    limits.text_bytes_max = 5;
    assert_accepted("{'id':'a','kind':{'type':'T','data':{'content':'12345'}}}");
    assert_refused("{'id':'a','kind':{'type':'T','data':{'content':'123456'}}}",
                   "kind.data.content is a text of 6 bytes; limits.max_text_bytes allows 5: "
                   "shorten it");
    /* The limit is for text in that place, and for nothing else. */
    assert_accepted("{'id':'a','kind':{'type':'T','data':{'content':'bin:010203040506'}}}");
    assert_accepted("{'id':'a','kind':{'type':'T','data':{'contents':'123456'}}}");
    assert_accepted("{'id':'a','kind':{'type':'T','data':'123456'}}");
}

Test(element, completes_what_is_missing_behind_what_is_there)
{
    assert_completed("{'id':'a','kind':{'type':'Box'}}",
                     "{'id':'a','kind':{'type':'Box'}," DEFAULTS "}");
    assert_completed("{'kind':{'type':'Box'},'own':1,'id':'a','selected':true}",
                     "{'kind':{'type':'Box'},'own':1,'id':'a','selected':true,"
                     "'transform':{'x':0,'y':0,'width':100,'height':100,'rotation':0,'z_index':0},"
                     "'interactive':true,'parent':null}");
    assert_completed("{" KIND ",'transform':{'own':[],'y':5}}",
                     "{" KIND ",'transform':{'own':[],'y':5,'x':0,'width':100,'height':100,"
                     "'rotation':0,'z_index':0},'interactive':true,'selected':false,"
                     "'parent':null}");
}

Test(element, completes_nil_as_if_it_were_missing)
{
    assert_completed("{'id':'a','interactive':null,'kind':{'type':'Box'},'transform':null,"
                     "'parent':null,'selected':null}",
                     "{'id':'a','kind':{'type':'Box'}," DEFAULTS "}");
    assert_completed("{" KIND ",'transform':{'x':null,'y':2,'own':null},'selected':null}",
                     "{" KIND ",'transform':{'y':2,'own':null,'x':0,'width':100,'height':100,"
                     "'rotation':0,'z_index':0},'interactive':true,'selected':false,"
                     "'parent':null}");
}

Test(element, keeps_what_is_complete_byte_for_byte)
{
    /* Heads, integers and floats in other than their shortest encodings, an empty array, a
     * 64-bit integer, unknown fields on every level. */
    struct span element = bytes_of_hex(
        "de0008"
        "da00026964 d90161" /* id: "a", by a longer head than due */
        "a46b696e64 df00000003 a474797065 a1 42 a464617461 90 a177 cf0000000000000001"
        "a9 7472616e73666f726d de0007"
        "a178 cb3fb999999999999a a179 cd0001 a57769647468 ca3f800000 a6686569676874 d300000000"
        "00000001 a8726f746174696f6e d0ff a77a5f696e646578 d200000005 a16f dc0000"
        "ab696e746572616374697665 c2"
        "a873656c6563746564 c3"
        "a6706172656e74 da000162"
        "a16e cf1122334455667788"
        "a161 dc0000");
    cr_assert(span_equal(complete(element), element));
}

Test(element, normalises_id_and_parent)
{
    assert_completed("{'id':'0F8FAD5B-D9CB-469F-A165-70867728950E','kind':{'type':'Box'},"
                     "'parent':'bin:0f8fad5bd9cb469fa16570867728950e'}",
                     "{'id':'0f8fad5b-d9cb-469f-a165-70867728950e','kind':{'type':'Box'},"
                     "'parent':'0f8fad5b-d9cb-469f-a165-70867728950e',"
                     "'transform':{'x':0,'y':0,'width':100,'height':100,'rotation':0,'z_index':0},"
                     "'interactive':true,'selected':false}");
}

/** Completes a transform with one field and returns that field as stored. */
static struct span stored(const char *name, const char *hex)
{
    struct span element = message_of_format("{" KIND ",'transform':{'%s':'hex:%s'}}", name, hex);
    return wire_map_find(wire_map_find(complete(element), "transform"), name);
}

static void assert_stored(const char *name, const char *hex, const char *expected)
{
    cr_assert(span_equal(stored(name, hex), bytes_of_hex(expected)), "%s: %s", name, hex);
}

Test(element, clamps_numbers_of_the_transform)
{
    const char *flt_max = "cb47efffffe0000000";
    assert_stored("x", "cb47efffffe0000000", flt_max);
    assert_stored("x", "ca7f7fffff", "ca7f7fffff");
    assert_stored("x", "cb47efffffe0000001", flt_max);
    assert_stored("y", "cb7fefffffffffffff", flt_max);
    assert_stored("width", "cbffefffffffffffff", "cbc7efffffe0000000");
    assert_stored("height", "cfffffffffffffffff", "cfffffffffffffffff");
    assert_stored("rotation", "cb8000000000000000", "cb8000000000000000"); /* -0.0 */
}

Test(element, stores_z_index_as_an_integer_of_32_bits)
{
    assert_stored("z_index", "ce7fffffff", "ce7fffffff");
    assert_stored("z_index", "d300000000000000ff", "d300000000000000ff");
    assert_stored("z_index", "d280000000", "d280000000");
    assert_stored("z_index", "ce80000000", "ce7fffffff");
    assert_stored("z_index", "d3ffffffff7fffffff", "d280000000");
    assert_stored("z_index", "cfffffffffffffffff", "ce7fffffff");
    assert_stored("z_index", "cb4014000000000000", "05"); /* 5.0 */
    assert_stored("z_index", "cac0a00000", "fb");         /* -5.0f */
    assert_stored("z_index", "cb8000000000000000", "00"); /* -0.0 */
    assert_stored("z_index", "cb7fefffffffffffff", "ce7fffffff");
    assert_stored("z_index", "cbffefffffffffffff", "d280000000");
}

Test(element, is_too_large_by_its_complete_size)
{
    struct span element = message_of("{" KIND ",'own':'0123456789'}");
    size_t size = complete(element).size;
    buffer_clear(&out);
    buffer_append(&out, "before", 6);
    limits.element_bytes_max = size;
    cr_assert(element_complete(element, &limits, &arena, &out, &error));
    cr_assert_eq(out.size, 6 + size);
    out.size = 6;
    limits.element_bytes_max = size - 1;
    cr_assert_not(element_complete(element, &limits, &arena, &out, &error));
    cr_assert_eq(error.code, ERROR_ELEMENT_TOO_LARGE);
    cr_assert(span_equal_text(buffer_span(&out), "before"));
    cr_assert_not(out.failed);
}

Test(element, says_so_when_memory_is_short_and_leaves_nothing_behind)
{
    struct span element = message_of("{'id':'bin:0f8fad5bd9cb469fa16570867728950e',"
                                     "'kind':{'type':'Box'}}");
    struct span whole = complete(element);
    for (size_t room = 0; room < whole.size; room++) {
        struct buffer small;
        buffer_init(&small, 6 + room);
        buffer_append(&small, "before", 6);
        cr_assert_not(element_complete(element, &limits, &arena, &small, &error));
        cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
        cr_assert(span_equal_text(buffer_span(&small), "before"));
        buffer_deinit(&small);
    }
    struct arena none;
    arena_init(&none, 0);
    buffer_clear(&out);
    cr_assert_not(element_complete(element, &limits, &none, &out, &error));
    cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
    cr_assert_eq(out.size, 0);
}

Test(element, does_not_write_into_a_buffer_that_failed)
{
    struct buffer failed;
    buffer_init(&failed, 4);
    buffer_append(&failed, "12345", 5);
    cr_assert_not(element_complete(message_of("{" KIND "}"), &limits, &arena, &failed, &error));
    cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
    cr_assert(failed.failed, "an earlier failure was forgotten");
    buffer_deinit(&failed);
}
