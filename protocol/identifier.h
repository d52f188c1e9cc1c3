/**
 * The names on the wire: session, client, batch and element ids (protocol.md sections 2 and 3).
 *
 * Threading: stateless. Ownership: results are views into the input where no change was needed,
 * else copies in the arena.
 */
#ifndef SCENESYNC_PROTOCOL_IDENTIFIER_H
#define SCENESYNC_PROTOCOL_IDENTIFIER_H

#include "protocol/wire.h"

/** 1 to 64 of [A-Za-z0-9_-]. */
bool identifier_is_session_id(struct span text);

/** 1 to 320 of [A-Za-z0-9_.:/@-]. */
bool identifier_is_batch_id(struct span text);

/**
 * An element id from the wire: a str of 1-64 [A-Za-z0-9_-], a 36-character hyphenated UUID in it
 * lower-cased; or a bin of 16 bytes as the UUID's lower-case text. Fails with
 * ERROR_INVALID_OPERATION, naming `key`.
 */
__attribute__((warn_unused_result)) bool
identifier_read_element_id(const struct wire_value *value, const char *key, struct arena *arena,
                           struct span *out, struct error *error);

enum { IDENTIFIER_UUID_TEXT_BYTES = 36 };

/** Writes the lower-case text of a UUID's 16 bytes; no terminator. */
void identifier_format_uuid(const uint8_t uuid[16], char out[IDENTIFIER_UUID_TEXT_BYTES]);

#endif
