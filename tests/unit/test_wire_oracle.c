/* msgpack-c's unpacker as the oracle: what it reads is what wire reads, what it refuses wire
 * refuses. Where they differ is said in the tests. Everything is seeded, so a failure repeats. */
#include "protocol/wire.h"

#include <criterion/criterion.h>
#include <msgpack.h>
#include <stdlib.h>

#include "tests/support/dice.h"

enum { DOCUMENTS = 400, DEPTH_MAX = 8, DOCUMENT_BYTES_MAX = 1500 };

static struct dice dice;

static uint64_t next_random(void)
{
    return dice_throw(&dice);
}

static uint64_t below(uint32_t limit)
{
    return dice_below(&dice, limit);
}

static void pack_bytes(msgpack_packer *packer, unsigned kind)
{
    static const size_t sizes[] = {0, 1, 5, 31, 32, 33, 255, 256, 300};
    static const char bytes[300];
    size_t size = sizes[below(sizeof sizes / sizeof sizes[0])];
    if (kind == 0) {
        msgpack_pack_str_with_body(packer, bytes, size);
    } else if (kind == 1) {
        msgpack_pack_bin_with_body(packer, bytes, size);
    } else {
        msgpack_pack_ext_with_body(packer, bytes, size, (int8_t)below(256));
    }
}

static void pack_number(msgpack_packer *packer)
{
    uint64_t bits = next_random() >> below(64);
    switch (below(8)) {
    case 0:
        msgpack_pack_uint64(packer, bits);
        break;
    case 1:
        msgpack_pack_int64(packer, -(int64_t)(bits >> 1));
        break;
    case 2:
        msgpack_pack_fix_uint8(packer, (uint8_t)bits);
        break;
    case 3:
        msgpack_pack_fix_int16(packer, (int16_t)bits);
        break;
    case 4:
        msgpack_pack_fix_uint64(packer, bits);
        break;
    case 5:
        msgpack_pack_fix_int64(packer, (int64_t)bits);
        break;
    case 6:
        msgpack_pack_float(packer, (float)bits / 7.0f);
        break;
    default:
        msgpack_pack_double(packer, (double)bits / 7.0);
    }
}

static void pack_random(msgpack_packer *packer, unsigned depth)
{
    size_t count = below(below(8) == 0 ? 20 : 4);
    switch (below(depth == 0 ? 5 : 8)) {
    case 0:
        msgpack_pack_nil(packer);
        break;
    case 1:
        (void)(below(2) ? msgpack_pack_true(packer) : msgpack_pack_false(packer));
        break;
    case 2:
    case 3:
        pack_number(packer);
        break;
    case 4:
        pack_bytes(packer, (unsigned)below(3));
        break;
    case 5:
        msgpack_pack_array(packer, count);
        for (size_t i = 0; i < count; i++) {
            pack_random(packer, depth - 1);
        }
        break;
    default:
        msgpack_pack_map(packer, count);
        for (size_t i = 0; i < 2 * count; i++) {
            pack_random(packer, depth - 1);
        }
    }
}

/** A random document of at most DOCUMENT_BYTES_MAX; the caller destroys it. */
static void make_document(msgpack_sbuffer *out)
{
    do {
        msgpack_sbuffer_init(out);
        msgpack_packer packer;
        msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
        pack_random(&packer, DEPTH_MAX);
        if (out->size <= DOCUMENT_BYTES_MAX) {
            return;
        }
        msgpack_sbuffer_destroy(out);
    } while (true);
}

/* So that a NaN equals itself, and 0.0 is not -0.0. */
static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/** Both point into the message; msgpack-c gives no place for what is empty. */
static bool is_view_of(struct span body, const char *start, uint32_t size)
{
    return body.size == size && (size == 0 || body.data == (const uint8_t *)start);
}

static void assert_same(struct wire_cursor *cursor, const msgpack_object *object, unsigned depth,
                        unsigned *deepest);

static void assert_same_children(struct wire_cursor *cursor, const msgpack_object *object,
                                 unsigned depth, unsigned *deepest)
{
    if (object->type == MSGPACK_OBJECT_ARRAY) {
        for (uint32_t i = 0; i < object->via.array.size; i++) {
            assert_same(cursor, &object->via.array.ptr[i], depth + 1, deepest);
        }
        return;
    }
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        assert_same(cursor, &object->via.map.ptr[i].key, depth + 1, deepest);
        assert_same(cursor, &object->via.map.ptr[i].val, depth + 1, deepest);
    }
}

static void assert_same_container(struct wire_cursor *cursor, const struct wire_value *value,
                                  const msgpack_object *object, unsigned depth, unsigned *deepest)
{
    bool is_map = object->type == MSGPACK_OBJECT_MAP;
    cr_assert_eq(value->type, is_map ? WIRE_MAP : WIRE_ARRAY);
    cr_assert_eq(value->count, is_map ? object->via.map.size : object->via.array.size);
    if (depth + 1 > *deepest) {
        *deepest = depth + 1;
    }
    assert_same_children(cursor, object, depth, deepest);
}

