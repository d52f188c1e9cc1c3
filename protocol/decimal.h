/**
 * Decimal numbers as text without a terminator.
 *
 * Threading: stateless. Cost: O(digits); no locale, no allocation.
 */
#ifndef SCENESYNC_PROTOCOL_DECIMAL_H
#define SCENESYNC_PROTOCOL_DECIMAL_H

#include "protocol/span.h"

enum { DECIMAL_BYTES_MAX = 21 }; /* a sign and 20 digits */

/** How many characters decimal_write() writes. */
static inline size_t decimal_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 10000) {
        value /= 10000;
        size += 4;
    }
    return size + (value >= 10) + (value >= 100) + (value >= 1000);
}

/** "00" to "99", one behind the other. */
extern const char decimal_pairs[201];

/** Writes `value` as the `size` characters that decimal_size() counted. No terminator. */
static inline void decimal_write_counted(uint64_t value, size_t size, char *out)
{
    for (; value >= 100; value /= 100) {
        size -= 2;
        memcpy(out + size, decimal_pairs + 2 * (value % 100), 2);
    }
    if (value >= 10) {
        memcpy(out, decimal_pairs + 2 * value, 2);
    } else {
        out[0] = (char)('0' + value);
    }
}

/** Writes `value` into DECIMAL_BYTES_MAX bytes; returns the number of characters. No terminator. */
size_t decimal_write(uint64_t value, char *out);
size_t decimal_write_signed(int64_t value, char *out);

/** Reads text that is nothing but digits. False for others, an absent span and above `max`. */
__attribute__((warn_unused_result)) bool decimal_read(struct span text, uint64_t max,
                                                      uint64_t *out);

/** The same with an optional '-' before the digits. */
__attribute__((warn_unused_result)) bool decimal_read_signed(struct span text, int64_t *out);

/** Reads the digits that text starts with, one at least; returns their number, or 0. */
size_t decimal_read_prefix(struct span text, uint64_t max, uint64_t *out);

#endif
