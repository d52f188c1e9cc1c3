#include "worker/kafka_conf.h"

#include <assert.h>
#include <stdlib.h>

#include "worker/kafka_cure.h"
#include "worker/settings_kafka.h"
#include "worker/similar_name.h"

struct property {
    enum kafka_client client;
    const char *name, *value;
};

/* What this program prefers; a setting overrides it. */
static const struct property defaults[] = {
    {KAFKA_CLIENT_BOTH, "client.id", "scenesync"},
    /* New retry tiers and re-created topics are found within this time. */
    {KAFKA_CLIENT_BOTH, "topic.metadata.refresh.interval.ms", "10000"},
    {KAFKA_CLIENT_BOTH, "topic.metadata.propagation.max.ms", "10000"},
    {KAFKA_CLIENT_BOTH, "reconnect.backoff.max.ms", "5000"},
    /* Range keeps a retry partition with the ops partition of its number. */
    {KAFKA_CLIENT_CONSUMER, "partition.assignment.strategy", "range"},
    {KAFKA_CLIENT_CONSUMER, "fetch.wait.max.ms", "20"},
    {KAFKA_CLIENT_CONSUMER, "fetch.error.backoff.ms", "10"},
    /* What the quickest work takes in a tenth of a second: a full queue is looked at again sooner
     * than that (fetch.queue.backoff.ms; source_wake.h). A fetch may go beyond it. */
    {KAFKA_CLIENT_CONSUMER, "queued.max.messages.kbytes", "24576"},
    /* More of one partition at a time: more batches of one scene in a cycle, and in one commit. */
    {KAFKA_CLIENT_CONSUMER, "fetch.message.max.bytes", "4194304"},
    {KAFKA_CLIENT_CONSUMER, "allow.auto.create.topics", "false"},
    /* Three times the message limit: a dead letter is larger than the record it carries. */
    {KAFKA_CLIENT_PRODUCER, "message.max.bytes", "3145728"},
    {KAFKA_CLIENT_PRODUCER, "linger.ms", "1"},
    {KAFKA_CLIENT_PRODUCER, "queue.buffering.max.messages", "100000"},
    {KAFKA_CLIENT_PRODUCER, "queue.buffering.max.kbytes", "262144"},
    /* The partitioner of Java and JavaScript producers; librdkafka's own differs. */
    {KAFKA_CLIENT_PRODUCER, "partitioner", "murmur2_random"},
};

/* What only newer versions of librdkafka know: how long a full queue rests (2.2). */
static const struct property newer[] = {
    {KAFKA_CLIENT_CONSUMER, "fetch.queue.backoff.ms", "10"},
};

/* What a fetch brings is one block until the last record of it is done with, so four of 16 MiB
 * would be there at once (and records come later: 549,000 operations a second against 591,000).
 * It must have room for a message, or librdkafka refuses the settings: it makes room itself where
 * neither is set. */
static const struct property fetch_limit[] = {
    {KAFKA_CLIENT_CONSUMER, "fetch.max.bytes", "4194304"},
};