static void assert_same(struct wire_cursor *cursor, const msgpack_object *object, unsigned depth,
                        unsigned *deepest)
{
    struct wire_value value = wire_read(cursor);
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        cr_assert_eq(value.type, WIRE_NIL);
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        cr_assert(value.type == WIRE_BOOL && value.boolean == object->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        cr_assert(value.type == WIRE_UINT && value.uint == object->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        cr_assert(value.type == WIRE_INT && value.sint == object->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        cr_assert(value.type == WIRE_FLOAT && bits_of(value.real) == bits_of(object->via.f64));
        break;
    case MSGPACK_OBJECT_STR:
        cr_assert(value.type == WIRE_STR &&
                  is_view_of(value.body, object->via.str.ptr, object->via.str.size));
        break;
    case MSGPACK_OBJECT_BIN:
        cr_assert(value.type == WIRE_BIN &&
                  is_view_of(value.body, object->via.bin.ptr, object->via.bin.size));
        break;
    case MSGPACK_OBJECT_EXT:
        cr_assert(value.type == WIRE_EXT &&
                  is_view_of(value.body, object->via.ext.ptr, object->via.ext.size) &&
                  value.ext_type == object->via.ext.type);
        break;
    case MSGPACK_OBJECT_ARRAY:
    case MSGPACK_OBJECT_MAP:
        assert_same_container(cursor, &value, object, depth, deepest);
        break;
    }
}

Test(wire_oracle, reads_what_msgpack_c_packs)
{
    dice.state = 1;
    for (unsigned i = 0; i < 20 * DOCUMENTS; i++) {
        msgpack_sbuffer packed;
        make_document(&packed);
        struct span message = span_make(packed.data, packed.size);
        struct wire_structure structure;
        struct error error;
        cr_assert(wire_check_structure(message, &structure, &error), "document %u: %s", i,
                  error.message);
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        size_t offset = 0;
        cr_assert_eq(msgpack_unpack_next(&unpacked, packed.data, packed.size, &offset),
                     MSGPACK_UNPACK_SUCCESS);
        struct wire_cursor cursor = wire_cursor_of(message);
        unsigned deepest = 0;
        assert_same(&cursor, &unpacked.data, 0, &deepest);
        cr_assert(wire_at_end(&cursor));
        cr_assert_eq(structure.depth, deepest);
        cursor = wire_cursor_of(message);
        cr_assert_eq(wire_skip(&cursor).size, message.size);
        msgpack_unpacked_destroy(&unpacked);
        msgpack_sbuffer_destroy(&packed);
    }
}

/** Bytes as the oracle sees them: on the heap, of exactly their size. */
static bool oracle_accepts(const uint8_t *bytes, size_t size)
{
    if (size == 0) {
        return false;
    }
    char *copy = malloc(size);
    memcpy(copy, bytes, size);
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    msgpack_unpack_return result = msgpack_unpack_next(&unpacked, copy, size, &offset);
    /* Trailing bytes are success to it, and refused by wire. */
    bool accepted = result == MSGPACK_UNPACK_SUCCESS && offset == size;
    msgpack_unpacked_destroy(&unpacked);
    free(copy);
    return accepted;
}

/** Whether msgpack-c might allocate gigabytes for a count that the bytes cannot hold. */
static bool is_beyond_the_oracle(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i + 2 < size; i++) {
        if ((bytes[i] == 0xdd || bytes[i] == 0xdf) && (bytes[i + 1] != 0 || bytes[i + 2] != 0)) {
            return true;
        }
    }
    return false;
}

static void assert_agreement(const uint8_t *bytes, size_t size)
{
    struct wire_structure structure;
    struct error error;
    bool accepted = wire_check_structure(span_make(bytes, size), &structure, &error);
    if (is_beyond_the_oracle(bytes, size) || (accepted && structure.depth > 30)) {
        return; /* msgpack-c nests 32 levels */
    }
    cr_assert_eq(accepted, oracle_accepts(bytes, size), "%zu bytes: %s", size,
                 accepted ? "accepted" : error.message);
}

Test(wire_oracle, refuses_what_msgpack_c_refuses_cut_at_every_byte)
{
    dice.state = 2;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        msgpack_sbuffer packed;
        make_document(&packed);
        for (size_t size = 0; size <= packed.size; size++) {
            uint8_t *cut = malloc(size + 1);
            memcpy(cut, packed.data, size);
            uint8_t *exact = realloc(cut, size > 0 ? size : 1);
            assert_agreement(exact, size);
            free(exact);
        }
        msgpack_sbuffer_destroy(&packed);
    }
}

Test(wire_oracle, agrees_with_msgpack_c_on_mutations_of_every_byte)
{
    dice.state = 3;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        msgpack_sbuffer packed;
        make_document(&packed);
        uint8_t *bytes = malloc(packed.size);
        memcpy(bytes, packed.data, packed.size);
        for (size_t at = 0; at < packed.size; at++) {
            uint8_t before = bytes[at];
            bytes[at] = (uint8_t)(below(2) ? next_random() : 0xc0 + below(0x20));
            assert_agreement(bytes, packed.size);
            bytes[at] = before;
        }
        free(bytes);
        msgpack_sbuffer_destroy(&packed);
    }
}

Test(wire_oracle, agrees_with_msgpack_c_on_noise)
{
    dice.state = 4;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[24];
        size_t size = 1 + below(sizeof bytes);
        for (size_t at = 0; at < size; at++) {
            bytes[at] = (uint8_t)(below(3) == 0 ? below(16) : next_random());
        }
        assert_agreement(bytes, size);
    }
}
