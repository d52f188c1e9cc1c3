/**
 * JSON text to MessagePack, for `scenesync produce`: one value, its keys in the order given. It is
 * written by msgpack-c, as producers do, and not by the worker's own pack.h.
 *
 * Integers stay integers (up to 64 bits signed), numbers with a point or an exponent become
 * float64. Duplicate keys are refused, as the worker would. Threading: stateless. Cost: jansson
 * builds a tree of the text first; its nesting limit (2,048) bounds the recursion.
 */
#ifndef SCENESYNC_WORKER_JSON_PACK_H
#define SCENESYNC_WORKER_JSON_PACK_H

#include "protocol/buffer.h"

enum { JSON_PACK_ERROR_BYTES_MAX = 256 };

/** Where and why the text is not JSON: one line, what it quotes of the text made printable. */
struct json_pack_error {
    int line, column; /* from 1; 0: the text as a whole */
    char message[JSON_PACK_ERROR_BYTES_MAX];
};

/** Appends the MessagePack of the value in `text`. On failure `out` may hold a part of it. */
__attribute__((warn_unused_result)) bool json_pack_text(struct span text, struct buffer *out,
                                                        struct json_pack_error *error);

#endif
