/**
 * What the soak's clients send: batches of every sort that the protocol knows, in an order that
 * the seed decides alone.
 *
 * Adds, updates, removes and interactions on few elements of many scenes, so that they meet;
 * clients whose clocks are behind or ahead; versions that somebody claims to have seen; every
 * strategy; updates that come before their add; batches sent again; identities used twice; invalid
 * operations; messages that are no batch at all; and some that take another partition than their
 * scene's, so that two workers race for it.
 *
 * Lifetime: soak_batches_create() .. soak_batches_destroy(). Threading: one thread. Cost: a few
 * microseconds a batch.
 */
#ifndef SCENESYNC_TESTS_SOAK_BATCHES_H
#define SCENESYNC_TESTS_SOAK_BATCHES_H

#include "protocol/span.h"

/* What the workers have to be set to, so that some batches break a limit. */
enum {
    SOAK_OPERATIONS_MAX = 40,
    SOAK_ELEMENTS_MAX = 40,
    SOAK_ELEMENT_BYTES_MAX = 8192,
    SOAK_MESSAGE_BYTES_MAX = 262144
};

enum soak_batch_kind {
    SOAK_BATCH_NEW,
    SOAK_BATCH_RESENT, /* a batch as it was sent before, byte for byte */
    SOAK_BATCH_REUSED, /* other operations under an identity that was used before */
    SOAK_BATCH_POISON, /* refused whole, for another reason */
    SOAK_BATCH_KIND_COUNT
};

struct soak_batch {
    enum soak_batch_kind kind;
    struct span key, value; /* absent: the record has none */
    int32_t partition;      /* SOAK_PARTITION_OF_KEY: where its key belongs */
    uint32_t operation_count;
    bool has_header; /* one of the client's own, which has to reach its dead letter */
};

enum { SOAK_PARTITION_OF_KEY = -1 };

struct soak_batches_options {
    uint64_t seed;
    uint32_t scene_count;
    int32_t partition_count;
};

struct soak_batches;

/** Returns owned; out of memory ends the process, as everywhere in the soak. */
struct soak_batches *soak_batches_create(const struct soak_batches_options *options);
void soak_batches_destroy(struct soak_batches *batches);

/** The next batch, made at `now_ms` by a right clock. Views until the next call. */
struct soak_batch soak_batches_next(struct soak_batches *batches, int64_t now_ms);

#endif
