/**
 * Operations and batches as a test sends them, short enough to read a story in.
 *
 * Operations are JSON text in message_of()'s spelling. Lifetime: the process's. Threading: one
 * thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_SENT_BATCH_H
#define SCENESYNC_TESTS_SUPPORT_SENT_BATCH_H

#include "protocol/span.h"

/** As printf, kept. */
const char *text_of_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Adds a rectangle at `x`. */
const char *op_add(const char *id, int x, uint64_t timestamp_ms);
/** Updates `transform.x`. */
const char *op_move(const char *id, int x, uint64_t timestamp_ms);
const char *op_remove(const char *id, uint64_t timestamp_ms);

/** Two operations, one behind the other. */
const char *ops(const char *first, const char *second);

/** A batch of operations separated by commas. `batch_id` NULL: it has none. */
struct span sent_batch(const char *session_id, const char *batch_id, const char *operations);

/** The same by a client, under a strategy of its own. */
struct span sent_batch_by(const char *client_id, const char *strategy, const char *session_id,
                          const char *batch_id, const char *operations);

#endif
