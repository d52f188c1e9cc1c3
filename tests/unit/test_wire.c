#include "protocol/wire.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protocol/limits.h"
#include "protocol/utf8.h"
#include "tests/support/messages.h"

static struct error error;

static bool is_well_formed(struct span message)
{
    struct wire_structure structure;
    error = (struct error){0};
    bool valid = wire_check_structure(message, &structure, &error);
    cr_assert_eq(error.code, valid ? ERROR_NONE : ERROR_NOT_MESSAGEPACK);
    return valid;
}

static uint32_t depth_of(struct span message)
{
    struct wire_structure structure;
    cr_assert(wire_check_structure(message, &structure, &error), "%s", error.message);
    return structure.depth;
}

/** Checks the bytes and reads the one value in them. */
static struct wire_value read_hex(const char *hex)
{
    struct span message = bytes_of_hex(hex);
    cr_assert(is_well_formed(message), "%s: %s", hex, error.message);
    struct wire_cursor cursor = wire_cursor_of(message);
    struct wire_value value = wire_read(&cursor);
    if (value.type != WIRE_ARRAY && value.type != WIRE_MAP) {
        cr_assert(wire_at_end(&cursor));
    }
    return value;
}

Test(wire, reads_every_encoding_of_a_non_negative_integer)
{
    static const struct {
        const char *hex;
        uint64_t value;
    } cases[] = {
        {"00", 0},
        {"7f", 127},
        {"cc00", 0},
        {"ccff", 255},
        {"cd0001", 1},
        {"cdffff", 65535},
        {"ce80000000", UINT64_C(0x80000000)},
        {"ceffffffff", UINT32_MAX},
        {"cf0102030405060708", UINT64_C(0x0102030405060708)},
        {"cfffffffffffffffff", UINT64_MAX},
        {"d07f", 127},
        {"d17fff", 32767},
        {"d27fffffff", INT32_MAX},
        {"d37fffffffffffffff", INT64_MAX},
        {"d300000000000000ff", 255},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_value value = read_hex(cases[i].hex);
        cr_assert_eq(value.type, WIRE_UINT, "%s", cases[i].hex);
        cr_assert_eq(value.uint, cases[i].value, "%s", cases[i].hex);
    }
}

