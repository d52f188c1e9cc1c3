#include "worker/settings_kafka.h"

#include <stdlib.h>

#include "protocol/error.h"
#include "worker/settings_table.h"

struct refusal {
    const char *name;
    const char *reason;
};

/* librdkafka's aliases included: what one name is refused for must not come in by another. */
static const char offsets_reason[] =
    "offsets are committed by the worker, once the effect is stored and acknowledged";
static const char start_reason[] =
    "it is earliest: any other value would skip records on new partitions";
static const char acks_reason[] = "it is all: an acknowledged result must survive a lost broker";
static const char timeout_reason[] = "it is 0: an outage of any length must lose nothing";

static const struct refusal refusals[] = {
    {"enable.auto.commit", offsets_reason},
    {"auto.commit.enable", offsets_reason},
    {"enable.auto.offset.store", offsets_reason},
    {"auto.offset.reset", start_reason},
    {"enable.idempotence", "it is true: retries of the producer must not reorder or repeat"},
    {"transactional.id", "the effect is in Redis, which no Kafka transaction covers"},
    {"acks", acks_reason},
    {"request.required.acks", acks_reason},
    {"message.timeout.ms", timeout_reason},
    {"delivery.timeout.ms", timeout_reason},
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool settings_kafka_is_name(const char *name)
{
    return starts_with(name, "kafka.") && name[strlen("kafka.")] != '\0';
}

static bool is_confidential(const char *property)
{
    return strstr(property, "password") != NULL || strstr(property, "secret") != NULL ||
           starts_with(property, "sasl.oauthbearer.") || strcmp(property, "ssl.key.pem") == 0 ||
           strcmp(property, "sasl.jaas.config") == 0;
}

/** The size of what stands before "_file"; 0 where nothing does, or it does not end so. */
static size_t size_before_suffix(const char *property)
{
    size_t suffix = strlen(SETTINGS_KAFKA_FILE_SUFFIX);
    size_t size = strlen(property);
    bool ends_so =
        size > suffix && strcmp(property + size - suffix, SETTINGS_KAFKA_FILE_SUFFIX) == 0;
    return ends_so ? size - suffix : 0;
}

/* A PEM key has lines, and librdkafka a property of its own for its file. */
bool settings_kafka_secret_of_file(const char *property,
                                   char out[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1])
{
    size_t size = size_before_suffix(property);
    if (size == 0 || size > SETTINGS_KAFKA_PROPERTY_BYTES_MAX) {
        return false;
    }
    memcpy(out, property, size);
    out[size] = '\0';
    return is_confidential(out) && strcmp(out, "ssl.key.pem") != 0 && size_before_suffix(out) == 0;
}

bool settings_kafka_is_file(const char *property)
{
    char secret[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1];
    return settings_kafka_secret_of_file(property, secret);
}

bool settings_kafka_is_secret(const char *property)
{
    return is_confidential(property) && !settings_kafka_is_file(property);
}

/** Whom a name is for, and the property's own name. */
static enum kafka_client parse_name(const char *name, const char **property)
{
    *property = name + strlen("kafka.");
    if (starts_with(*property, "consumer.")) {
        *property += strlen("consumer.");
        return KAFKA_CLIENT_CONSUMER;
    }
    if (starts_with(*property, "producer.")) {
        *property += strlen("producer.");
        return KAFKA_CLIENT_PRODUCER;
    }
    return KAFKA_CLIENT_BOTH;
}

const char *settings_kafka_property_name(const char *name)
{
    const char *property = NULL;
    (void)parse_name(name, &property);
    return property;
}

/**
 * Whether librdkafka could know it, and a line of a file can say it: in a section, a key that is a
 * setting's full name is that setting.
 */
static bool is_property_name(const char *property)
{
    static const char characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(property);
    return size > 0 && size <= SETTINGS_KAFKA_PROPERTY_BYTES_MAX &&
           strspn(property, characters) == size && !settings_kafka_is_name(property) &&
           setting_find(property) == NULL;
}

static const char *refusal_reason(enum kafka_client client, const char *property)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strcmp(refusals[i].name, property) == 0) {
            return refusals[i].reason;
        }
    }
    bool is_shared = strcmp(property, "bootstrap.servers") == 0 ||
                     strcmp(property, "metadata.broker.list") == 0 ||
                     strcmp(property, "group.id") == 0;
    if (is_shared && client != KAFKA_CLIENT_BOTH) {
        return "both clients share it: set kafka.bootstrap.servers or kafka.group.id";
    }
    return NULL;
}

struct kafka_property *settings_kafka_find(const struct settings *settings,
                                           enum kafka_client client, const char *property)
{
    for (size_t i = 0; i < settings->kafka_count; i++) {
        struct kafka_property *candidate = &settings->kafka[i];
        if (candidate->client == client && strcmp(candidate->name, property) == 0) {
            return candidate;
        }
    }
    return NULL;
}

static void free_property(struct kafka_property *property)
{
    free(property->name);
    free(property->value);
    free(property->origin);
}

/** Takes the property's texts; on failure they are still the caller's. */
static bool put(struct settings *settings, const struct kafka_property *property)
{
    struct kafka_property *place = settings_kafka_find(settings, property->client, property->name);
    if (place != NULL) {
        free_property(place);
        *place = *property;
        return true;
    }
    size_t count = settings->kafka_count + 1;
    struct kafka_property *grown = realloc(settings->kafka, count * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    settings->kafka = grown;
    settings->kafka[count - 1] = *property;
    settings->kafka_count = count;
    return true;
}

bool settings_kafka_set(struct settings *settings, const char *name, const char *value,
                        const char *origin, struct settings_error *error)
{
    const char *property_name = NULL;
    enum kafka_client client = parse_name(name, &property_name);
    if (!is_property_name(property_name)) {
        char quoted[ERROR_QUOTE_BYTES_MAX];
        return settings_fail(error, "%s: %s: not the name of a librdkafka property", origin,
                             error_quote(span_of_text(name), quoted));
    }
    const char *reason = refusal_reason(client, property_name);
    if (reason != NULL) {
        return settings_fail(error, "%s: %s cannot be set: %s", origin, name, reason);
    }
    if (settings->kafka_count >= SETTINGS_KAFKA_COUNT_MAX) {
        return settings_fail(error, "%s: %s: more than %d kafka.* settings", origin, name,
                             SETTINGS_KAFKA_COUNT_MAX);
    }
    struct kafka_property property = {.client = client,
                                      .name = strdup(property_name),
                                      .value = strdup(value),
                                      .origin = strdup(origin)};
    if (property.name == NULL || property.value == NULL || property.origin == NULL ||
        !put(settings, &property)) {
        free_property(&property);
        return settings_fail(error, "%s: %s: out of memory", origin, name);
    }
    return true;
}

const char *settings_kafka_prefix(enum kafka_client client)
{
    switch (client) {
    case KAFKA_CLIENT_BOTH:
        return "";
    case KAFKA_CLIENT_CONSUMER:
        return "consumer.";
    case KAFKA_CLIENT_PRODUCER:
        return "producer.";
    }
    return "";
}

void settings_kafka_deinit(struct settings *settings)
{
    for (size_t i = 0; i < settings->kafka_count; i++) {
        free_property(&settings->kafka[i]);
    }
    free(settings->kafka);
}

const char *settings_kafka_property(const struct settings *settings, const char *name)
{
    const struct kafka_property *property = settings_kafka_find(settings, KAFKA_CLIENT_BOTH, name);
    return property != NULL ? property->value : NULL;
}
