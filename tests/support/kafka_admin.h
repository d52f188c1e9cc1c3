/**
 * What tests ask of a real broker as its administrator.
 *
 * Threading: one thread. Each call waits for its answer, for 30 s at most; what the broker refuses
 * fails the running test. Cost: one round trip, and until the topic can be used.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_KAFKA_ADMIN_H
#define SCENESYNC_TESTS_SUPPORT_KAFKA_ADMIN_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

/** A topic's configuration entry. */
struct kafka_entry {
    const char *name, *value;
};

/** Returns before the topic has leaders. */
void kafka_admin_create_topic(rd_kafka_t *client, const char *topic, int partition_count,
                              const struct kafka_entry *entries, size_t entry_count);

/** These entries become the topic's configuration; all others are the broker's defaults. */
void kafka_admin_set_topic(rd_kafka_t *client, const char *topic, const struct kafka_entry *entries,
                           size_t entry_count);

/** Grants everybody a right, or takes it away: the broker must have an authorizer. `name` "*": all
 * of the type. */
void kafka_admin_set_right(rd_kafka_t *client, rd_kafka_ResourceType_t type, const char *name,
                           rd_kafka_AclOperation_t operation, bool is_granted);

/** Topics that are not there any more are passed over. */
void kafka_admin_delete_topics(rd_kafka_t *client, const char *const *topics, size_t count);

#endif
