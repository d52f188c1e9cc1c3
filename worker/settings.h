/**
 * The worker's settings: names, defaults and ranges of settings.md, read from an INI file, the
 * environment and `--set`, the later winning.
 *
 * Lifetime: settings_init() .. settings_deinit(); strings are owned by the struct. Threading: read
 * only once loaded. Every refusal is one line that names where the value came from (file and line,
 * variable, or --set), what it said and what is allowed.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_H
#define SCENESYNC_WORKER_SETTINGS_H

#include <stdio.h>

#include "protocol/limits.h"
#include "protocol/vocabulary.h"
#include "worker/log.h"

enum { SETTINGS_ERROR_BYTES_MAX = 768, SETTINGS_TOPIC_BYTES_MAX = 249 };

enum lost_writes_policy { LOST_WRITES_REPLAY, LOST_WRITES_STOP, LOST_WRITES_ACCEPT };

/** Whom a `kafka.*` key is for: `kafka.x`, `kafka.consumer.x`, `kafka.producer.x`. */
enum kafka_client { KAFKA_CLIENT_BOTH, KAFKA_CLIENT_CONSUMER, KAFKA_CLIENT_PRODUCER };

/** One `kafka.*` key for librdkafka, as it stands. */
struct kafka_property {
    enum kafka_client client;
    char *name; /* without `kafka.` / `kafka.consumer.` / `kafka.producer.` */
    char *value;
    char *origin; /* "scenesync.ini:12", "SCENESYNC_KAFKA_…", "--set" */
};

struct settings {
    struct kafka_property *kafka; /* bootstrap.servers and group.id included, always */
    size_t kafka_count;
    char *topic_ops, *topic_results, *topic_retry_prefix, *topic_dead_letter;
    char *redis_url, *redis_username, *redis_password, *redis_password_file, *redis_key_prefix;
    char *redis_tls_ca_file, *redis_tls_certificate_file, *redis_tls_key_file; /* NULL: none */
    uint32_t redis_connect_timeout_ms, redis_command_timeout_ms;
    enum strategy strategy;
    bool allow_batch_strategy;
    uint32_t retry_retries_max;
    uint32_t retry_initial_delay_ms, retry_delay_max_ms;
    double retry_backoff_multiplier;
    struct limits limits;
    uint64_t dedupe_window_ms, dedupe_bytes_max;
    uint32_t dedupe_batches_max;
    uint64_t tombstone_retention_ms;
    uint32_t tombstones_max;
    uint32_t store_commit_attempts_max;
    uint64_t store_cache_bytes;
    enum lost_writes_policy on_lost_writes;
    uint32_t drain_timeout_ms, stall_timeout_ms;
    enum log_level log_level;
    enum log_format log_format;
    char *log_file;    /* NULL: stderr */
    char *http_listen; /* "off" turns it off */
    char **origins;    /* one per row of settings_table.h; NULL for one that has its default */
};

/** What a refusal says: one line without a newline. */
struct settings_error {
    char message[SETTINGS_ERROR_BYTES_MAX];
};

/** Sets every default. Returns false when out of memory. */
__attribute__((warn_unused_result)) bool settings_init(struct settings *settings);
void settings_deinit(struct settings *settings);

/** Reads an INI file: sections and keys as in settings.md, also `section.key = value` lines. */
__attribute__((warn_unused_result)) bool
settings_read_file(struct settings *settings, const char *path, struct settings_error *error);

/** Takes `SCENESYNC_<SECTION>_<KEY>` variables out of `environment` (NULL-terminated). */
__attribute__((warn_unused_result)) bool settings_read_environment(struct settings *settings,
                                                                   char *const *environment,
                                                                   struct settings_error *error);

/** Applies one `section.key=value`. `origin` names where it stood, e.g. "--set". */
__attribute__((warn_unused_result)) bool settings_set(struct settings *settings, const char *name,
                                                      const char *value, const char *origin,
                                                      struct settings_error *error);

/**
 * What concerns several keys or needs more than its own text (the initial delay not above the
 * maximal one, topics that differ, redis.url), and reads secrets from the files that are named for
 * them (redis.password_file, kafka.sasl.password_file …). Call once, last.
 */
__attribute__((warn_unused_result)) bool settings_check(struct settings *settings,
                                                        struct settings_error *error);

/** Writes all effective settings as an INI file that settings_read_file() reads; every secret
 * (passwords, keys, SASL and TLS secrets among kafka.*) as "(hidden)". */
void settings_print(const struct settings *settings, FILE *out);

/** Writes every setting with its meaning, its default and what is allowed, for a reader. */
void settings_print_help(FILE *out);

/** Whether a setting's value is never shown, and may not stand on a command line. */
bool settings_is_secret(const char *name);

/** The origin of what nobody set. */
#define SETTINGS_ORIGIN_DEFAULT "default"

/** Where the value of a setting, not one of kafka.*, came from, for messages. A view. */
const char *settings_origin(const struct settings *settings, const char *name);

/** Whether a setting, not one of kafka.*, has its default because nobody has set it. */
bool settings_is_default(const struct settings *settings, const char *name);

/** Calls `take` with the name of every setting that is not the same in both, secrets included. */
void settings_compare(const struct settings *a, const struct settings *b,
                      void (*take)(void *context, const char *name), void *context);

/** Whether a property (kafka_property.name) is none of librdkafka's, but names the file that a
 * secret one stands in: sasl.password_file. */
bool settings_kafka_is_file(const char *property);

/** What stands between "kafka." and a property's name: "", "consumer." or "producer.". */
const char *settings_kafka_prefix(enum kafka_client client);

/** The value that was set for a librdkafka property common to both clients, or NULL. */
const char *settings_kafka_property(const struct settings *settings, const char *name);

/** Delay before attempt k + 1: min(initial × multiplier^(k−1), max); protocol.md section 6. */
uint64_t settings_retry_delay_ms(const struct settings *settings, uint32_t retry);

/** What the scenes may take of store.cache_bytes: an eighth is kept back for holes in the heap, and
 * up to 64 MiB for records that wait, so that the process stays within 64 MiB beyond the setting.
 */
uint64_t settings_scene_bytes_max(const struct settings *settings);

#endif
