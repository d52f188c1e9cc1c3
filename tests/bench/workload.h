/**
 * The benchmarks' workloads: what is in the store before, and an endless stream of batches. The
 * same name, sizes and seed make the same batches, byte for byte, so that the worker, its peer and
 * the ceiling do the same work, and instruction counts repeat.
 *
 * Every scene has its elements under ids of 21 characters, a window of serial numbers that adds
 * and removes move along, so its size stays what it was. Half of the updates move an element, half
 * write its text.
 *
 * Lifetime: workload_create() .. workload_destroy(). Threading: one thread each.
 */
#ifndef SCENESYNC_TESTS_BENCH_WORKLOAD_H
#define SCENESYNC_TESTS_BENCH_WORKLOAD_H

#include "protocol/buffer.h"

enum { WORKLOAD_OPERATIONS_MAX = 1000, WORKLOAD_SESSION_BYTES_MAX = 32, WORKLOAD_ID_BYTES = 21 };

/** The sizes of a workload; those of its name, unless the caller changes them before create. */
struct workload_sizes {
    uint32_t scenes;
    uint32_t elements;   /* in each scene, before */
    uint32_t operations; /* in a batch, up to WORKLOAD_OPERATIONS_MAX */
    uint32_t text_bytes; /* of an element's text, at least; up to 80 more, at random */
};

enum workload_kind { WORKLOAD_ADD, WORKLOAD_UPDATE, WORKLOAD_REMOVE };

struct workload_operation {
    enum workload_kind kind;
    uint64_t element;      /* its serial number in the scene */
    uint64_t timestamp_ms; /* of the operation */
    uint64_t random;       /* what its values are made of */
};

struct workload_batch {
    uint64_t serial; /* 0, 1, ... */
    uint32_t scene;
    uint32_t operation_count;
    struct workload_operation operations[WORKLOAD_OPERATIONS_MAX];
};

struct workload;

/** The sizes that go with a name (uniform, drag, single, hot, cold, conflict, large); false where
 * there is no such workload. */
bool workload_sizes_of(const char *name, struct workload_sizes *out);

/** The names, NULL behind the last. Static. */
const char *const *workload_names(void);

/**
 * `start_ms`: the timestamps of what is there before; batches have later ones, a millisecond
 * each, so it has to lie before the records' times by as many milliseconds as there will be
 * batches. NULL: out of memory, or no such name.
 */
struct workload *workload_create(const char *name, const struct workload_sizes *sizes,
                                 uint64_t seed, uint64_t start_ms);
void workload_destroy(struct workload *workload);

/** Makes the next batch. */
void workload_next(struct workload *workload, struct workload_batch *out);

/** Writes the session id of a scene, NUL-terminated; returns its length. */
size_t workload_session(uint32_t scene, char out[WORKLOAD_SESSION_BYTES_MAX]);

/** Writes an element's id, without a terminator. */
void workload_element_id(const struct workload *workload, uint32_t scene, uint64_t element,
                         char out[WORKLOAD_ID_BYTES]);

/** Appends the OperationBatch that goes to Kafka. */
void workload_encode_batch(const struct workload *workload, const struct workload_batch *batch,
                           struct buffer *out);

/** Appends what stands in the store for one of the elements before (store/README.md). */
void workload_encode_stored(const struct workload *workload, uint32_t scene, uint64_t element,
                            struct buffer *out);

/** Appends what the store would hold after an operation: the whole element, or a tombstone. It is
 * as large as what the worker stores, and not the same: the ceiling does not read. */
void workload_encode_value(const struct workload *workload, uint32_t scene,
                           const struct workload_operation *operation, struct buffer *out);

#endif
