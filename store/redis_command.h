/**
 * Redis commands as bytes of the protocol (RESP): appended to a buffer piece by piece, binary-safe,
 * without format strings.
 *
 *     redis_command_begin(out, 3);
 *     redis_command_add_text(out, "HSET"); ...
 *
 * The number of arguments stands first and has to be met exactly. Failure sticks in the buffer.
 * Threading: stateless. Cost: a copy of the bytes.
 */
#ifndef SCENESYNC_STORE_REDIS_COMMAND_H
#define SCENESYNC_STORE_REDIS_COMMAND_H

#include "protocol/buffer.h"

void redis_command_begin(struct buffer *out, size_t argument_count);
void redis_command_add(struct buffer *out, struct span argument);
void redis_command_add_text(struct buffer *out, const char *argument);
void redis_command_add_uint(struct buffer *out, uint64_t argument);
void redis_command_add_int(struct buffer *out, int64_t argument);

enum { REDIS_COMMAND_PARTS_MAX = 4 };

/** One argument put together from parts. */
void redis_command_add_parts(struct buffer *out, const struct span *parts, size_t count);

#endif
