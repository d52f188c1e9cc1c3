/**
 * OperationBatch (protocol.md section 2): decoding what comes from Kafka, encoding what goes back
 * (requeues, dead letters).
 *
 * Lifetime: a decoded batch views the payload and the arena; both must outlive it. Threading:
 * stateless. Cost: a checking pass and a decoding pass over the bytes, and one or two more where
 * some of them break a rule; nothing is allocated by a claimed count.
 */
#ifndef SCENESYNC_PROTOCOL_BATCH_H
#define SCENESYNC_PROTOCOL_BATCH_H

#include "protocol/operation.h"
#include "protocol/retry.h"

struct batch_context {
    const struct limits *limits;
    enum strategy default_strategy;
    bool allow_batch_strategy; /* where false, the default is used whatever the batch says */
    bool from_retry_topic;     /* `retry` required, and the batch's strategy is used as it stands */
};

struct batch {
    struct span session_id;
    struct span batch_id;  /* text; absent where the batch had none: see batch_default_id() */
    struct span client_id; /* absent where the batch had none */
    enum strategy strategy;
    struct operation *operations;
    uint32_t operation_count;
    struct span operations_raw;  /* the array as received: what the fingerprint is taken of */
    struct retry_section *retry; /* NULL on the ops topic */
};

enum { BATCH_DEFAULT_ID_BYTES_MAX = 320 };

/**
 * Writes the id of a batch that names none: `<topic>/<partition>/<offset>@<record timestamp>`
 * (section 2). Characters of the topic outside the batch_id alphabet cannot occur (Kafka's topic
 * names are a subset). Returns the length; no terminator.
 */
size_t batch_default_id(const struct source *source, int64_t record_timestamp_ms,
                        char out[BATCH_DEFAULT_ID_BYTES_MAX]);

/**
 * Decodes and checks, in the order of section 2: size, well-formedness, map, depth, duplicate keys,
 * then the keys in the table's order, then the number of operations. The first that fails gives
 * the code (or ERROR_INVALID_RETRY, ERROR_OUT_OF_MEMORY). A single broken operation is no failure
 * of the batch (operation.h).
 *
 * On failure `out` holds what could be read all the same: session_id, batch_id and
 * client_id where they are valid, absent otherwise; section 7 wants a result wherever a
 * session_id could be read.
 */
__attribute__((warn_unused_result)) bool batch_decode(struct span payload,
                                                      const struct batch_context *context,
                                                      struct arena *arena, struct batch *out,
                                                      struct error *error);

/** One message to encode: a batch of some operations of another one. */
struct batch_parts {
    struct span session_id, batch_id; /* present */
    struct span client_id;            /* absent: left out */
    enum strategy strategy;
    const struct span *operations; /* raw */
    uint32_t operation_count;
    const struct retry_section *retry; /* NULL: none */
};

/** Appends the message (`v`, `session_id`, `batch_id`, `client_id`, `strategy`, `operations`,
 * `retry`). Failure sticks in `out`. */
void batch_encode(const struct batch_parts *parts, struct buffer *out);

#endif