Test(wire, reads_every_encoding_of_a_negative_integer)
{
    static const struct {
        const char *hex;
        int64_t value;
    } cases[] = {
        {"ff", -1},
        {"e0", -32},
        {"d0ff", -1},
        {"d080", -128},
        {"d1fffe", -2},
        {"d18000", -32768},
        {"d2fffffffd", -3},
        {"d280000000", INT32_MIN},
        {"d3fffffffffffffffc", -4},
        {"d38000000000000000", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_value value = read_hex(cases[i].hex);
        cr_assert_eq(value.type, WIRE_INT, "%s", cases[i].hex);
        cr_assert_eq(value.sint, cases[i].value, "%s", cases[i].hex);
    }
}

Test(wire, reads_nil_bools_and_floats)
{
    cr_assert_eq(read_hex("c0").type, WIRE_NIL);
    cr_assert_eq(read_hex("c2").type, WIRE_BOOL);
    cr_assert_not(read_hex("c2").boolean);
    cr_assert(read_hex("c3").boolean);
    cr_assert_eq(read_hex("ca3fc00000").type, WIRE_FLOAT);
    cr_assert_eq(read_hex("ca3fc00000").real, 1.5);
    cr_assert_eq(read_hex("ca3dcccccd").real, (double)0.1f);
    cr_assert_eq(read_hex("cbbfb999999999999a").real, -0.1);
    cr_assert(isnan(read_hex("cb7ff8000000000000").real));
    cr_assert(isinf(read_hex("caff800000").real));
}

Test(wire, reads_text_bytes_and_extensions_of_every_head)
{
    static const struct {
        const char *hex;
        enum wire_type type;
        const char *body;
    } cases[] = {
        {"a0", WIRE_STR, ""},
        {"a2 6162", WIRE_STR, "ab"},
        {"d9 02 6162", WIRE_STR, "ab"},
        {"da 0002 6162", WIRE_STR, "ab"},
        {"db 00000002 6162", WIRE_STR, "ab"},
        {"c4 00", WIRE_BIN, ""},
        {"c4 02 6162", WIRE_BIN, "ab"},
        {"c5 0002 6162", WIRE_BIN, "ab"},
        {"c6 00000002 6162", WIRE_BIN, "ab"},
        {"c7 00 fb", WIRE_EXT, ""},
        {"c7 02 fb 6162", WIRE_EXT, "ab"},
        {"c8 0002 fb 6162", WIRE_EXT, "ab"},
        {"c9 00000002 fb 6162", WIRE_EXT, "ab"},
        {"d4 fb 61", WIRE_EXT, "a"},
        {"d5 fb 6162", WIRE_EXT, "ab"},
        {"d6 fb 61626364", WIRE_EXT, "abcd"},
        {"d7 fb 6162636465666768", WIRE_EXT, "abcdefgh"},
        {"d8 fb 61626364656667686162636465666768", WIRE_EXT, "abcdefghabcdefgh"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_value value = read_hex(cases[i].hex);
        cr_assert_eq(value.type, cases[i].type, "%s", cases[i].hex);
        cr_assert(span_equal_text(value.body, cases[i].body), "%s", cases[i].hex);
        cr_assert(value.type != WIRE_EXT || value.ext_type == -5, "%s", cases[i].hex);
    }
}

Test(wire, reads_containers_of_every_head_and_their_children)
{
    static const char *const arrays[] = {"93", "dc0003", "dd00000003"};
    static const char *const maps[] = {"83", "de0003", "df00000003"};
    for (size_t i = 0; i < 3; i++) {
        char hex[40];
        (void)snprintf(hex, sizeof hex, "%s 01 a161 92c0c3", arrays[i]);
        struct span message = bytes_of_hex(hex);
        cr_assert_eq(depth_of(message), 2);
        struct wire_cursor cursor = wire_cursor_of(message);
        struct wire_value head = wire_read(&cursor);
        cr_assert_eq(head.type, WIRE_ARRAY);
        cr_assert_eq(head.count, 3);
        cr_assert_eq(wire_read(&cursor).uint, 1);
        cr_assert(span_equal_text(wire_read_text(&cursor), "a"));
        cr_assert_eq(wire_skip(&cursor).size, 3);
        cr_assert(wire_at_end(&cursor));

        (void)snprintf(hex, sizeof hex, "%s a161 01 a162 80 a163 8101c0", maps[i]);
        message = bytes_of_hex(hex);
        cr_assert_eq(depth_of(message), 2);
        cursor = wire_cursor_of(message);
        head = wire_read(&cursor);
        cr_assert_eq(head.type, WIRE_MAP);
        cr_assert_eq(head.count, 3);
        cursor = wire_cursor_of(message);
        cr_assert(span_equal(wire_skip(&cursor), message));
    }
}

Test(wire, refuses_an_empty_message)
{
    cr_assert_not(is_well_formed(span_make("", 0)));
    cr_assert_not(is_well_formed((struct span){0}));
    cr_assert_str_eq(error.message, "the message is empty; send a map");
}

Test(wire, refuses_the_byte_that_is_never_used)
{
    cr_assert_not(is_well_formed(bytes_of_hex("c1")));
    cr_assert_not(is_well_formed(bytes_of_hex("92 01 c1")));
    cr_assert_str_eq(error.message, "byte 2 is 0xc1, which MessagePack never uses");
}

Test(wire, refuses_trailing_bytes)
{
    cr_assert_not(is_well_formed(bytes_of_hex("80 c0 c0")));
    cr_assert_str_eq(error.message,
                     "2 bytes behind the end of the value, from byte 1 on; send one value");
}

Test(wire, refuses_a_message_cut_at_any_byte)
{
    struct span message = bytes_of_hex(
        "de0009 a161 cb3ff0000000000000 d90162 ca3fc00000 a163 dc0002 cd0100 ce00010000"
        " a164 da000161 a165 c403616263 a166 d501ffff a167 c70301616263 a168 cf0000000000000001"
        " a169 82 01 dd00000001 c0 02 df00000000");
    cr_assert(is_well_formed(message), "%s", error.message);
    for (size_t size = 0; size < message.size; size++) {
        /* On the heap and of that size, so that reading on is noticed. */
        uint8_t *cut = malloc(size + 1);
        memcpy(cut + 1, message.data, size);
        cr_assert_not(is_well_formed(span_make(cut + 1, size)), "cut at %zu", size);
        cr_assert(utf8_is_valid(span_of_text(error.message)));
        free(cut);
    }
}

Test(wire, does_not_read_past_input_that_ends_at_a_protected_page)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    FILE *file = tmpfile(); /* POSIX has no anonymous mappings */
    cr_assert_not_null(file);
    cr_assert_eq(ftruncate(fileno(file), (off_t)(2 * page)), 0);
    uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
    cr_assert_neq(pages, MAP_FAILED);
    cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
    /* Every lead byte as the last one, alone and behind a length's first bytes. */
    for (unsigned lead = 0; lead < 256; lead++) {
        for (size_t size = 1; size <= 18; size++) {
            uint8_t *start = pages + page - size;
            memset(start, 0, size);
            start[0] = (uint8_t)lead;
            bool valid = is_well_formed(span_make(start, size));
            if (valid) {
                struct wire_cursor cursor = wire_cursor_of(span_make(start, size));
                cr_assert_eq(wire_skip(&cursor).size, size);
                (void)wire_peek(span_make(start, size));
            }
        }
    }
    static const uint8_t euro[] = {0xe2, 0x82, 0xac};
    struct span text = span_make(pages + page - sizeof euro, sizeof euro);
    memcpy(pages + page - sizeof euro, euro, sizeof euro);
    cr_assert(utf8_is_valid(text));
    cr_assert_eq(utf8_valid_prefix(span_make(text.data + 1, 2)), 0);
    munmap(pages, 2 * page);
    (void)fclose(file);
}

Test(wire, believes_no_count_that_the_bytes_cannot_hold)
{
    static const char *const claims[] = {"ddffffffff",          "dfffffffff",       "dcffff 00",
                                         "deffff 0000",         "dbffffffff",       "c6ffffffff",
                                         "c9ffffffff00",        "dd00000003 00 00", "8f 00",
                                         "92 dd00000002 00 00", "df80000000 00 00"};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        cr_assert_not(is_well_formed(bytes_of_hex(claims[i])), "%s", claims[i]);
        cr_assert_not_null(strstr(error.message, "cut off"), "%s", error.message);
    }
}

