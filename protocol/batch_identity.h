/**
 * Who made a batch and for which scene: its first keys, read from a good message or salvaged from
 * a refused one. Internal to batch.h's decoder.
 *
 * Lifetime: results view the message, or the arena where a UUID was written out. Threading:
 * stateless. Cost: the readers O(1), the salvage O(bytes).
 */
#ifndef SCENESYNC_PROTOCOL_BATCH_IDENTITY_H
#define SCENESYNC_PROTOCOL_BATCH_IDENTITY_H

#include "protocol/batch.h"
#include "protocol/fields.h"

/* The protocol's order, which is the order of the checks. */
enum {
    BATCH_KEY_V,
    BATCH_KEY_SESSION_ID,
    BATCH_KEY_BATCH_ID,
    BATCH_KEY_CLIENT_ID,
    BATCH_KEY_STRATEGY,
    BATCH_KEY_OPERATIONS,
    BATCH_KEY_RETRY,
    BATCH_KEY_COUNT
};

extern const struct field_name batch_key_names[BATCH_KEY_COUNT];

/** Reads `session_id` from its raw value; absent and nil are ERROR_MISSING_FIELD. */
bool batch_identity_read_session_id(struct span raw, struct span *out, struct error *error);

/**
 * Reads `batch_id` from its raw value, which is there. Text and bytes of a UUID give the same
 * lower-case text.
 */
bool batch_identity_read_batch_id(struct span raw, struct arena *arena, struct span *out,
                                  struct error *error);

/** Reads `client_id` from its raw value, which is there. */
bool batch_identity_read_client_id(struct span raw, struct span *out, struct error *error);

/**
 * Fills `out` with what a refused message still tells of its identity (batch_decode()). `payload`
 * has passed no check: it may be absent, too large, cut off or rubbish. `error`, which says what it
 * was refused for, becomes ERROR_OUT_OF_MEMORY where there is none for the batch_id: the result
 * must not go out under another one.
 */
void batch_identity_salvage(struct span payload, const struct batch_context *context,
                            struct arena *arena, struct batch *out, struct error *error);

#endif