/* What correctness depends on (settings.md); applied last. */
static const struct property fixed[] = {
    {KAFKA_CLIENT_CONSUMER, "enable.auto.commit", "false"},
    {KAFKA_CLIENT_CONSUMER, "enable.auto.offset.store", "false"},
    {KAFKA_CLIENT_CONSUMER, "auto.offset.reset", "earliest"},
    {KAFKA_CLIENT_PRODUCER, "enable.idempotence", "true"},
    {KAFKA_CLIENT_PRODUCER, "acks", "all"},
    {KAFKA_CLIENT_PRODUCER, "message.timeout.ms", "0"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/** Our own properties, but the newer ones, are librdkafka's since 1.6: it cannot refuse them. */
static void set_own(rd_kafka_conf_t *conf, const struct property *properties, size_t count,
                    enum kafka_client client)
{
    for (size_t i = 0; i < count; i++) {
        if (properties[i].client == KAFKA_CLIENT_BOTH || properties[i].client == client) {
            char reason[256];
            rd_kafka_conf_res_t result = rd_kafka_conf_set(
                conf, properties[i].name, properties[i].value, reason, sizeof reason);
            assert(result == RD_KAFKA_CONF_OK ||
                   (properties == newer && result == RD_KAFKA_CONF_UNKNOWN));
            (void)result;
        }
    }
}

/** What librdkafka says, less the newline that it puts behind some of it. */
static void drop_newlines(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == '\n') {
        size--;
    }
    text[size] = '\0';
}

/** Names the property of librdkafka's that is most like `name`, where one is: its table of them has
 * each at the beginning of a line. Those with an underscore are no texts. */
static void suggest_property(const char *name, char out[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1])
{
    char *table = NULL;
    size_t table_bytes = 0;
    struct similar_name similar = similar_name_of(name);
    FILE *stream = open_memstream(&table, &table_bytes);
    out[0] = '\0';
    if (stream == NULL) {
        return;
    }
    rd_kafka_conf_properties_show(stream);
    bool is_whole = fclose(stream) == 0;
    for (const char *line = table; is_whole && *line != '\0';) {
        char property[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1];
        size_t size = strspn(line, "abcdefghijklmnopqrstuvwxyz.");
        if (size > 0 && size < sizeof property && line[size] == ' ') {
            memcpy(property, line, size);
            property[size] = '\0';
            if (similar_name_offer(&similar, property)) {
                memcpy(out, property, size + 1);
            }
        }
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    free(table);
}

/** Says what librdkafka says of a property. Returns false. */
static bool refuse(const struct kafka_property *property, rd_kafka_conf_res_t result, char *reason,
                   char *message, size_t message_bytes)
{
    const char *prefix = settings_kafka_prefix(property->client);
    char similar[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + 1] = "";
    char hint[sizeof similar + 64] = "";
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        suggest_property(property->name, similar);
    }
    if (similar[0] != '\0') {
        (void)snprintf(hint, sizeof hint, "; did you mean kafka.%s%s?", prefix, similar);
    }
    drop_newlines(reason);
    (void)snprintf(message, message_bytes, "%s: kafka.%s%s: %s%s", property->origin, prefix,
                   property->name, reason, hint);
    return false;
}

/** Applies the settings that are meant for exactly `client`. */
static bool set_chosen(rd_kafka_conf_t *conf, const struct settings *settings,
                       enum kafka_client client, char *message, size_t message_bytes)
{
    for (size_t i = 0; i < settings->kafka_count; i++) {
        const struct kafka_property *property = &settings->kafka[i];
        if (property->client != client || settings_kafka_is_file(property->name)) {
            continue;
        }
        char reason[384];
        rd_kafka_conf_res_t result =
            rd_kafka_conf_set(conf, property->name, property->value, reason, sizeof reason);
        if (result != RD_KAFKA_CONF_OK) {
            return refuse(property, result, reason, message, message_bytes);
        }
    }
    return true;
}

rd_kafka_conf_t *kafka_conf_create(const struct settings *settings, enum kafka_client client,
                                   char *message, size_t message_bytes)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_own(conf, defaults, COUNT_OF(defaults), client);
    set_own(conf, newer, COUNT_OF(newer), client);
    if (settings_kafka_find(settings, KAFKA_CLIENT_BOTH, "message.max.bytes") == NULL &&
        settings_kafka_find(settings, client, "message.max.bytes") == NULL) {
        set_own(conf, fetch_limit, COUNT_OF(fetch_limit), client);
    }
    bool accepted = set_chosen(conf, settings, KAFKA_CLIENT_BOTH, message, message_bytes);
    if (accepted && client != KAFKA_CLIENT_BOTH) {
        accepted = set_chosen(conf, settings, client, message, message_bytes);
    }
    if (!accepted) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    set_own(conf, fixed, COUNT_OF(fixed), client);
    return conf;
}

