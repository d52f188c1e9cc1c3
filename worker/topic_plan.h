/**
 * The topics that a deployment needs, by its settings: their names, and how they should be made.
 *
 * Threading: stateless; texts are the caller's. Cost: none worth a word.
 */
#ifndef SCENESYNC_WORKER_TOPIC_PLAN_H
#define SCENESYNC_WORKER_TOPIC_PLAN_H

#include "worker/settings.h"

enum topic_role { TOPIC_ROLE_OPS, TOPIC_ROLE_RETRY, TOPIC_ROLE_RESULTS, TOPIC_ROLE_DEAD_LETTER };

enum {
    TOPIC_PLAN_COUNT_MAX = 3 + 100, /* retry.max_retries is at most 100 */
    TOPIC_PLAN_CONFIGS_MAX = 5,
    TOPIC_PLAN_VALUE_BYTES = 24
};

/** A topic's configuration entry. */
struct topic_config {
    const char *name; /* static */
    char value[TOPIC_PLAN_VALUE_BYTES];
};

struct topic_plan {
    enum topic_role role;
    char name[SETTINGS_TOPIC_BYTES_MAX + 1];
    struct topic_config configs[TOPIC_PLAN_CONFIGS_MAX];
    size_t config_count;
};

/** How many there are: ops, retry tiers, results, dead letters, in this order. */
size_t topic_plan_count(const struct settings *settings);

/** The `index`th one's role; writes its name. */
enum topic_role topic_plan_name(const struct settings *settings, size_t index,
                                char name[SETTINGS_TOPIC_BYTES_MAX + 1]);

/** The longest that a record waits in a retry topic. */
uint64_t topic_plan_delay_max_ms(const struct settings *settings);

/**
 * The `index`th one with the configuration that it should be made with. `message_bytes_max`: the
 * largest message that the worker's producer sends. `replica_count`: of the topic; from three on
 * two of them must have a record before it is acknowledged.
 */
void topic_plan_make(const struct settings *settings, size_t index, uint64_t message_bytes_max,
                     int replica_count, struct topic_plan *plan);

#endif
