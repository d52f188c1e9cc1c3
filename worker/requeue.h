/**
 * The messages that go back to Kafka for operations that could not be applied: the requeue of what
 * is pending (protocol.md section 6) and the dead letter of what ran out of retries or was refused
 * by the store (section 7).
 *
 * Both are functions of a result and the batch at hand alone, so that a redelivery makes the same
 * message again. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_REQUEUE_H
#define SCENESYNC_WORKER_REQUEUE_H

#include "protocol/batch.h"

/**
 * What a requeue's value may take of `limits.max_message_bytes`: Kafka counts key, headers and
 * framing too, and a requeue that its topic refuses would hold up the worker.
 */
size_t requeue_value_bytes_max(size_t message_bytes_max);

/**
 * Encodes the requeue of a result with pending operations into `out` (cleared first). Settled
 * bodies are left out where it would otherwise exceed `bytes_max`. Gives false in `fits` where even
 * that is not enough. Fails with ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool requeue_encode(const struct sync_result *result,
                                                        const struct batch *batch,
                                                        uint64_t arrival_ms, size_t bytes_max,
                                                        struct arena *arena, struct buffer *out,
                                                        bool *fits, struct error *error);

/**
 * Encodes the operations of this attempt that are to be dead-lettered as a batch that can be
 * produced again (`<batch_id>:dlq`, or `<batch_id>:dlq-<attempt>` where other operations wait for a
 * retry). `indexes` (arena) and `count` say which original operations they are, `code` why; with
 * count 0 there is nothing to write. Fails with ERROR_OUT_OF_MEMORY.
 */
struct dead_operations {
    uint32_t *indexes;
    uint32_t count;
    enum error_code code; /* ERROR_RETRIES_EXHAUSTED or ERROR_STORE_ERROR */
    struct span message;  /* of the first of them */
};
__attribute__((warn_unused_result)) bool
dead_operations_encode(const struct sync_result *result, const struct batch *batch,
                       struct arena *arena, struct buffer *out, struct dead_operations *dead,
                       struct error *error);

#endif
