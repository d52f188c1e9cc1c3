/**
 * Whether a consumer group has dealt with all that its topics hold.
 *
 * Lifetime: kafka_lag_create() .. kafka_lag_destroy(). It never joins the group. Threading: one
 * thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_KAFKA_LAG_H
#define SCENESYNC_TESTS_SUPPORT_KAFKA_LAG_H

#include <stdint.h>
#include <stdio.h>

struct kafka_lag;

enum { KAFKA_LAG_UNKNOWN = -1 };

/** Returns owned. */
struct kafka_lag *kafka_lag_create(const char *bootstrap, const char *group);
void kafka_lag_destroy(struct kafka_lag *lag);

/** Has it look at partitions 0 to `partition_count` - 1 of a topic. */
void kafka_lag_add_topic(struct kafka_lag *lag, const char *topic, int partition_count);

/**
 * Records whose offsets the group has not committed. Offsets are read before the ends: 0 says that
 * there was an instant at which everything was committed, with what it led to. KAFKA_LAG_UNKNOWN
 * where the broker does not answer.
 */
int64_t kafka_lag_records(struct kafka_lag *lag);

/** Prints committed offset and lag of every partition, a line each: for a wait that was in vain. */
void kafka_lag_show(struct kafka_lag *lag, FILE *out);

#endif
