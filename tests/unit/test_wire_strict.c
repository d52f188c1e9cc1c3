#include "protocol/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "protocol/limits.h"
#include "protocol/pack.h"
#include "protocol/utf8.h"
#include "tests/support/messages.h"

static struct arena arena;
static struct error error;

static void make(void)
{
    arena_init(&arena, (size_t)64 << 20);
}

static void destroy(void)
{
    arena_deinit(&arena);
}

TestSuite(wire_strict, .init = make, .fini = destroy);

static bool is_strict(struct span message)
{
    struct wire_structure structure;
    cr_assert(wire_check_structure(message, &structure, &error), "%s", error.message);
    error = (struct error){0};
    bool valid = wire_check_strict(message, &arena, ERROR_INVALID_RETRY, &error);
    cr_assert_eq(error.code, valid ? ERROR_NONE : ERROR_INVALID_RETRY);
    cr_assert(valid || !structure.is_strict, "what is said beforehand holds");
    return valid;
}

static void assert_refused(struct span message, const char *expected)
{
    cr_assert_not(is_strict(message), "expected: %s", expected);
    cr_assert_str_eq(error.message, expected);
}

Test(wire_strict, accepts_what_follows_the_rules)
{
    cr_assert(is_strict(message_of("{}")));
    cr_assert(is_strict(message_of("7")));
    cr_assert(is_strict(message_of("[null,true,1,-1,1.5,'x','bin:ff',[],{}]")));
    cr_assert(is_strict(message_of("{'a':{'a':{'a':1}},'b':[{'a':1},{'a':2}],'':'\\u20ac'}")));
}

static struct wire_structure structure_of(struct span message)
{
    struct wire_structure structure;
    cr_assert(wire_check_structure(message, &structure, &error), "%s", error.message);
    return structure;
}

Test(wire_strict, is_known_beforehand_of_ordinary_messages)
{
    static const char *const ordinary[] = {
        "7",
        "{}",
        "[null,true,1,-1,1.5,70000,-70000,'x','bin:ff',[],{}]",
        "{'a':{'a':{'a':1}},'b':[{'a':1},{'a':2}],'':'\\u20ac','abcdefgh':1,'abcdefghi':2}",
        "{'element':{'id':'a','kind':{'type':'Text','data':{'content':'a text that is longer than "
        "any that has its length in its first byte'}}}}",
    };
    for (size_t i = 0; i < sizeof ordinary / sizeof ordinary[0]; i++) {
        cr_assert(structure_of(message_of(ordinary[i])).is_strict, "%s", ordinary[i]);
        cr_assert(is_strict(message_of(ordinary[i])));
    }
}

Test(wire_strict, is_not_said_of_what_breaks_a_rule)
{
    static const char *const broken[] = {
        "81 01 c0",                                           /* a key that is no str */
        "82 a161 01 a161 02",                                 /* twice the same key, */
        "82 a161 01 d90161 02",                               /* in another encoding, */
        "82 a0 01 a0 02",                                     /* the empty one, */
        "82 a9616263646566676869 01 a9616263646566676869 02", /* or a long one */
        "81 a95f5f70726f746f5f5f c0",                         /* __proto__ */
        "81 a1ff c0",                                         /* a key that is not UTF-8 */
        "91 a1ff",                                            /* a str that is not */
        "91 a9616161616161616180",                            /* nor is this one, at its end */
        "91 d40100",                                          /* an extension type */
        "91 c70001",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        cr_assert_not(structure_of(bytes_of_hex(broken[i])).is_strict, "%s", broken[i]);
        cr_assert_not(is_strict(bytes_of_hex(broken[i])), "%s", broken[i]);
    }
}

Test(wire_strict, tells_keys_apart_that_begin_alike)
{
    static const char *const fine[] = {
        "82 a9616263646566676869 01 a961626364656667686a 02", /* after 8 equal bytes */
        "82 a161 01 a26100 02",                               /* a zero byte more */
        "82 a0 01 a100 02",
    };
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        cr_assert(structure_of(bytes_of_hex(fine[i])).is_strict, "%s", fine[i]);
        cr_assert(is_strict(bytes_of_hex(fine[i])), "%s", fine[i]);
    }
}

Test(wire_strict, refuses_keys_that_are_no_strings)
{
    assert_refused(bytes_of_hex("81 01 c0"),
                   "a key that is an integer, not a str, in the map at the top");
    assert_refused(bytes_of_hex("81 a161 92 01 81 c0 c0"),
                   "a key that is nil, not a str, in the map at /a/1");
    assert_refused(bytes_of_hex("81 c40161 c0"),
                   "a key that is a bin, not a str, in the map at the top");
}

Test(wire_strict, refuses_the_prototype_of_every_object)
{
    assert_refused(message_of("{'a':{'__proto__':{}}}"),
                   "the key __proto__, which no element may have, in the map at /a");
    cr_assert(is_strict(message_of("{'__proto':1,'__proto___':2,'a':'__proto__'}")));
}

Test(wire_strict, refuses_strings_that_are_not_utf8)
{
    assert_refused(bytes_of_hex("81 a161 a1ff"),
                   "a str that is not valid UTF-8 at /a; send other bytes as bin");
    assert_refused(bytes_of_hex("81 a1ff 01"),
                   "a key that is not valid UTF-8 in the map at the top");
    assert_refused(bytes_of_hex("a2c080"),
                   "a str that is not valid UTF-8 at the top; send other bytes as bin");
}

