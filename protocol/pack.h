/**
 * MessagePack written into a buffer: always the shortest encoding, as msgpack-c's packer chooses
 * it, at a fraction of its cost, which is a call for every few bytes.
 *
 * A failed append sticks in the buffer (buffer.h): write everything, then look at `failed` once.
 * Threading: one thread per buffer.
 */
#ifndef SCENESYNC_PROTOCOL_PACK_H
#define SCENESYNC_PROTOCOL_PACK_H

#include "protocol/buffer.h"

enum { PACK_FIXSTR = 0xa0, PACK_FIXSTR_BYTES_MAX = 31 }; /* a short text's head, with its size */

void pack_nil(struct buffer *out);
void pack_bool(struct buffer *out, bool value);
void pack_uint(struct buffer *out, uint64_t value);
void pack_int(struct buffer *out, int64_t value);
void pack_double(struct buffer *out, double value); /* always float64 */
void pack_bin(struct buffer *out, struct span bytes);
void pack_array(struct buffer *out, uint32_t count); /* `count` values must follow */
void pack_map(struct buffer *out, uint32_t count);   /* `count` key-value pairs must follow */

/** What pack_str() does with a text of more than PACK_FIXSTR_BYTES_MAX bytes. */
void pack_long_str(struct buffer *out, struct span text);

/** Inline, since most of a result is short texts, of which many are literals. */
static inline void pack_str(struct buffer *out, struct span text)
{
    if (text.size > PACK_FIXSTR_BYTES_MAX) {
        pack_long_str(out, text);
        return;
    }
    uint8_t *at = buffer_extend(out, 1 + text.size);
    if (at != NULL) {
        at[0] = (uint8_t)(PACK_FIXSTR | text.size);
        if (text.size > 0) {
            memcpy(at + 1, text.data, text.size);
        }
    }
}

/** NUL-terminated text; inline, so that the length of a literal is known beforehand. */
static inline void pack_text(struct buffer *out, const char *text)
{
    pack_str(out, span_of_text(text));
}

/** Appends a value that is encoded already. */
void pack_raw(struct buffer *out, struct span raw);

#endif
