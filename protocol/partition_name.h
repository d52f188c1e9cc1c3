/**
 * A partition's name, "<topic>/<partition>", as ids, positions and records have it.
 *
 * Threading: stateless. Cost: a copy of the name; no locale, no allocation.
 */
#ifndef SCENESYNC_PROTOCOL_PARTITION_NAME_H
#define SCENESYNC_PROTOCOL_PARTITION_NAME_H

#include "protocol/vocabulary.h"

enum {
    PARTITION_NAME_TOPIC_BYTES_MAX = 249, /* Kafka's limit */
    PARTITION_NAME_BYTES_MAX = PARTITION_NAME_TOPIC_BYTES_MAX + 1 + 21,
    PARTITION_NAME_PLACE_BYTES_MAX = PARTITION_NAME_BYTES_MAX + 1 + 21
};

/** Writes the name; returns its length. No terminator. */
size_t partition_name_write(struct span topic, int32_t partition,
                            char out[PARTITION_NAME_BYTES_MAX]);

/** Writes "<topic>/<partition>/<offset>"; the same. */
size_t partition_name_write_place(const struct source *source,
                                  char out[PARTITION_NAME_PLACE_BYTES_MAX]);

#endif
