/*
 * Changes written over the stored document. element_patch() is the oracle: where the one takes a
 * change, it leaves the bytes that the other makes; where it leaves one, it leaves every byte.
 */
#include "protocol/element.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/pack.h"
#include "tests/support/messages.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { NO_BYTE = 0xc1 }; /* MessagePack never uses it */

static struct arena arena;
static struct buffer copied;
static struct limits limits;
static struct element_room room; /* its bytes end with its allocation */

static void make(void)
{
    arena_init(&arena, (size_t)1 << 20);
    buffer_init(&copied, (size_t)1 << 20);
    limits = limits_default();
    room = (struct element_room){0};
}

static void destroy(void)
{
    arena_deinit(&arena);
    buffer_deinit(&copied);
    free(room.bytes);
}

TestSuite(element_in_place, .init = make, .fini = destroy);

/** Stores a document in a room that has so many bytes more than it needs. */
static void store(struct span document, size_t spare)
{
    free(room.bytes);
    room = (struct element_room){.size = document.size, .capacity = document.size + spare};
    room.bytes = malloc(room.capacity);
    cr_assert_not_null(room.bytes);
    memcpy(room.bytes, document.data, document.size);
    memset(room.bytes + room.size, NO_BYTE, spare);
}

static struct span stored(void)
{
    return span_make(room.bytes, room.size);
}

/** The document with the changes merged in, as a copy; false where that fails. */
static bool copy(struct span changes)
{
    const struct element_document document = {.bytes = stored(), .has_checked_kind = true};
    struct error error;
    arena_reset(&arena);
    buffer_clear(&copied);
    return element_patch(document, changes, &limits, &arena, &copied, &error);
}

/** The transform's place, where it is known, is the transform's. */
static void assert_place(void)
{
    struct span transform = wire_map_find(stored(), "transform");
    cr_assert(room.transform_at == 0 || (!span_is_absent(transform) && wire_is_map(transform) &&
                                         room.bytes + room.transform_at == transform.data));
}

/** Changes the stored document in place, if that goes, and compares it with the copy. */
static bool change(struct span changes)
{
    const struct element_room before = room;
    uint8_t *bytes = malloc(room.capacity);
    cr_assert_not_null(bytes);
    memcpy(bytes, room.bytes, room.capacity);
    bool is_copied = copy(changes);
    bool is_taken = element_patch_in_place(&room, changes, &limits);
    cr_assert(room.bytes == before.bytes && room.capacity == before.capacity);
    if (is_taken) {
        cr_assert(is_copied, "a copy would have failed");
        cr_assert(room.size <= room.capacity);
        cr_assert(span_equal(stored(), buffer_span(&copied)), "it is not the copy");
    } else {
        cr_assert_eq(room.size, before.size);
        cr_assert_eq(memcmp(room.bytes, bytes, room.capacity), 0, "it is left, and yet changed");
    }
    assert_place();
    free(bytes);
    return is_taken;
}

#define KIND "'kind':{'type':'T','data':{'content':'abc','size':12}}"
#define TRANSFORM                                                                                  \
    "'transform':{'x':1.5,'y':2.5,'width':3,'height':300,'z_index':4,'own':5,'rotation':0.5}"
#define DOCUMENT                                                                                   \
    "{'id':'a'," KIND "," TRANSFORM ",'interactive':true,'selected':false,'parent':'p','n':7,"     \
    "'own':{'a':{'b':'c','list':[1,{'x':2}]},'m':{},'nil':null}}"

static void assert_taken(const char *document, const char *changes)
{
    store(message_of(document), 64);
    cr_assert(change(message_of(changes)), "%s leaves %s", document, changes);
    cr_assert(change(message_of(changes)), "%s leaves %s the second time", document, changes);
}

