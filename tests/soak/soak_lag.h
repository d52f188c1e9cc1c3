/**
 * How far the group is behind: a thread of its own asks the broker about every partition, since a
 * broker that is stopped lets one wait.
 *
 * Lifetime: soak_lag_create() .. soak_lag_destroy(). Threading: soak_lag_read() is for one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_LAG_H
#define SCENESYNC_TESTS_SOAK_LAG_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/soak/soak_setup.h"

enum { SOAK_CONSUMED_TOPICS = 1 + SOAK_RETRIES };

/** One look at all partitions: committed offsets first, ends second, so that an end that equals
 * its offset had nothing outstanding when the look began. */
struct soak_look {
    uint64_t number; /* rises with every look; 0: there was none yet */
    int64_t committed[SOAK_CONSUMED_TOPICS][SOAK_PARTITIONS];
    int64_t end[SOAK_CONSUMED_TOPICS][SOAK_PARTITIONS];
};

struct soak_lag;

/** Returns owned. */
struct soak_lag *soak_lag_create(const char *bootstrap);
void soak_lag_destroy(struct soak_lag *lag);

/** The last look that was answered in full. */
struct soak_look soak_lag_read(struct soak_lag *lag);

/** Records that are not committed yet. */
int64_t soak_look_records(const struct soak_look *look);

/** The sum of what is committed: it rises when work is done. */
int64_t soak_look_committed(const struct soak_look *look);

/** The name of a consumed topic, by its index in a look. `text`: SOAK_TOPIC_BYTES. */
enum { SOAK_TOPIC_BYTES = 64 };
void soak_look_write_topic(int topic, char *text);

#endif
