#include "worker/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "store/redis_store.h"
#include "worker/settings_kafka.h"
#include "worker/settings_secret.h"

static bool is_default(const struct settings *settings, const char *name)
{
    return strcmp(settings_origin(settings, name), SETTINGS_ORIGIN_DEFAULT) == 0;
}

static bool check_retry(const struct settings *settings, struct settings_error *error)
{
    static const char initial[] = "retry.initial_delay_ms";
    static const char max[] = "retry.max_delay_ms";
    uint32_t initial_ms = settings->retry_initial_delay_ms;
    uint32_t max_ms = settings->retry_delay_max_ms;
    if (initial_ms <= max_ms) {
        return true;
    }
    if (is_default(settings, initial)) {
        return settings_fail(error, "%s: %s = %" PRIu32 ": expected at least %s, which is %" PRIu32,
                             settings_origin(settings, max), max, max_ms, initial, initial_ms);
    }
    return settings_fail(error, "%s: %s = %" PRIu32 ": expected at most %s, which is %" PRIu32,
                         settings_origin(settings, initial), initial, initial_ms, max, max_ms);
}

/** Whether a topic would be taken for one of the retry topics: the prefix and a number. */
static bool is_retry_topic(const char *prefix, const char *topic)
{
    size_t size = strlen(prefix);
    return strncmp(topic, prefix, size) == 0 && topic[size] != '\0' &&
           topic[size + strspn(topic + size, "0123456789")] == '\0';
}

/** Two topics of one name. The one that was set is the one to complain about. */
static bool fail_equal(const struct settings *settings, const char *name, const char *other,
                       const char *topic, struct settings_error *error)
{
    bool swap = is_default(settings, name);
    const char *wrong = swap ? other : name;
    return settings_fail(error, "%s: %s = \"%s\": expected another name than that of %s",
                         settings_origin(settings, wrong), wrong, topic, swap ? name : other);
}

static bool check_topics(const struct settings *settings, struct settings_error *error)
{
    static const char *const names[] = {"topics.ops", "topics.results", "topics.dead_letter"};
    const char *const topics[] = {settings->topic_ops, settings->topic_results,
                                  settings->topic_dead_letter};
    enum { TOPIC_COUNT = sizeof topics / sizeof topics[0] };
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        size_t j = (i + 1) % TOPIC_COUNT;
        if (strcmp(topics[i], topics[j]) == 0) {
            return fail_equal(settings, names[i], names[j], topics[i], error);
        }
        if (is_retry_topic(settings->topic_retry_prefix, topics[i])) {
            return settings_fail(
                error, "%s: %s = \"%s\": expected a name other than topics.retry_prefix and digits",
                settings_origin(settings, names[i]), names[i], topics[i]);
        }
    }
    return true;
}

/** "<origin>: <name>: <what>". */
static bool fail_setting(const struct settings *settings, const char *name, const char *what,
                         struct settings_error *error)
{
    return settings_fail(error, "%s: %s: %s", settings_origin(settings, name), name, what);
}

static bool check_redis(const struct settings *settings, struct settings_error *error)
{
    if (strpbrk(settings->redis_key_prefix, "{}") != NULL) {
        return fail_setting(settings, "redis.key_prefix",
                            "expected no braces: they would tear a scene's keys apart in a cluster",
                            error);
    }
    struct redis_address address;
    struct error address_error;
    if (!redis_address_parse(settings->redis_url, &address, &address_error)) {
        return fail_setting(settings, "redis.url", address_error.message, error);
    }
    if (address.username[0] != '\0' && settings->redis_username != NULL) {
        return fail_setting(settings, "redis.username",
                            "redis.url names a user as well; remove one of them", error);
    }
    if (settings->redis_password != NULL && settings->redis_password_file != NULL) {
        return fail_setting(settings, "redis.password_file",
                            "redis.password is set as well; remove one of them", error);
    }
    return true;
}

static bool check_redis_tls(const struct settings *settings, struct settings_error *error)
{
    static const char *const names[] = {"redis.tls_ca_file", "redis.tls_certificate_file",
                                        "redis.tls_key_file"};
    const char *const paths[] = {settings->redis_tls_ca_file, settings->redis_tls_certificate_file,
                                 settings->redis_tls_key_file};
    bool is_tls = strncmp(settings->redis_url, "rediss://", strlen("rediss://")) == 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] == NULL) {
            continue;
        }
        if (!is_tls) {
            return fail_setting(settings, names[i],
                                "redis.url has no TLS: begin it with rediss://, or remove this",
                                error);
        }
        if (access(paths[i], R_OK) != 0) {
            return settings_fail(error, "%s: %s = \"%s\": cannot read: %s",
                                 settings_origin(settings, names[i]), names[i], paths[i],
                                 strerror(errno));
        }
    }
    if ((paths[1] == NULL) == (paths[2] == NULL)) {
        return true;
    }
    return fail_setting(settings, paths[1] != NULL ? names[1] : names[2],
                        "redis.tls_certificate_file and redis.tls_key_file go together; set both",
                        error);
}

/** Shorter ones would take a slow moment for a stall. */
static bool check_stall(const struct settings *settings, struct settings_error *error)
{
    enum { STALL_TIMEOUT_MS_MIN = 1000 };
    static const char name[] = "worker.stall_timeout_ms";
    uint32_t timeout_ms = settings->stall_timeout_ms;
    return timeout_ms == 0 || timeout_ms >= STALL_TIMEOUT_MS_MIN ||
           settings_fail(error, "%s: %s = %" PRIu32 ": expected 0, which is off, or at least %d",
                         settings_origin(settings, name), name, timeout_ms, STALL_TIMEOUT_MS_MIN);
}

static bool read_password_file(struct settings *settings, struct settings_error *error)
{
    static const char name[] = "redis.password_file";
    const char *path = settings->redis_password_file;
    if (path != NULL) {
        settings->redis_password =
            settings_secret_read(settings_origin(settings, name), name, path, error);
    }
    return path == NULL || settings->redis_password != NULL;
}

bool settings_check(struct settings *settings, struct settings_error *error)
{
    if (!check_retry(settings, error) || !check_topics(settings, error) ||
        !check_redis(settings, error) || !check_redis_tls(settings, error) ||
        !check_stall(settings, error)) {
        return false;
    }
    return read_password_file(settings, error) && settings_kafka_check(settings, error);
}