static void assert_left(const char *document, const char *changes)
{
    store(message_of(document), 64);
    cr_assert_not(change(message_of(changes)), "%s takes %s", document, changes);
    cr_assert_not(change(message_of(changes)), "%s takes %s the second time", document, changes);
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
        store(message_of(DOCUMENT), 0);
        cr_assert(change(message_of_format("{'transform':%s}", cases[i])), "%s", cases[i]);
        cr_assert_neq(room.transform_at, 0);
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
        store(message_of(DOCUMENT), 64);
        cr_assert_not(change(message_of_format("{'transform':%s}", cases[i])), "%s", cases[i]);
        /* Also where the transform's place is known. */
        cr_assert(change(message_of("{'transform':{}}")));
        cr_assert_not(change(message_of_format("{'transform':%s}", cases[i])), "%s", cases[i]);
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
        store(message_of_format("{" KIND ",'transform':%s,'own':{'x':1}}", others[i]), 64);
        cr_assert_not(change(message_of("{'transform':{}}")), "%s", others[i]);
        cr_assert_not(change(message_of("{'transform':{'x':2}}")), "%s", others[i]);
        cr_assert_eq(room.transform_at, 0);
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
        "{'kind':{'type':'U'}}",
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
            store(message_of(DOCUMENT), spare);
            bool has_room = (size_t)length <= strlen("abc") + spare;
            struct span changes =
                message_of_format("{'kind':{'data':{'content':'%.*s'}}}", length, "0123456789ab");
            cr_assert_eq(change(changes), has_room, "%d bytes, %zu spare", length, spare);
        }
    }
}

Test(element_in_place, leaves_what_becomes_too_large)
{
    struct span document = message_of(DOCUMENT);
    struct span longer = message_of("{'kind':{'data':{'content':'abcd'}}}");
    store(document, 64);
    limits.element_bytes_max = document.size;
    cr_assert_not(change(longer));
    limits.element_bytes_max = document.size + 1;
    cr_assert(change(longer));
}

Test(element_in_place, leaves_what_is_too_large_under_a_lowered_limit)
{
    static const char *const cases[] = {"{'kind':{'data':{'content':''}}}", "{'n':8}",
                                        "{'selected':true}", "{'transform':{'x':9.5}}",
                                        "{'transform':{}}"};
    struct span document = message_of(DOCUMENT);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        store(document, 64);
        limits.element_bytes_max = document.size - 1;
        cr_assert_not(change(message_of(cases[i])), "%s", cases[i]);
        limits.element_bytes_max = document.size;
        cr_assert(change(message_of(cases[i])), "%s", cases[i]);
    }
}

Test(element_in_place, leaves_a_kind_with_the_bytes_for_a_text_that_is_too_long)
{
    struct span kind = message_of("{'data':{'content':'wxyz'}}");
    struct span changes = message_of("{'kind':{'data':{'content':'wxyz'}}}");
    store(message_of(DOCUMENT), 64);
    limits.text_bytes_max = 3;
    cr_assert_not(change(changes));
    cr_assert_not(copy(changes));
    limits.text_bytes_max = kind.size - 1;
    cr_assert_not(change(changes));
    cr_assert(copy(changes), "the text is not too long");
    limits.text_bytes_max = kind.size;
    cr_assert(change(changes));
    /* The limit is the text's alone. */
    limits.text_bytes_max = 1;
    cr_assert(change(message_of("{'own':{'a':{'b':'longer than a text'}}}")));
    cr_assert(change(message_of("{'transform':{'x':9.5}}")));
}

Test(element_in_place, reads_heads_that_are_longer_than_due)
{
    /* {"kind": {"type": "B"}, "transform": {"x": 1}, "t": "u"} */
    const char *document = "df00000003 d9046b696e64 de0001 da000474797065 d90142"
                           "db000000097472616e73666f726d df00000001 d90178 cf0000000000000001"
                           "da000174 d90175";
    store(bytes_of_hex(document), 8);
    cr_assert(change(bytes_of_hex("81 a97472616e73666f726d 81 a178 cf0000000000000002")));
    cr_assert(
        change(bytes_of_hex("de0001 d9097472616e73666f726d de0001 d90178 cb3ff0000000000000")));
    cr_assert_not(change(bytes_of_hex("81 a97472616e73666f726d 81 a178 02")));
    cr_assert(change(bytes_of_hex("df00000001 da000174 da00027576")));
    cr_assert(change(bytes_of_hex("81 a174 a0")));
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
        store(message_of(documents[i]), (size_t)3 * TEXT_BYTES_MAX);
        for (int round = 0; round < ROUNDS; round++) {
            int length = round * 7 % TEXT_BYTES_MAX + 1;
            cr_assert(
                change(message_of_format("{'transform':{'x':%d.5,'width':%d}}", round, round)));
            cr_assert_neq(room.transform_at, 0);
            cr_assert(change(message_of_format("%s'%0*d'%s", paths[round % 3][0], length, 0,
                                               paths[round % 3][1])));
            cr_assert_neq(room.transform_at, 0, "it need not be looked for again");
            cr_assert_not(change(message_of("{'selected':7}")), "and what is left is in between");
        }
    }
}

