/**
 * The `kafka.*` settings: librdkafka's properties by client, kept in the order given, and which of
 * them are refused or hidden.
 *
 * Private to settings*.c. Ownership: texts belong to struct settings. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_KAFKA_H
#define SCENESYNC_WORKER_SETTINGS_KAFKA_H

#include "worker/settings_error.h"

enum { SETTINGS_KAFKA_PROPERTY_BYTES_MAX = 100, SETTINGS_KAFKA_COUNT_MAX = 256 };

/** Whether the name of a setting starts with `kafka.` and goes on. */
bool settings_kafka_is_name(const char *name);

/** Sets `kafka.x`, `kafka.consumer.x` or `kafka.producer.x`; refuses what correctness needs. */
__attribute__((warn_unused_result)) bool settings_kafka_set(struct settings *settings,
                                                            const char *name, const char *value,
                                                            const char *origin,
                                                            struct settings_error *error);
void settings_kafka_deinit(struct settings *settings);

/** Whether a librdkafka property's value is never shown. */
bool settings_kafka_is_secret(const char *property);

#endif
