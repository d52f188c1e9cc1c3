/* msgpack-c's packer as the oracle: what it writes is what pack writes, byte for byte. */
#include "protocol/pack.h"

#include <criterion/criterion.h>
#include <msgpack.h>

static struct buffer ours;
static msgpack_sbuffer theirs;
static msgpack_packer packer;

static void make(void)
{
    buffer_init(&ours, (size_t)1 << 20);
    msgpack_sbuffer_init(&theirs);
    msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
}

static void destroy(void)
{
    buffer_deinit(&ours);
    msgpack_sbuffer_destroy(&theirs);
}

TestSuite(pack_oracle, .init = make, .fini = destroy);

static void expect_equal(const char *what, uint64_t value)
{
    cr_assert_not(ours.failed);
    cr_assert(span_equal(buffer_span(&ours), span_make(theirs.data, theirs.size)), "%s %llu", what,
              (unsigned long long)value);
    buffer_clear(&ours);
    msgpack_sbuffer_clear(&theirs);
}

static void check_number(uint64_t value)
{
    pack_uint(&ours, value);
    (void)msgpack_pack_uint64(&packer, value);
    expect_equal("uint", value);
    pack_int(&ours, (int64_t)value);
    (void)msgpack_pack_int64(&packer, (int64_t)value);
    expect_equal("int", value);
}

/* Around every power of two, both ways from zero: each form begins or ends at one. */
Test(pack_oracle, numbers)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (uint64_t distance = 0; distance < 3; distance++) {
            uint64_t near = (UINT64_C(1) << shift) + distance - 1;
            check_number(near);
            check_number(0 - near);
        }
    }
}

Test(pack_oracle, doubles)
{
    static const double values[] = {0.0, -0.0, 1.5, -1e300, 5e-324};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        pack_double(&ours, values[i]);
        (void)msgpack_pack_double(&packer, values[i]);
        expect_equal("double", i);
    }
}

Test(pack_oracle, lengths)
{
    static const char bytes[70000];
    static const size_t around[] = {0, 31, 255, 65535};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        for (size_t size = around[i]; size < around[i] + 3; size++) {
            pack_str(&ours, span_make(bytes, size));
            (void)msgpack_pack_str_with_body(&packer, bytes, size);
            expect_equal("str", size);
            pack_bin(&ours, span_make(bytes, size));
            (void)msgpack_pack_bin_with_body(&packer, bytes, size);
            expect_equal("bin", size);
        }
    }
}

Test(pack_oracle, counts)
{
    static const uint32_t counts[] = {0, 15, 16, 255, 256, 65535, 65536, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        pack_array(&ours, counts[i]);
        (void)msgpack_pack_array(&packer, counts[i]);
        expect_equal("array", counts[i]);
        pack_map(&ours, counts[i]);
        (void)msgpack_pack_map(&packer, counts[i]);
        expect_equal("map", counts[i]);
    }
}