Test(element_in_place, looks_for_the_transform_once)
{
    struct span document = message_of("{'own':{'x':1.5}," KIND "," TRANSFORM "}");
    store(document, 0);
    cr_assert(change(message_of("{'transform':{}}")));
    /* Whoever changes the document otherwise has to say so: what is kept is believed. */
    room.transform_at = (size_t)(wire_map_find(stored(), "own").data - room.bytes);
    cr_assert(element_patch_in_place(&room, message_of("{'transform':{'x':2.5}}"), &limits));
    cr_assert(span_equal(stored(), message_of("{'own':{'x':2.5}," KIND "," TRANSFORM "}")));
}

/* ---- Random changes of random documents ---- */

static uint64_t random_state;

/* splitmix64 */
static uint32_t random_below(uint32_t bound)
{
    random_state += 0x9E3779B97F4A7C15U;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

#define ONE_OF(array) ((array)[random_below((uint32_t)COUNT_OF(array))])

/** JSON that grows. */
struct text {
    char bytes[4096];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size =
        vsnprintf(text->bytes + text->size, sizeof text->bytes - text->size, format, arguments);
    va_end(arguments);
    cr_assert(size >= 0 && (size_t)size < sizeof text->bytes - text->size);
    text->size += (size_t)size;
}

/** Each number below `count`, once, in a random order, or in theirs. */
static void draw_order(unsigned *order, unsigned count, bool is_shuffled)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned other = is_shuffled ? random_below(i + 1) : i;
        order[i] = order[other];
        order[other] = i;
    }
}

static void add_value(struct text *text, unsigned depth)
{
    static const char *const scalars[] = {
        "7",  "300",   "1.5",  "'x'",  "'abc'",    "'a text of more bytes'",
        "''", "false", "true", "null", "[1,null]", "[{'a':null}]",
    };
    static const char *const keys[] = {"a", "b", "type"};
    if (depth == 0 || random_below(2) == 0) {
        add(text, "%s", ONE_OF(scalars));
        return;
    }
    unsigned order[COUNT_OF(keys)];
    draw_order(order, COUNT_OF(keys), true);
    unsigned count = random_below(3) == 0 ? random_below(COUNT_OF(keys) + 1) : 1;
    add(text, "{");
    for (unsigned i = 0; i < count; i++) {
        add(text, "%s'%s':", i == 0 ? "" : ",", keys[order[i]]);
        add_value(text, depth - 1);
    }
    add(text, "}");
}

static void add_transform(struct text *text, unsigned count_max)
{
    static const char *const fields[] = {"x", "y", "width", "height", "rotation", "z_index", "a"};
    static const char *const likely[] = {"1.5", "-2.5", "1e30", "0.0"};
    static const char *const numbers[] = {
        "7", "-7", "300", "70000", "1e300", "null", "'12345678'", "'hex:cf0000000000000007'", "{}",
    };
    unsigned order[COUNT_OF(fields)];
    draw_order(order, COUNT_OF(fields), random_below(4) == 0);
    unsigned count = 0;
    add(text, "{");
    for (unsigned i = 0; i < COUNT_OF(fields) && count < count_max; i++) {
        if (random_below(3) == 0) {
            continue;
        }
        bool is_likely = order[i] < 5 && random_below(16) > 0;
        add(text, "%s'%s':%s", count++ == 0 ? "" : ",", fields[order[i]],
            is_likely ? ONE_OF(likely) : ONE_OF(numbers));
    }
    add(text, "}");
}

static const char *const field_names[] = {"kind",   "transform", "selected", "interactive",
                                          "parent", "id",        "a",        "b"};
enum { KIND_FIELD, TRANSFORM_FIELD, SELECTED_FIELD, INTERACTIVE_FIELD, OTHER_FIELDS = 6 };

static void add_document(struct text *text)
{
    unsigned order[COUNT_OF(field_names)];
    draw_order(order, COUNT_OF(field_names), true);
    add(text, "{'first':0");
    for (unsigned i = 0; i < COUNT_OF(field_names); i++) {
        unsigned field = order[i];
        if (field != KIND_FIELD && random_below(8) == 0) {
            continue;
        }
        add(text, ",'%s':", field_names[field]);
        if (field == KIND_FIELD && random_below(8) > 0) {
            add(text, "{'a':7,'data':{'content':'abc','a':7},'type':'T'}");
        } else if (field == KIND_FIELD) {
            add(text, "{'type':'T','data':");
            add_value(text, 1);
            add(text, "}");
        } else if (field == TRANSFORM_FIELD && random_below(8) > 0) {
            add_transform(text, 7);
        } else {
            add_value(text, 2);
        }
    }
    add(text, "}");
}

