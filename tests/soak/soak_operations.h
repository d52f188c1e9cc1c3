/**
 * The operations that the soak's clients make, in every spelling that the protocol allows.
 *
 * Lifetime: nothing is kept. Threading: one thread. Cost: about a microsecond an operation.
 */
#ifndef SCENESYNC_TESTS_SOAK_OPERATIONS_H
#define SCENESYNC_TESTS_SOAK_OPERATIONS_H

#include "protocol/buffer.h"
#include "tests/support/dice.h"

enum { SOAK_ELEMENT_IDS = 20, SOAK_ID_BYTES = 65 };

/** Who makes the operations of one batch. */
struct soak_author {
    struct dice *dice;
    int64_t now_ms; /* by the client's own clock */
    uint32_t scene; /* so that UUIDs differ between scenes */
};

/** Appends one operation of any kind on one of the scene's usual elements; now and then an invalid
 * or a malformed one. */
void soak_operation_pack(struct buffer *out, const struct soak_author *author);

/** An add and an update of a named element, both valid, the clock right. */
void soak_operation_pack_add(struct buffer *out, const struct soak_author *author, const char *id);
void soak_operation_pack_update(struct buffer *out, const struct soak_author *author,
                                const char *id);

#endif
