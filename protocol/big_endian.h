/** Big-endian numbers as they stand in MessagePack. Stateless. */
#ifndef SCENESYNC_PROTOCOL_BIG_ENDIAN_H
#define SCENESYNC_PROTOCOL_BIG_ENDIAN_H

#include <stdint.h>
#include <string.h>

static inline uint64_t big_endian_load_16(const uint8_t *at)
{
    return (uint64_t)at[0] << 8 | at[1];
}

static inline uint64_t big_endian_load_32(const uint8_t *at)
{
    return (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
}

static inline uint64_t big_endian_load_64(const uint8_t *at)
{
    return big_endian_load_32(at) << 32 | big_endian_load_32(at + 4);
}

static inline double big_endian_load_double(const uint8_t *at)
{
    uint64_t bits = big_endian_load_64(at);
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/** Loads a big-endian number of 1, 2, 4 or 8 bytes. */
static inline uint64_t big_endian_load(const uint8_t *at, unsigned width)
{
    return width == 1   ? *at
           : width == 2 ? big_endian_load_16(at)
           : width == 4 ? big_endian_load_32(at)
                        : big_endian_load_64(at);
}

static inline void big_endian_store_16(uint8_t *at, uint64_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static inline void big_endian_store_32(uint8_t *at, uint64_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

static inline void big_endian_store_64(uint8_t *at, uint64_t number)
{
    big_endian_store_32(at, number >> 32);
    big_endian_store_32(at + 4, number);
}

/** Stores the lowest 1, 2, 4 or 8 bytes of a number. */
static inline void big_endian_store(uint8_t *at, uint64_t number, unsigned width)
{
    switch (width) {
    case 1:
        at[0] = (uint8_t)number;
        break;
    case 2:
        big_endian_store_16(at, number);
        break;
    case 4:
        big_endian_store_32(at, number);
        break;
    default:
        big_endian_store_64(at, number);
        break;
    }
}

#endif
