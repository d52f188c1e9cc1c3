/**
 * What an allocation takes of the heap: its size, glibc's header of 8 bytes, rounded up to 16, 32
 * at least. For bounds on memory: a scene of many small elements takes a fifth more than their
 * bytes.
 */
#ifndef SCENESYNC_STORE_HEAP_BYTES_H
#define SCENESYNC_STORE_HEAP_BYTES_H

#include <stddef.h>

/** Of an allocation of so many bytes; 0 of none. */
static inline size_t heap_bytes(size_t size)
{
    size_t whole = (size + 8 + 15) & ~(size_t)15;
    return size == 0 ? 0 : whole < 32 ? 32 : whole;
}

#endif
