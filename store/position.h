/**
 * A position as the stores keep it: "<offset> <timestamp>" (store/README.md).
 *
 * Threading: stateless.
 */
#ifndef SCENESYNC_STORE_POSITION_H
#define SCENESYNC_STORE_POSITION_H

#include "protocol/decimal.h"
#include "store/store.h"

enum { POSITION_BYTES_MAX = 2 * DECIMAL_BYTES_MAX + 1 };

/** Writes offset and timestamp; returns the size. No terminator. */
size_t position_write(const struct store_position *position, char out[POSITION_BYTES_MAX]);

/** Reads them, and sets `known`. False for other text. */
__attribute__((warn_unused_result)) bool position_read(struct span text,
                                                       struct store_position *out);

#endif
