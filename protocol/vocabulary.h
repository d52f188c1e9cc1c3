/**
 * The protocol's enumerations and their names on the wire: strategies, conflict reasons,
 * resolutions (protocol.md sections 2, 4 and 5), and the small structs that several messages share.
 */
#ifndef SCENESYNC_PROTOCOL_VOCABULARY_H
#define SCENESYNC_PROTOCOL_VOCABULARY_H

#include "protocol/span.h"

enum strategy {
    STRATEGY_LAST_WRITE_WINS,
    STRATEGY_LOCAL_WINS,
    STRATEGY_REMOTE_WINS,
    STRATEGY_MERGE,
    STRATEGY_COUNT
};

enum conflict_reason {
    CONFLICT_NONE,
    CONFLICT_ELEMENT_NOT_FOUND,
    CONFLICT_ELEMENT_ALREADY_EXISTS,
    CONFLICT_CONCURRENT_MODIFICATION,
    CONFLICT_STALE_TIMESTAMP,
    CONFLICT_REASON_COUNT
};

enum resolution {
    RESOLUTION_KEEP_LOCAL,
    RESOLUTION_KEEP_REMOTE,
    RESOLUTION_MERGE,
    RESOLUTION_COUNT
};

/** Where a record stands in Kafka. `topic` is a view. */
struct source {
    struct span topic;
    int32_t partition;
    int64_t offset;
};

/** What an operation met in the store; all zero for an element that was unknown. */
struct local_state {
    uint64_t version;
    uint64_t timestamp_ms;
    bool removed;
};

/** "last_write_wins" … Static. */
const char *strategy_name(enum strategy strategy);

/** Accepts both spellings (`last_write_wins`, `LastWriteWins`); STRATEGY_COUNT for others. */
enum strategy strategy_of_name(struct span name);

/** "ElementNotFound" …; NULL for CONFLICT_NONE. Static. */
const char *conflict_reason_name(enum conflict_reason reason);
enum conflict_reason conflict_reason_of_name(struct span name); /* CONFLICT_REASON_COUNT: none */

/** "keep_local" … Static. */
const char *resolution_name(enum resolution resolution);
enum resolution resolution_of_name(struct span name); /* RESOLUTION_COUNT: none */

#endif
