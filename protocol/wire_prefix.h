/**
 * One MessagePack value at the start of bytes that have passed no check: for reading the identity
 * of a batch that is too large, cut off or followed by rubbish.
 *
 * Threading: stateless. Cost: O(bytes of the value), no allocation, no recursion.
 */
#ifndef SCENESYNC_PROTOCOL_WIRE_PREFIX_H
#define SCENESYNC_PROTOCOL_WIRE_PREFIX_H

#include "protocol/span.h"

/**
 * Gives the size of the value that `bytes` starts with, children included. Returns false where it
 * is cut off or holds the reserved byte 0xc1; `size` is then left alone. `bytes` up to `*size` may
 * be read with a wire_cursor.
 */
__attribute__((warn_unused_result)) bool wire_prefix_size(struct span bytes, size_t *size);

/**
 * Reads a map's head alone: its number of pairs and the size of the head. Returns false where
 * `bytes` does not start with a map.
 */
__attribute__((warn_unused_result)) bool wire_prefix_map(struct span bytes, uint32_t *pairs,
                                                         size_t *head_size);

#endif
