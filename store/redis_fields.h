/**
 * Values of many fields of one hash, by commands that ask for a few each, and what replies say.
 *
 * No single command holds Redis up for long, and no reply is far beyond what a cycle may use:
 * hiredis builds it whole, and a field may have limits.max_element_bytes.
 *
 * Threading: stateless.
 */
#ifndef SCENESYNC_STORE_REDIS_FIELDS_H
#define SCENESYNC_STORE_REDIS_FIELDS_H

#include "store/redis_keys.h"

struct redisReply;

enum { REDIS_FIELDS_PER_COMMAND_MAX = 128 };

/** How many commands `count` fields take. */
size_t redis_fields_commands(size_t count);

/** Of `count` fields those of command `index`: where they start, and how many. */
size_t redis_fields_of_command(size_t count, size_t index, size_t *from);

/** Appends the commands for all of them: HMGETs, one reply each. */
void redis_fields_encode(struct buffer *out, struct span key_prefix, struct span session_id,
                         enum redis_key key, const struct span *fields, size_t count);

/** A string reply's bytes, a view; absent for nil and everything else, an error too. */
struct span redis_string_span(const struct redisReply *reply);

#endif