Test(wire, says_where_a_message_is_cut_off)
{
    cr_assert_not(is_well_formed(bytes_of_hex("92 c0 a3 6161")));
    cr_assert_str_eq(error.message, "cut off: the value at byte 2 takes at least 4 bytes, the "
                                    "message has 3 from there on");
    cr_assert_not(is_well_formed(bytes_of_hex("91 cd")));
    cr_assert_str_eq(error.message, "cut off: the value at byte 1 takes at least 3 bytes, the "
                                    "message has 1 from there on");
    cr_assert_not(is_well_formed(bytes_of_hex("92 c0 dd00000003 c0")));
    cr_assert_str_eq(error.message, "cut off: the container at byte 2 announces 3 values, more "
                                    "than the 1 bytes behind it can hold");
    cr_assert_not(is_well_formed(bytes_of_hex("92 81")));
    cr_assert_str_eq(error.message, "cut off: the container at byte 0 announces 2 values, more "
                                    "than the 1 bytes behind it can hold");
    cr_assert_not(is_well_formed(bytes_of_hex("92 dc0001")));
    cr_assert_str_eq(error.message, "cut off: the container at byte 1 announces 1 values, more "
                                    "than the 0 bytes behind it can hold");
    /* The last value there is no container, or one that would fit: others are missing. */
    cr_assert_not(is_well_formed(bytes_of_hex("93 a26161")));
    cr_assert_str_eq(error.message, "cut off: 2 values must follow the head at byte 1, more than "
                                    "the 0 bytes behind it can hold");
}

Test(wire, survives_a_mebibyte_of_nested_heads)
{
    enum { SIZE = 1024 * 1024 };
    static uint8_t message[SIZE];
    memset(message, 0x91, sizeof message);
    cr_assert_not(is_well_formed(span_make(message, sizeof message)));
    message[SIZE - 1] = 0xc0;
    cr_assert_eq(depth_of(span_make(message, sizeof message)), LIMITS_DEPTH_CEILING + 8);
    memset(message, 0xdd, sizeof message);
    cr_assert_not(is_well_formed(span_make(message, sizeof message)));
    memset(message, 0xdf, sizeof message);
    cr_assert_not(is_well_formed(span_make(message, sizeof message)));
}

Test(wire, counts_depth_by_open_containers)
{
    cr_assert_eq(depth_of(bytes_of_hex("01")), 0);
    cr_assert_eq(depth_of(bytes_of_hex("80")), 1);
    cr_assert_eq(depth_of(bytes_of_hex("90")), 1);
    cr_assert_eq(depth_of(bytes_of_hex("93 90 90 80")), 2);
    cr_assert_eq(depth_of(bytes_of_hex("92 9190 01")), 3);
    cr_assert_eq(depth_of(bytes_of_hex("82 01 9101 02 03")), 2);
    cr_assert_eq(depth_of(message_of("{'a':[1,{'b':{}}],'c':[[]]}")), 4);
    cr_assert_eq(depth_of(message_of("[[[]],[],[[[[]]]],{}]")), 5);
}

Test(wire, counts_every_depth_up_to_the_maximum)
{
    enum { DEEPEST = LIMITS_DEPTH_CEILING + 8 };
    uint8_t message[DEEPEST + 20];
    for (size_t depth = 1; depth <= DEEPEST + 10; depth++) {
        /* Arrays of two: what follows a nested value must not be taken as nested. */
        memset(message, 0x92, depth);
        size_t size = depth;
        uint8_t *whole = malloc(2 * depth + 1);
        memcpy(whole, message, size);
        memset(whole + depth, 0x01, depth + 1);
        uint32_t expected = depth < DEEPEST ? (uint32_t)depth : DEEPEST;
        cr_assert_eq(depth_of(span_make(whole, 2 * depth + 1)), expected);
        free(whole);
    }
}