Test(wire_strict, refuses_extension_types_with_the_cure)
{
    assert_refused(bytes_of_hex("91 d4 72 40"),
                   "a msgpackr record (extension type 0x72) at /0; pack "
                   "with useRecords: false");
    assert_refused(bytes_of_hex("91 d4 00 00"), "an undefined value of msgpackr (extension type 0) "
                                                "at /0; pack with encodeUndefinedAsNil: true");
    assert_refused(bytes_of_hex("91 d6 ff 00000000"),
                   "extension type -1 at /0; send a number, str, bin, array or map");
    assert_refused(bytes_of_hex("81 d4 72 40 01"),
                   "a key that is an extension type, not a str, in the map at the top");
}

Test(wire_strict, refuses_keys_that_stand_twice)
{
    assert_refused(bytes_of_hex("82 a161 01 a161 02"),
                   "key \"a\" stands twice in the map at the top");
    /* The same text in another encoding is the same key. */
    assert_refused(bytes_of_hex("81 a16b 82 a161 01 da000161 02"),
                   "key \"a\" stands twice in the map at /k");
    /* The maps in a map's values have keys of their own. */
    cr_assert(is_strict(message_of("{'a':{'a':1,'b':{'a':1}},'b':{'a':2}}")));
}

/** A map of `count` keys "k0", "k1" …, where the last one is `last`. */
static struct span wide_map(unsigned count, unsigned last)
{
    struct buffer map;
    buffer_init(&map, (size_t)16 << 20);
    pack_map(&map, count);
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", i + 1 < count ? i : last);
        pack_text(&map, key);
        pack_map(&map, 1);
        pack_text(&map, "k0");
        pack_nil(&map);
    }
    struct span kept = bytes_keep(buffer_span(&map));
    buffer_deinit(&map);
    return kept;
}

Test(wire_strict, finds_a_repeated_key_in_maps_of_every_size)
{
    for (unsigned count = 2; count < 40; count++) {
        cr_assert(is_strict(wide_map(count, count - 1)));
        for (unsigned twin = 0; twin < count - 1; twin++) {
            cr_assert_not(is_strict(wide_map(count, twin)));
            cr_assert_not_null(strstr(error.message, "stands twice"));
        }
    }
}

Test(wire_strict, checks_100000_keys_in_bounded_time)
{
    enum { COUNT = 100000 };
    struct span good = wide_map(COUNT, COUNT - 1);
    struct span bad = wide_map(COUNT, COUNT / 2);
    clock_t before = clock();
    cr_assert(is_strict(good));
    cr_assert_not(is_strict(bad));
    cr_assert_str_eq(error.message, "key \"k50000\" stands twice in the map at the top");
    /* Comparing each with each would take minutes. */
    cr_assert_lt((double)(clock() - before) / CLOCKS_PER_SEC, 5.0);
}

Test(wire_strict, says_so_when_memory_is_short)
{
    struct span map = wide_map(17, 16);
    arena_deinit(&arena);
    arena_init(&arena, 100);
    cr_assert_not(wire_check_strict(map, &arena, ERROR_INVALID_RETRY, &error));
    cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
    /* Smaller maps need none. */
    cr_assert(is_strict(wide_map(16, 15)));
}

Test(wire_strict, refuses_what_is_nested_too_deep)
{
    enum { DEEPEST = LIMITS_DEPTH_CEILING + 8 };
    uint8_t message[DEEPEST + 2];
    memset(message, 0x91, sizeof message);
    message[DEEPEST] = 0x01;
    cr_assert(is_strict(span_make(message, DEEPEST + 1)));
    message[DEEPEST] = 0x91;
    message[DEEPEST + 1] = 0x01;
    assert_refused(span_make(message, DEEPEST + 2), "nested deeper than 136 levels");
}

Test(wire_strict, escapes_the_place_as_a_json_pointer)
{
    assert_refused(message_of("{'a/b':{'m~n':['hex:c0',{'':'hex:a1ff'}]}}"),
                   "a str that is not valid UTF-8 at /a~1b/m~0n/1/; send other bytes as bin");
}

Test(wire_strict, cuts_a_long_place_between_characters)
{
    for (size_t blanks = 1; blanks < 40; blanks++) {
        char key[128];
        (void)snprintf(key, sizeof key, "%.*s%s", (int)blanks,
                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                       "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
        struct span message =
            message_of_format("{'%s':{'%s':{'%s':{'%s':'hex:a1ff'}}}}", key, key, key, key);
        cr_assert_not(is_strict(message));
        cr_assert(utf8_is_valid(span_of_text(error.message)));
        size_t whole = 4 * (blanks + 13);
        cr_assert_eq(strstr(error.message, "...") != NULL, whole > 92, "%s", error.message);
        cr_assert_not_null(strstr(error.message, "; send other bytes as bin"));
    }
}

Test(wire_strict, messages_show_nothing_of_the_values)
{
    assert_refused(bytes_of_hex("81 a161 a7 736563726574 ff"),
                   "a str that is not valid UTF-8 at /a; send other bytes as bin");
}
