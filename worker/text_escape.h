/**
 * Outside text made fit for one quoted line: the escapes that JSON and quoted logfmt values share.
 *
 * Threading: stateless. Cost: O(size), nothing allocates.
 */
#ifndef SCENESYNC_WORKER_TEXT_ESCAPE_H
#define SCENESYNC_WORKER_TEXT_ESCAPE_H

#include "protocol/span.h"

enum { TEXT_ESCAPE_BYTES_MAX = 6 };

/**
 * Takes one character from the front of `*rest` (not empty) and writes what stands for it between
 * quotes; returns its size. Quotes, backslashes and control characters (C0, DEL and C1, which a
 * terminal would act on) are escaped; a byte that is not UTF-8 becomes '?'; all else is copied.
 */
size_t text_escape_next(struct span *rest, char out[TEXT_ESCAPE_BYTES_MAX]);

/**
 * Makes a message that quotes outside text fit for one line: half a character, or what a terminal
 * would act on, must not reach anybody. As above, but that quotes and backslashes stay: none stand
 * around it. Writes it into `out`, cut at the size and terminated.
 */
void text_escape_message(struct span message, char *out, size_t out_bytes);

#endif
