/**
 * Messages that are no batch: one for every reason to refuse a batch whole.
 *
 * Lifetime: nothing is kept. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_POISON_H
#define SCENESYNC_TESTS_SOAK_POISON_H

#include "protocol/buffer.h"
#include "tests/support/dice.h"

/**
 * Appends one of them, for the scene where it names one. Returns false where the record shall have
 * no value at all.
 */
bool soak_poison_pack(struct buffer *out, struct dice *dice, const char *session_id);

#endif
