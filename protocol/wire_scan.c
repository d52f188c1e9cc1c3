#include "protocol/wire_scan.h"

#include "protocol/big_endian.h"

const uint8_t wire_fixed_sizes[256] = {
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x00 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x10 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x20 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x30 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x40 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x50 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x60 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x70 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x80 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0x90 */
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, /* 0xa0 */
    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, /* 0xb0 */
    1,  0,  1,  1,  0,  0,  0,  0,  0,  0,  5,  9,  2,  3,  5,  9,  /* 0xc0 */
    2,  3,  5,  9,  3,  4,  6,  10, 18, 0,  0,  0,  0,  0,  0,  0,  /* 0xd0 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0xe0 */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* 0xf0 */
};

const uint8_t wire_fixed_children[256] = {
    [0x81] = 2,  [0x82] = 4,  [0x83] = 6,  [0x84] = 8,  [0x85] = 10, /* maps: keys and values */
    [0x86] = 12, [0x87] = 14, [0x88] = 16, [0x89] = 18, [0x8a] = 20, [0x8b] = 22, [0x8c] = 24,
    [0x8d] = 26, [0x8e] = 28, [0x8f] = 30, [0x91] = 1,  [0x92] = 2, /* arrays */
    [0x93] = 3,  [0x94] = 4,  [0x95] = 5,  [0x96] = 6,  [0x97] = 7,  [0x98] = 8,  [0x99] = 9,
    [0x9a] = 10, [0x9b] = 11, [0x9c] = 12, [0x9d] = 13, [0x9e] = 14, [0x9f] = 15,
};

/* Signed integers (G) may be negative: their bytes tell, not the lead byte. */
enum {
    N = WIRE_NIL,
    B = WIRE_BOOL,
    U = WIRE_UINT,
    I = WIRE_INT,
    G = WIRE_INT,
    F = WIRE_FLOAT,
    S = WIRE_STR,
    X = WIRE_BIN,
    A = WIRE_ARRAY,
    M = WIRE_MAP,
    E = WIRE_EXT
};

const uint8_t wire_types[256] = {
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x00 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x10 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x20 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x30 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x40 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x50 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x60 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 0x70 */
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, /* 0x80 */
    A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* 0x90 */
    S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, /* 0xa0 */
    S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, /* 0xb0 */
    N, N, B, B, X, X, X, E, E, E, F, F, U, U, U, U, /* 0xc0 */
    G, G, G, G, E, E, E, E, E, S, S, S, A, A, M, M, /* 0xd0 */
    I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, /* 0xe0 */
    I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, /* 0xf0 */
};

const uint8_t wire_length_widths[32] = {
    [0x04] = 1, [0x05] = 2, [0x06] = 4,             /* bin */
    [0x07] = 1, [0x08] = 2, [0x09] = 4,             /* ext */
    [0x19] = 1, [0x1a] = 2, [0x1b] = 4,             /* str */
    [0x1c] = 2, [0x1d] = 4, [0x1e] = 2, [0x1f] = 4, /* array, map */
};

struct wire_extent wire_measure_open(const uint8_t *at, size_t left)
{
    uint8_t lead = *at;
    unsigned head = wire_head_size(lead);
    if (head > left) {
        return (struct wire_extent){.size = head};
    }
    uint64_t length = head > 1 ? big_endian_load(at + 1, head - 1) : lead & 0x0fu;
    if (wire_lead_is_container(lead)) {
        return (struct wire_extent){.size = head, .children = length << wire_lead_is_map(lead)};
    }
    return (struct wire_extent){.size = head + wire_lead_is_ext(lead) + length};
}
