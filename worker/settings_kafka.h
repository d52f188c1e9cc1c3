/**
 * The `kafka.*` settings: librdkafka's properties by client, kept in the order given, and which of
 * them are refused, hidden or read from files.
 *
 * Private to settings*.c. Ownership: texts belong to struct settings. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_KAFKA_H
#define SCENESYNC_WORKER_SETTINGS_KAFKA_H

#include "worker/settings_error.h"

enum { SETTINGS_KAFKA_PROPERTY_BYTES_MAX = 100, SETTINGS_KAFKA_COUNT_MAX = 256 };

/** Behind the name of a secret: the file that it stands in. */
#define SETTINGS_KAFKA_FILE_SUFFIX "_file"

/** Whether the name of a setting starts with `kafka.` and goes on. */
bool settings_kafka_is_name(const char *name);

/** What librdkafka calls the setting `name`, which settings_kafka_is_name(). A view of it. */
const char *settings_kafka_property_name(const char *name);

/** Sets `kafka.x`, `kafka.consumer.x` or `kafka.producer.x`; refuses what correctness needs. */
__attribute__((warn_unused_result)) bool settings_kafka_set(struct settings *settings,
                                                            const char *name, const char *value,
                                                            const char *origin,
                                                            struct settings_error *error);
void settings_kafka_deinit(struct settings *settings);

/** Whether a librdkafka property's value is never shown. */
bool settings_kafka_is_secret(const char *property);

/** The secret that a property names the file of (settings_kafka_is_file()); false where it is
 * something else. */
bool settings_kafka_secret_of_file(const char *property,
                                   char out[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1]);

/** What was set for exactly this client, or NULL. */
struct kafka_property *settings_kafka_find(const struct settings *settings,
                                           enum kafka_client client, const char *property);

/** What librdkafka would say too late, or in OpenSSL's words: SASL without a mechanism, files that
 * cannot be read. Sets each secret whose file is named to what stands in it. Call once, last. */
__attribute__((warn_unused_result)) bool settings_kafka_check(struct settings *settings,
                                                              struct settings_error *error);

#endif
