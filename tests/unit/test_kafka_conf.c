#include "worker/kafka_conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/temp_dir.h"

static struct settings settings;

static void start(void)
{
    cr_assert(settings_init(&settings));
}

static void stop(void)
{
    settings_deinit(&settings);
}

TestSuite(kafka_conf, .init = start, .fini = stop);

static void set(const char *name, const char *value)
{
    struct settings_error error;
    cr_assert(settings_set(&settings, name, value, "test.ini:7", &error), "%s", error.message);
}

/** Asserts a property of the configuration that one client gets. */
static void check(enum kafka_client client, const char *name, const char *expected)
{
    char message[512];
    rd_kafka_conf_t *conf = kafka_conf_create(&settings, client, message, sizeof message);
    cr_assert_not_null(conf, "%s", message);
    char value[512] = "";
    size_t size = sizeof value;
    if (rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK) {
        size = sizeof value;
        cr_assert_eq(
            rd_kafka_topic_conf_get(rd_kafka_conf_get_default_topic_conf(conf), name, value, &size),
            RD_KAFKA_CONF_OK);
    }
    cr_assert_str_eq(value, expected, "%s", name);
    rd_kafka_conf_destroy(conf);
}

Test(kafka_conf, fixes_what_correctness_depends_on)
{
    check(KAFKA_CLIENT_CONSUMER, "enable.auto.commit", "false");
    check(KAFKA_CLIENT_CONSUMER, "enable.auto.offset.store", "false");
    check(KAFKA_CLIENT_CONSUMER, "auto.offset.reset", "smallest");
    check(KAFKA_CLIENT_PRODUCER, "enable.idempotence", "true");
    check(KAFKA_CLIENT_PRODUCER, "acks", "-1");
    check(KAFKA_CLIENT_PRODUCER, "message.timeout.ms", "0");
}

/* librdkafka judges some properties together, and only when a client is made of them. */
Test(kafka_conf, larger_messages_need_no_other_setting)
{
    char message[512];
    set("kafka.message.max.bytes", "40000000");
    rd_kafka_conf_t *conf =
        kafka_conf_create(&settings, KAFKA_CLIENT_CONSUMER, message, sizeof message);
    cr_assert_not_null(conf, "%s", message);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, message, sizeof message);
    cr_assert_not_null(consumer, "%s", message);
    rd_kafka_destroy(consumer);
}

Test(kafka_conf, a_setting_overrides_a_default)
{
    check(KAFKA_CLIENT_CONSUMER, "client.id", "scenesync");
    check(KAFKA_CLIENT_PRODUCER, "message.max.bytes", "3145728");
    set("kafka.client.id", "worker-7");
    check(KAFKA_CLIENT_CONSUMER, "client.id", "worker-7");
    check(KAFKA_CLIENT_PRODUCER, "client.id", "worker-7");
}

Test(kafka_conf, a_clients_own_setting_beats_that_of_both)
{
    set("kafka.producer.client.id", "results");
    set("kafka.client.id", "worker-7");
    check(KAFKA_CLIENT_PRODUCER, "client.id", "results");
    check(KAFKA_CLIENT_CONSUMER, "client.id", "worker-7");
}

Test(kafka_conf, hands_topic_properties_on)
{
    check(KAFKA_CLIENT_PRODUCER, "partitioner", "murmur2_random");
    set("kafka.producer.compression.type", "lz4");
    check(KAFKA_CLIENT_PRODUCER, "compression.type", "lz4");
}

Test(kafka_conf, a_refusal_names_the_key_its_origin_and_the_reason)
{
    char message[512];
    cr_assert(kafka_conf_check(&settings, message, sizeof message));
    set("kafka.consumer.session.timeout.ms", "soon");
    cr_assert_not(kafka_conf_check(&settings, message, sizeof message));
    cr_assert_not_null(strstr(message, "test.ini:7"), "%s", message);
    cr_assert_not_null(strstr(message, "kafka.consumer.session.timeout.ms"), "%s", message);
    set("kafka.consumer.session.timeout.ms", "-1");
    cr_assert_not(kafka_conf_check(&settings, message, sizeof message));
    cr_assert_not_null(strstr(message, "outside allowed range"), "%s", message);
    cr_assert_null(strchr(message, '\n'), "%s", message);
}

Test(kafka_conf, a_property_that_librdkafka_does_not_know_is_refused)
{
    char message[512];
    set("kafka.producer.lingering.ms", "5");
    cr_assert_not(kafka_conf_check(&settings, message, sizeof message));
    cr_assert_not_null(strstr(message, "lingering.ms"), "%s", message);
}

static void refuse_unknown(const char *name, const char *ending)
{
    char message[512];
    set(name, "1");
    cr_assert_not(kafka_conf_check(&settings, message, sizeof message));
    size_t size = strlen(message);
    cr_assert_geq(size, strlen(ending));
    cr_assert_str_eq(message + size - strlen(ending), ending, "%s", message);
    settings_deinit(&settings);
    cr_assert(settings_init(&settings));
}

Test(kafka_conf, a_property_that_is_misspelt_is_told_from_one_that_nobody_knows)
{
    refuse_unknown("kafka.bootstrap.server", "; did you mean kafka.bootstrap.servers?");
    refuse_unknown("kafka.consumer.sesion.timeout_ms",
                   "; did you mean kafka.consumer.session.timeout.ms?");
    refuse_unknown("kafka.producer.compresion.codec",
                   "; did you mean kafka.producer.compression.codec?");
    refuse_unknown("kafka.security.protocl", "; did you mean kafka.security.protocol?");
    refuse_unknown("kafka.ssl.ca.locaton", "; did you mean kafka.ssl.ca.location?");
    refuse_unknown("kafka.no.such.property", ": \"no.such.property\"");
}

/** The lines that a producer logs when it is created. */
static void log_of_a_producer(char *text, size_t text_bytes)
{
    struct temp_dir directory;
    temp_dir_create(&directory);
    char path[TEMP_DIR_BYTES_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/log", directory.path);
    struct log *log = log_create(LOG_INFO, LOG_LOGFMT, path);
    cr_assert_not_null(log);
    struct kafka_context context = {.log = log, .clock = clock_system(), .client = "producer"};
    char message[512];
    rd_kafka_conf_t *conf =
        kafka_conf_create(&settings, KAFKA_CLIENT_PRODUCER, message, sizeof message);
    cr_assert_not_null(conf, "%s", message);
    kafka_conf_set_context(conf, &context);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, sizeof message);
    cr_assert_not_null(producer, "%s", message);
    rd_kafka_destroy(producer);
    log_destroy(log);
    FILE *lines = fopen(path, "r");
    cr_assert_not_null(lines);
    text[fread(text, 1, text_bytes - 1, lines)] = '\0';
    (void)fclose(lines);
    temp_dir_release(&directory);
}

Test(kafka_conf, a_setting_of_the_other_client_makes_no_noise)
{
    char text[8192];
    set("kafka.fetch.min.bytes", "2");
    log_of_a_producer(text, sizeof text);
    cr_assert_null(strstr(text, "fetch.min.bytes"), "%s", text);
}

Test(kafka_conf, what_librdkafka_warns_of_is_logged)
{
    char text[8192];
    set("kafka.producer.socket.blocking.max.ms", "10");
    log_of_a_producer(text, sizeof text);
    cr_assert_not_null(strstr(text, "level=warn"), "%s", text);
    cr_assert_not_null(strstr(text, "facility=CONFWARN"), "%s", text);
}
