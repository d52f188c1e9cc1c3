/**
 * MessagePack written into a buffer, by msgpack-c's packer: always the shortest encoding.
 *
 * A failed append sticks in the buffer (buffer.h): write everything, then look at `failed` once.
 * Threading: one thread per buffer.
 */
#ifndef SCENESYNC_PROTOCOL_PACK_H
#define SCENESYNC_PROTOCOL_PACK_H

#include "protocol/buffer.h"

void pack_nil(struct buffer *out);
void pack_bool(struct buffer *out, bool value);
void pack_uint(struct buffer *out, uint64_t value);
void pack_int(struct buffer *out, int64_t value);
void pack_double(struct buffer *out, double value); /* always float64 */
void pack_str(struct buffer *out, struct span text);
void pack_text(struct buffer *out, const char *text); /* NUL-terminated */
void pack_bin(struct buffer *out, struct span bytes);
void pack_array(struct buffer *out, uint32_t count); /* `count` values must follow */
void pack_map(struct buffer *out, uint32_t count);   /* `count` key-value pairs must follow */

/** Appends a value that is encoded already. */
void pack_raw(struct buffer *out, struct span raw);

/** The version of msgpack-c that is linked, e.g. "4.0.0". Static. */
const char *pack_library_version(void);

#endif
