#include "worker/settings_kafka.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "worker/settings_secret.h"

enum { NAME_BYTES = SETTINGS_KAFKA_PROPERTY_BYTES_MAX + sizeof "kafka.consumer." };

/** "kafka.consumer.sasl.password", for a message. */
static const char *full_name(enum kafka_client client, const char *property, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "kafka.%s%s", settings_kafka_prefix(client), property);
    return out;
}

/** librdkafka's own default is Kerberos, and its complaint about that a riddle. */
static bool check_mechanism(const struct settings *settings, struct settings_error *error)
{
    const struct kafka_property *protocol =
        settings_kafka_find(settings, KAFKA_CLIENT_BOTH, "security.protocol");
    if (protocol == NULL || strncasecmp(protocol->value, "sasl", strlen("sasl")) != 0 ||
        settings_kafka_property(settings, "sasl.mechanism") != NULL ||
        settings_kafka_property(settings, "sasl.mechanisms") != NULL) {
        return true;
    }
    return settings_fail(error,
                         "%s: kafka.security.protocol = \"%s\": kafka.sasl.mechanism must be set "
                         "too, to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or another one",
                         protocol->origin, protocol->value);
}

static bool check_location(const struct kafka_property *property, struct settings_error *error)
{
    static const char *const names[] = {"ssl.ca.location", "ssl.certificate.location",
                                        "ssl.key.location", "ssl.keystore.location",
                                        "ssl.crl.location"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(property->name, names[i]) != 0 || strcmp(property->value, "probe") == 0 ||
            access(property->value, R_OK) == 0) {
            continue;
        }
        char name[NAME_BYTES];
        return settings_fail(error, "%s: %s = \"%s\": cannot read: %s", property->origin,
                             full_name(property->client, property->name, name), property->value,
                             strerror(errno));
    }
    return true;
}

/** `file` is a copy: the settings grow. */
static bool read_secret(struct settings *settings, struct kafka_property file,
                        struct settings_error *error)
{
    char secret[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1];
    char name[NAME_BYTES], file_name[NAME_BYTES];
    if (!settings_kafka_secret_of_file(file.name, secret)) {
        return true;
    }
    (void)full_name(file.client, file.name, file_name);
    (void)full_name(file.client, secret, name);
    if (settings_kafka_find(settings, file.client, secret) != NULL) {
        return settings_fail(error, "%s: %s: %s is set as well; remove one of them", file.origin,
                             file_name, name);
    }
    char *value = settings_secret_read(file.origin, file_name, file.value, error);
    bool is_set = value != NULL && settings_kafka_set(settings, name, value, file.origin, error);
    free(value);
    return is_set;
}

bool settings_kafka_check(struct settings *settings, struct settings_error *error)
{
    if (!check_mechanism(settings, error)) {
        return false;
    }
    size_t count = settings->kafka_count; /* the secrets come behind */
    for (size_t i = 0; i < count; i++) {
        if (!check_location(&settings->kafka[i], error) ||
            !read_secret(settings, settings->kafka[i], error)) {
            return false;
        }
    }
    return true;
}
