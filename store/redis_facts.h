/**
 * What a Redis server says about itself, for `scenesync doctor`: INFO, and where the user may ask
 * for it what is configured.
 *
 * Threading: stateless; SIGPIPE must be ignored. Cost: blocks, for a few round trips.
 */
#ifndef SCENESYNC_STORE_REDIS_FACTS_H
#define SCENESYNC_STORE_REDIS_FACTS_H

#include "store/redis_exchange.h"

enum { REDIS_FACT_BYTES = 64 };

struct redis_facts {
    char server[REDIS_FACT_BYTES];        /* "redis", or what calls itself otherwise: "valkey" */
    char version[REDIS_FACT_BYTES];       /* that server's own: "7.0.15" */
    char redis_version[REDIS_FACT_BYTES]; /* the one that it is compatible with */
    bool is_replica, is_cluster;
    uint64_t cluster_size; /* primaries with slots; 0: not told */
    uint64_t replica_count;
    char eviction_policy[REDIS_FACT_BYTES];
    uint64_t memory_used_bytes, memory_bytes_max; /* the latter 0: no limit */
    bool has_append_file;
    bool append_failed, snapshot_failed; /* the last one that was tried */
    /* What INFO does not have; `knows_config` is false where the user may not ask. */
    bool knows_config;
    char append_fsync[REDIS_FACT_BYTES];
    char save[REDIS_FACT_BYTES]; /* empty: no snapshots */
    /* Its clock when the answer was made, between these two of ours. */
    int64_t server_time_us; /* since the Unix epoch; 0: not told */
    uint64_t asked_ms, answered_ms;
};

/** `wall_ms` is our clock. REDIS_READ_UNAVAILABLE: not within `timeout_ms`, and why. */
__attribute__((warn_unused_result)) enum redis_read
redis_facts_read(const struct redis_store_options *options, uint64_t (*wall_ms)(void *context),
                 void *clock_context, int timeout_ms, struct redis_facts *out, struct error *error);

#endif
