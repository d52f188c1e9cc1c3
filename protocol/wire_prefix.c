#include "protocol/wire_prefix.h"

/* What a lead byte says of the value that it opens. */
struct shape {
    uint8_t length_bytes; /* width of the length behind the lead byte */
    uint8_t length;       /* where that is 0: the length itself */
    uint8_t fixed_bytes;  /* payload that comes on top of the length */
    uint8_t children;     /* values per unit of the length; 0: the length counts payload bytes */
    bool reserved;
};

/* Lead bytes 0xc0 to 0xdf. */
static const struct shape shapes[32] = {
    [0x01] = {.reserved = true},                    /* never used */
    [0x04] = {.length_bytes = 1},                   /* bin 8 */
    [0x05] = {.length_bytes = 2},                   /* bin 16 */
    [0x06] = {.length_bytes = 4},                   /* bin 32 */
    [0x07] = {.length_bytes = 1, .fixed_bytes = 1}, /* ext 8: a type byte and the payload */
    [0x08] = {.length_bytes = 2, .fixed_bytes = 1}, /* ext 16 */
    [0x09] = {.length_bytes = 4, .fixed_bytes = 1}, /* ext 32 */
    [0x0a] = {.fixed_bytes = 4},                    /* float 32 */
    [0x0b] = {.fixed_bytes = 8},                    /* float 64 */
    [0x0c] = {.fixed_bytes = 1},                    /* uint 8 */
    [0x0d] = {.fixed_bytes = 2},                    /* uint 16 */
    [0x0e] = {.fixed_bytes = 4},                    /* uint 32 */
    [0x0f] = {.fixed_bytes = 8},                    /* uint 64 */
    [0x10] = {.fixed_bytes = 1},                    /* int 8 */
    [0x11] = {.fixed_bytes = 2},                    /* int 16 */
    [0x12] = {.fixed_bytes = 4},                    /* int 32 */
    [0x13] = {.fixed_bytes = 8},                    /* int 64 */
    [0x14] = {.fixed_bytes = 2},                    /* fixext 1: a type byte and the payload */
    [0x15] = {.fixed_bytes = 3},                    /* fixext 2 */
    [0x16] = {.fixed_bytes = 5},                    /* fixext 4 */
    [0x17] = {.fixed_bytes = 9},                    /* fixext 8 */
    [0x18] = {.fixed_bytes = 17},                   /* fixext 16 */
    [0x19] = {.length_bytes = 1},                   /* str 8 */
    [0x1a] = {.length_bytes = 2},                   /* str 16 */
    [0x1b] = {.length_bytes = 4},                   /* str 32 */
    [0x1c] = {.length_bytes = 2, .children = 1},    /* array 16 */
    [0x1d] = {.length_bytes = 4, .children = 1},    /* array 32 */
    [0x1e] = {.length_bytes = 2, .children = 2},    /* map 16 */
    [0x1f] = {.length_bytes = 4, .children = 2},    /* map 32 */
};

static struct shape shape_of(uint8_t lead)
{
    if (lead < 0x80 || lead >= 0xe0) { /* fixint */
        return (struct shape){.length = 0};
    }
    if (lead < 0x90) { /* fixmap */
        return (struct shape){.length = lead & 0x0f, .children = 2};
    }
    if (lead < 0xa0) { /* fixarray */
        return (struct shape){.length = lead & 0x0f, .children = 1};
    }
    if (lead < 0xc0) { /* fixstr */
        return (struct shape){.length = lead & 0x1f};
    }
    return shapes[lead - 0xc0];
}

/* Reads one value's head. `size` is what lies before its first child or, without children, its
 * end; `children` is how many values follow. */
static bool head_read(struct span bytes, size_t *size, uint64_t *children)
{
    if (bytes.size == 0) {
        return false;
    }
    const struct shape shape = shape_of(bytes.data[0]);
    const size_t head_bytes = (size_t)1 + shape.length_bytes;
    if (shape.reserved || bytes.size < head_bytes) {
        return false;
    }
    uint64_t length = shape.length;
    for (size_t i = 1; i < head_bytes; i++) {
        length = length << 8 | bytes.data[i];
    }
    const uint64_t payload_bytes = shape.fixed_bytes + (shape.children == 0 ? length : 0);
    if (payload_bytes > bytes.size - head_bytes) {
        return false;
    }
    *size = head_bytes + (size_t)payload_bytes;
    *children = length * shape.children; /* at most 2 * 2^32 */
    return true;
}

bool wire_prefix_size(struct span bytes, size_t *size)
{
    size_t at = 0;
    /* Values still to come. Every one takes a byte, so the bytes bound the loop; and every 5 bytes
     * announce 2^33 at most, so the sum stays far from overflowing. */
    uint64_t due = 1;
    while (due > 0) {
        size_t head = 0;
        uint64_t children = 0;
        if (!head_read(span_make(bytes.data + at, bytes.size - at), &head, &children)) {
            return false;
        }
        at += head;
        due = due - 1 + children;
    }
    *size = at;
    return true;
}

bool wire_prefix_map(struct span bytes, uint32_t *pairs, size_t *head_size)
{
    if (bytes.size == 0) {
        return false;
    }
    const struct shape shape = shape_of(bytes.data[0]);
    size_t head = 0;
    uint64_t children = 0;
    if (shape.children != 2 || !head_read(bytes, &head, &children)) {
        return false;
    }
    *pairs = (uint32_t)(children / 2);
    *head_size = head;
    return true;
}