Test(wire, finds_keys_of_a_map)
{
    struct span map = message_of("{'a':1,'bb':{'a':2},'':3,'nil':null}");
    cr_assert_eq(wire_peek(wire_map_find(map, "a")).uint, 1);
    cr_assert_eq(wire_peek(wire_map_find(map, "bb")).type, WIRE_MAP);
    cr_assert_eq(wire_peek(wire_map_find(map, "")).uint, 3);
    cr_assert(wire_is_nil(wire_map_find(map, "nil")));
    cr_assert(span_is_absent(wire_map_find(map, "b")));
    cr_assert(span_is_absent(wire_map_find_optional(map, "nil")));
    cr_assert_not(span_is_absent(wire_map_find_optional(map, "a")));
    cr_assert(span_is_absent(wire_map_find_optional(map, "b")));
}

Test(wire, finds_keys_behind_keys_that_are_no_strings)
{
    /* {1: "a", ["a"]: 2, bin "a": 3, "a" (str 16): 4}: only a str is the key. */
    struct span map = bytes_of_hex("84 01 a161 91a161 02 c40161 03 da000161 04");
    cr_assert(is_well_formed(map));
    cr_assert_eq(wire_peek(wire_map_find(map, "a")).uint, 4);
}

static const double not_a_number = (double)NAN;
static const double infinite = (double)INFINITY;

static struct wire_value real(double number)
{
    return (struct wire_value){.type = WIRE_FLOAT, .real = number};
}

static bool reads_uint(struct wire_value value, uint64_t expected)
{
    uint64_t number = 0;
    return wire_as_uint(&value, &number) && number == expected;
}

static bool reads_timestamp(struct wire_value value, uint64_t expected)
{
    uint64_t number = 0;
    return wire_as_timestamp(&value, &number) && number == expected;
}

Test(wire, a_uint_is_an_integer_or_an_integral_float)
{
    static const uint64_t exact_max = UINT64_C(1) << 53;
    cr_assert(reads_uint(read_hex("cfffffffffffffffff"), UINT64_MAX));
    cr_assert(reads_uint(real(0.0), 0));
    cr_assert(reads_uint(real(-0.0), 0));
    cr_assert(reads_uint(real(1.7e12), UINT64_C(1700000000000)));
    cr_assert(reads_uint(real(9007199254740991.0), exact_max - 1));
    cr_assert(reads_uint(real(9007199254740992.0), exact_max));

    const struct wire_value refused[] = {
        real(9007199254740994.0), real(1.5),       real(-1.0),       real(not_a_number),
        real(infinite),           real(-infinite), read_hex("ff"),   read_hex("c0"),
        read_hex("c3"),           real(1e300),     read_hex("a131"), read_hex("80"),
        read_hex("c400")};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint64_t number = 77;
        cr_assert_not(wire_as_uint(&refused[i], &number), "case %zu", i);
        cr_assert_eq(number, 77);
    }
}

Test(wire, of_a_timestamp_the_integral_part_counts)
{
    cr_assert(reads_timestamp(real(1700000000000.75), UINT64_C(1700000000000)));
    cr_assert(reads_timestamp(real(0.999), 0));
    cr_assert(reads_timestamp(real(-0.0), 0));
    cr_assert(reads_timestamp(read_hex("ce00010000"), 65536));
    const struct wire_value refused[] = {real(-0.5),     real(not_a_number),
                                         real(infinite), real(9007199254740994.0),
                                         read_hex("c0"), read_hex("d0ff")};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint64_t number = 77;
        cr_assert_not(wire_as_timestamp(&refused[i], &number), "case %zu", i);
        cr_assert_eq(number, 77);
    }
}

Test(wire, a_number_is_finite)
{
    double number = 0;
    struct wire_value value = read_hex("e0");
    cr_assert(wire_as_number(&value, &number));
    cr_assert_eq(number, -32.0);
    value = read_hex("ccff");
    cr_assert(wire_as_number(&value, &number));
    cr_assert_eq(number, 255.0);
    value = real(1.25);
    cr_assert(wire_as_number(&value, &number));
    cr_assert_eq(number, 1.25);
    const struct wire_value refused[] = {real(not_a_number), real(-infinite), read_hex("c3"),
                                         read_hex("a131")};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        cr_assert_not(wire_as_number(&refused[i], &number), "case %zu", i);
        cr_assert_eq(number, 1.25);
    }
}

Test(wire, every_type_has_a_name)
{
    for (int type = WIRE_NIL; type <= WIRE_EXT; type++) {
        cr_assert_not_null(wire_type_name((enum wire_type)type));
    }
    cr_assert_str_eq(wire_type_name(WIRE_STR), "a str");
}