static void add_kind_change(struct text *text)
{
    static const char *const contents[] = {"'x'", "'abcd'", "''", "'a text of more bytes'", "null"};
    static const char *const starts[] = {"{'data':{'a':", "{'data':{'content':", "{'data':{'b':"};
    switch (random_below(4)) {
    case 0:
        add_value(text, 3);
        return;
    case 1:
        add(text, "{'a':");
        break;
    default:
        add(text, "%s", ONE_OF(starts));
        add(text, "%s}}", ONE_OF(contents));
        return;
    }
    add_value(text, 1);
    add(text, "}");
}

/** Gives the field that is changed; of several, the first. */
static unsigned add_changes(struct text *text)
{
    unsigned order[COUNT_OF(field_names)];
    draw_order(order, COUNT_OF(field_names), true);
    unsigned count = random_below(8) == 0 ? random_below(3) : 1;
    add(text, "{");
    for (unsigned i = 0; i < count; i++) {
        add(text, "%s'%s':", i == 0 ? "" : ",", field_names[order[i]]);
        if (order[i] == TRANSFORM_FIELD && random_below(8) > 0) {
            add_transform(text, random_below(4));
        } else if (order[i] == KIND_FIELD) {
            add_kind_change(text);
        } else if (order[i] < OTHER_FIELDS && random_below(2) == 0) {
            add(text, "%s", random_below(2) == 0 ? "false" : "true");
        } else {
            add_value(text, 3);
        }
    }
    add(text, "}");
    return order[0];
}

/** What was taken, and what was not. */
struct tally {
    unsigned by_field[COUNT_OF(field_names)];
    unsigned nested, grown, shrunk, moved, empty_transform, left;
};

static void change_at_random(struct tally *tally)
{
    struct text text = {.size = 0};
    unsigned field = add_changes(&text);
    struct span changes = message_of(text.bytes);
    const struct element_room before = room;
    if (change(changes)) {
        struct span value = wire_map_find(changes, field_names[field]);
        tally->by_field[field]++;
        tally->nested += field >= OTHER_FIELDS && wire_is_map(value);
        tally->empty_transform += field == TRANSFORM_FIELD && value.size == 1;
        tally->grown += room.size > before.size;
        tally->shrunk += room.size < before.size;
        tally->moved += before.transform_at != 0 && room.transform_at != before.transform_at;
        return;
    }
    tally->left++;
    if (copy(changes)) {
        store(bytes_keep(buffer_span(&copied)), random_below(24));
    }
}

Test(element_in_place, is_the_copy_for_random_changes, .timeout = 60)
{
    enum { DOCUMENTS = 1500, CHANGES = 24, SEED = 20240501 };
    struct tally tally = {.left = 0};
    random_state = SEED;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        struct text text = {.size = 0};
        add_document(&text);
        struct span document = message_of(text.bytes);
        store(document, random_below(48));
        limits = limits_default();
        if (random_below(4) == 0) {
            limits.element_bytes_max = document.size + random_below(24);
        }
        if (random_below(4) == 0) {
            limits.text_bytes_max = 3 + random_below(24);
        }
        for (unsigned k = 0; k < CHANGES; k++) {
            change_at_random(&tally);
        }
    }
    for (unsigned field = 0; field < COUNT_OF(field_names); field++) {
        bool is_ruled = field > INTERACTIVE_FIELD && field < OTHER_FIELDS;
        cr_expect(is_ruled ? tally.by_field[field] == 0 : tally.by_field[field] >= 100, "%s: %u",
                  field_names[field], tally.by_field[field]);
    }
    cr_expect_geq(tally.nested, 100, "nested: %u", tally.nested);
    cr_expect_geq(tally.grown, 100, "grown: %u", tally.grown);
    cr_expect_geq(tally.shrunk, 100, "shrunk: %u", tally.shrunk);
    cr_expect_geq(tally.moved, 100, "moved: %u", tally.moved);
    cr_expect_geq(tally.empty_transform, 100, "empty: %u", tally.empty_transform);
    cr_expect_geq(tally.left, 1000, "left: %u", tally.left);
}