bool kafka_conf_check(const struct settings *settings, char *message, size_t message_bytes)
{
    static const enum kafka_client clients[] = {KAFKA_CLIENT_CONSUMER, KAFKA_CLIENT_PRODUCER};
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        rd_kafka_conf_t *conf = kafka_conf_create(settings, clients[i], message, message_bytes);
        if (conf == NULL) {
            return false;
        }
        rd_kafka_conf_destroy(conf);
    }
    return true;
}

/** syslog's eight levels to ours. */
static enum log_level level_of_syslog(int level)
{
    if (level <= 3) {
        return LOG_ERROR;
    }
    if (level == 4) {
        return LOG_WARN;
    }
    return level <= 6 ? LOG_INFO : LOG_DEBUG;
}

static enum log_level level_of_line(int level, const char *facility, const char *text)
{
    /* Every kafka.* setting goes to both clients; that one of them has no use for it is no news. */
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "will be ignored by this") != NULL) {
        return LOG_DEBUG;
    }
    /* Brokers before 0.11, and the development broker; the topic errors tell what matters. */
    if (strcmp(facility, "AUTOCREATE") == 0) {
        return LOG_DEBUG;
    }
    /* These come to on_error() as well, which keeps them to one line in a while. */
    if (strcmp(facility, "FAIL") == 0 || strcmp(facility, "SSLCERTVRFY") == 0 ||
        strcmp(facility, "FATAL") == 0 || strcmp(facility, "ERROR") == 0) {
        return LOG_DEBUG;
    }
    return level_of_syslog(level);
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    struct kafka_context *context = rd_kafka_opaque(client);
    struct log *log = context->log;
    if (log == NULL) {
        return;
    }
    struct log_line line;
    log_begin(&line, log, level_of_line(level, facility, text), "kafka client");
    log_text(&line, "client", context->client);
    log_text(&line, "facility", facility);
    log_text(&line, "text", text);
    log_end(&line);
}

bool kafka_context_may_log(struct kafka_context *context, rd_kafka_resp_err_t error,
                           const char *subject)
{
    return log_limit_allows(&context->limit, clock_monotonic_ms(&context->clock),
                            rd_kafka_err2name(error), subject);
}

const char *kafka_context_cure(struct kafka_context *context)
{
    return kafka_cure(context->reason, context->verify_error, rd_kafka_version());
}

static void on_error(rd_kafka_t *client, int error, const char *reason, void *opaque)
{
    (void)client;
    struct kafka_context *context = opaque;
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) { /* which says nothing of why */
        (void)snprintf(context->reason, sizeof context->reason, "%s", reason);
    }
    if (!kafka_context_may_log(context, (rd_kafka_resp_err_t)error, "")) {
        return;
    }
    struct log_line line;
    log_begin(&line, context->log, LOG_WARN, "kafka error");
    log_text(&line, "client", context->client);
    log_text(&line, "code", rd_kafka_err2name((rd_kafka_resp_err_t)error));
    log_text(&line, "reason", reason);
    const char *cure = kafka_cure(reason, context->verify_error, rd_kafka_version());
    if (cure[0] != '\0') {
        log_text(&line, "cure", cure);
    }
    log_end(&line);
}

/* Decides nothing: OpenSSL has, and librdkafka does not tell why. On librdkafka's threads. */
static int on_certificate(rd_kafka_t *client, const char *broker_name, int32_t broker_id,
                          int *x509_error, int depth, const char *bytes, size_t size, char *message,
                          size_t message_bytes, void *opaque)
{
    (void)client;
    (void)broker_name;
    (void)broker_id;
    (void)depth;
    (void)bytes;
    (void)size;
    struct kafka_context *context = opaque;
    if (*x509_error == 0) {
        return 1;
    }
    context->verify_error = *x509_error;
    (void)snprintf(message, message_bytes, "OpenSSL's code is %d", *x509_error);
    return 0;
}

void kafka_conf_set_context(rd_kafka_conf_t *conf, struct kafka_context *context)
{
    rd_kafka_conf_set_opaque(conf, context);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    /* A librdkafka without TLS has no certificates to look at. */
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
}
