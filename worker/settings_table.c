#include "worker/settings_table.h"

#include "worker/similar_name.h"

#define MEMBER(member) offsetof(struct settings, member)
#define DAY_MS UINT64_C(86400000)
#define MIB UINT64_C(1048576)

const struct setting settings_table[SETTING_COUNT] = {
    {"kafka.bootstrap.servers", SETTING_KAFKA, 0, 1, SETTING_TEXT_BYTES_MAX, "127.0.0.1:9092",
     "brokers to start from, host:port, separated by commas; any other kafka.* key is "
     "librdkafka's"},
    {"kafka.group.id", SETTING_KAFKA, 0, 1, 249, "scenesync",
     "consumer group: workers of one group share the partitions"},

    {"topics.ops", SETTING_TOPIC, MEMBER(topic_ops), 1, SETTINGS_TOPIC_BYTES_MAX, "scene.ops",
     "topic that operation batches come from"},
    {"topics.results", SETTING_TOPIC, MEMBER(topic_results), 1, SETTINGS_TOPIC_BYTES_MAX,
     "scene.results", "topic that results go to"},
    {"topics.retry_prefix", SETTING_TOPIC, MEMBER(topic_retry_prefix), 1, 240, "scene.ops.retry-",
     "retry topics are named by this and the retry's number"},
    {"topics.dead_letter", SETTING_TOPIC, MEMBER(topic_dead_letter), 1, SETTINGS_TOPIC_BYTES_MAX,
     "scene.ops.dlq", "topic that dead letters go to"},

    {"redis.url", SETTING_TEXT, MEMBER(redis_url), 1, SETTING_TEXT_BYTES_MAX,
     "redis://127.0.0.1:6379/0", "redis://[user@]host:port/db, unix:///path?db=0 or rediss://..."},
    {"redis.username", SETTING_OPTIONAL_TEXT, MEMBER(redis_username), 0, 255, "",
     "ACL user, where not in the URL"},
    {"redis.password", SETTING_SECRET, MEMBER(redis_password), 0, SETTING_TEXT_BYTES_MAX, "",
     "password; better in a file of its own"},
    {"redis.password_file", SETTING_OPTIONAL_TEXT, MEMBER(redis_password_file), 0,
     SETTING_TEXT_BYTES_MAX, "", "file whose content, a last newline aside, is the password"},
    {"redis.tls_ca_file", SETTING_OPTIONAL_TEXT, MEMBER(redis_tls_ca_file), 0,
     SETTING_TEXT_BYTES_MAX, "",
     "with rediss://: PEM file of the authorities to trust; none: the system's"},
    {"redis.tls_certificate_file", SETTING_OPTIONAL_TEXT, MEMBER(redis_tls_certificate_file), 0,
     SETTING_TEXT_BYTES_MAX, "", "with rediss://: PEM file of the certificate to show to Redis"},
    {"redis.tls_key_file", SETTING_OPTIONAL_TEXT, MEMBER(redis_tls_key_file), 0,
     SETTING_TEXT_BYTES_MAX, "", "PEM file of that certificate's key, without a pass phrase"},
    {"redis.key_prefix", SETTING_TEXT, MEMBER(redis_key_prefix), 0, 128,
     "scene:", "put before {session_id} in every key"},
    {"redis.connect_timeout_ms", SETTING_UINT32, MEMBER(redis_connect_timeout_ms), 1, 600000,
     "1000", "an attempt to connect is given up after this"},
    {"redis.command_timeout_ms", SETTING_UINT32, MEMBER(redis_command_timeout_ms), 1, 600000,
     "2000", "a connection without a reply for this long is given up"},

    {"conflict.strategy", SETTING_STRATEGY, MEMBER(strategy), 0, 0, "last_write_wins",
     "who wins a conflict, for batches that do not say"},
    {"conflict.allow_batch_strategy", SETTING_BOOL, MEMBER(allow_batch_strategy), 0, 0, "true",
     "whether a batch may name a strategy of its own"},

    {"retry.max_retries", SETTING_UINT32, MEMBER(retry_retries_max), 0, 100, "3",
     "retries after the first attempt; 0 makes every failure final"},
    {"retry.initial_delay_ms", SETTING_UINT32, MEMBER(retry_initial_delay_ms), 0, DAY_MS, "100",
     "delay before the first retry"},
    {"retry.max_delay_ms", SETTING_UINT32, MEMBER(retry_delay_max_ms), 0, DAY_MS, "5000",
     "no delay is longer"},
    {"retry.backoff_multiplier", SETTING_DOUBLE, MEMBER(retry_backoff_multiplier), 1, 100, "2.0",
     "each delay is the one before times this"},

    {"limits.max_message_bytes", SETTING_SIZE, MEMBER(limits.message_bytes_max), 1024, 64 * MIB,
     "1048576", "larger messages are dead-lettered"},
    {"limits.max_element_bytes", SETTING_SIZE, MEMBER(limits.element_bytes_max), 256, 64 * MIB,
     "1048576", "size of one stored element"},
    {"limits.max_text_bytes", SETTING_SIZE, MEMBER(limits.text_bytes_max), 0, 64 * MIB, "1048576",
     "size of an element's kind.data.content"},
    {"limits.max_elements", SETTING_UINT32, MEMBER(limits.elements_max), 1, 10000000, "10000",
     "elements in one scene"},
    {"limits.max_operations", SETTING_UINT32, MEMBER(limits.operations_max), 1, 1000000, "10000",
     "operations in one batch"},
    {"limits.max_depth", SETTING_UINT32, MEMBER(limits.depth_max), 4, LIMITS_DEPTH_CEILING, "24",
     "maps and arrays inside one another, counted from the operation's map"},
    {"limits.max_result_bytes", SETTING_SIZE, MEMBER(limits.result_bytes_max), 1024, 64 * MIB,
     "921600", "results leave bodies out, then entries, to stay within this"},

    {"dedupe.window_ms", SETTING_UINT64, MEMBER(dedupe_window_ms), 1000, 366 * DAY_MS, "86400000",
     "resends are recognised for this long after the scene's last batch"},
    {"dedupe.max_batches", SETTING_UINT32, MEMBER(dedupe_batches_max), 0, 1000000, "256",
     "batches remembered per scene; 0 turns the recognition of resends off"},
    {"dedupe.max_bytes", SETTING_UINT64, MEMBER(dedupe_bytes_max), 1024, 1024 * MIB, "1048576",
     "memory for the remembered batches of a scene"},

    {"tombstones.retention_ms", SETTING_UINT64, MEMBER(tombstone_retention_ms), 1000, 3660 * DAY_MS,
     "2592000000", "how long a removed element is remembered, in record time"},
    {"tombstones.max_per_scene", SETTING_UINT32, MEMBER(tombstones_max), 0, 10000000, "10000",
     "removed elements remembered per scene"},

    {"store.max_commit_attempts", SETTING_UINT32, MEMBER(store_commit_attempts_max), 1, 1000, "8",
     "lost races of a commit after which its operations are retried later"},
    {"store.cache_bytes", SETTING_UINT64, MEMBER(store_cache_bytes), 0, 1048576 * MIB, "268435456",
     "memory beyond 64 MiB, mostly for scenes; 0 keeps none"},
    {"store.on_lost_writes", SETTING_LOST_WRITES, MEMBER(on_lost_writes), 0, 0, "replay",
     "what to do where Redis lost acknowledged writes: apply them again, stop, or go on without"},

    {"worker.drain_timeout_ms", SETTING_UINT32, MEMBER(drain_timeout_ms), 0, 3600000, "10000",
     "time to finish the work in flight after SIGTERM"},
    {"worker.stall_timeout_ms", SETTING_UINT32, MEMBER(stall_timeout_ms), 0, DAY_MS, "60000",
     "a worker that gets no further for this long leaves the group and exits with 74; 0: off"},

    {"log.level", SETTING_LOG_LEVEL, MEMBER(log_level), 0, 0, "info",
     "what is logged: this and all that is more serious"},
    {"log.format", SETTING_LOG_FORMAT, MEMBER(log_format), 0, 0, "logfmt", "how a line looks"},
    {"log.file", SETTING_OPTIONAL_TEXT, MEMBER(log_file), 0, SETTING_TEXT_BYTES_MAX, "",
     "file to append to; empty for stderr"},

    {"http.listen", SETTING_LISTEN, MEMBER(http_listen), 1, 255, "127.0.0.1:9464",
     "address of metrics, health and the status page, or off; port 0 takes a free one"},
};

const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings_table[i].name, name) == 0) {
            return &settings_table[i];
        }
    }
    return NULL;
}

bool setting_is_spelled(const struct setting *setting, const char *name)
{
    const char *own = setting->name;
    while (*own != '\0' && similar_name_fold(*own) == similar_name_fold(*name)) {
        own++;
        name++;
    }
    return *own == '\0' && *name == '\0';
}

const struct setting *setting_find_similar(const char *name)
{
    struct similar_name similar = similar_name_of(name);
    const struct setting *best = NULL;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (similar_name_offer(&similar, settings_table[i].name)) {
            best = &settings_table[i];
        }
    }
    return best;
}
