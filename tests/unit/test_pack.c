#include "protocol/pack.h"

#include <criterion/criterion.h>

#include "protocol/wire.h"
#include "tests/support/messages.h"

static struct buffer out;

static void make(void)
{
    buffer_init(&out, (size_t)1 << 20);
}

static void destroy(void)
{
    buffer_deinit(&out);
}

TestSuite(pack, .init = make, .fini = destroy);

static void assert_bytes(const char *hex)
{
    cr_assert_not(out.failed);
    cr_assert(span_equal(buffer_span(&out), bytes_of_hex(hex)), "not %s", hex);
    buffer_clear(&out);
}

Test(pack, writes_scalars)
{
    pack_nil(&out);
    pack_bool(&out, false);
    pack_bool(&out, true);
    assert_bytes("c0 c2 c3");
    pack_double(&out, 1.0);
    assert_bytes("cb 3ff0000000000000");
}

Test(pack, writes_integers_in_their_shortest_form)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } uints[] = {
        {0, "00"},
        {127, "7f"},
        {128, "cc80"},
        {255, "ccff"},
        {256, "cd0100"},
        {65535, "cdffff"},
        {65536, "ce00010000"},
        {UINT32_MAX, "ceffffffff"},
        {UINT64_C(1) << 32, "cf0000000100000000"},
        {UINT64_MAX, "cfffffffffffffffff"},
    };
    for (size_t i = 0; i < sizeof uints / sizeof uints[0]; i++) {
        pack_uint(&out, uints[i].value);
        assert_bytes(uints[i].hex);
    }
    static const struct {
        int64_t value;
        const char *hex;
    } ints[] = {
        {5, "05"},
        {-1, "ff"},
        {-32, "e0"},
        {-33, "d0df"},
        {-128, "d080"},
        {-129, "d1ff7f"},
        {-32768, "d18000"},
        {-32769, "d2ffff7fff"},
        {INT32_MIN, "d280000000"},
        {INT64_MIN, "d38000000000000000"},
    };
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        pack_int(&out, ints[i].value);
        assert_bytes(ints[i].hex);
    }
}

Test(pack, writes_text_and_bytes_of_every_head_size)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    static uint8_t bytes[65536];
    memset(bytes, 'a', sizeof bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct span payload = span_make(bytes, sizes[i]);
        pack_str(&out, payload);
        struct wire_value value = wire_peek(buffer_span(&out));
        cr_assert_eq(value.type, WIRE_STR);
        cr_assert(span_equal(value.body, payload));
        buffer_clear(&out);
        pack_bin(&out, payload);
        value = wire_peek(buffer_span(&out));
        cr_assert_eq(value.type, WIRE_BIN);
        cr_assert(span_equal(value.body, payload));
        buffer_clear(&out);
    }
    pack_text(&out, "ab");
    assert_bytes("a2 6162");
}

Test(pack, writes_heads_of_containers)
{
    pack_map(&out, 15);
    pack_map(&out, 16);
    pack_map(&out, 65536);
    assert_bytes("8f de0010 df00010000");
    pack_array(&out, 15);
    pack_array(&out, 16);
    pack_array(&out, 65536);
    assert_bytes("9f dc0010 dd00010000");
}

Test(pack, appends_what_is_encoded_already)
{
    pack_raw(&out, span_make("\xcd\x00\x01", 3));
    assert_bytes("cd0001");
}

Test(pack, a_failure_sticks_in_the_buffer)
{
    buffer_deinit(&out);
    buffer_init(&out, 3);
    pack_text(&out, "abc");
    cr_assert(out.failed);
    pack_nil(&out);
    cr_assert(out.failed);
    cr_assert_leq(out.size, 3);
}

Test(pack, refuses_lengths_that_messagepack_does_not_have)
{
    /* The bytes are never looked at. */
    pack_str(&out, span_make("", (size_t)UINT32_MAX + 1));
    cr_assert(out.failed);
    cr_assert_eq(out.size, 0);
    buffer_clear(&out);
    pack_bin(&out, span_make("", (size_t)UINT32_MAX + 1));
    cr_assert(out.failed);
}
