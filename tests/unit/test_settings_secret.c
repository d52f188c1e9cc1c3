/*
 * Passwords, keys and certificates: from files, and never shown.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/settings_fixture.h"
#include "worker/settings_kafka.h"

TestSuite(settings_secret, .init = settings_fixture_begin, .fini = settings_fixture_end);

Test(settings_secret, read_the_password_from_its_file)
{
    set_setting("redis.password_file", write_file("password", "a b;c\r\n", 7));
    cr_assert(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
    cr_expect_str_eq(tried.settings.redis_password, "a b;c");
}

Test(settings_secret, refuse_a_password_file_that_is_not_one_line)
{
    static const struct {
        const char *bytes;
        size_t size;
    } files[] = {{"", 0}, {"\n", 1}, {"a\nb\n", 4}, {"a\0b", 3}};
    char expected[SETTINGS_ERROR_BYTES_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = write_file("password", files[i].bytes, files[i].size);
        set_setting("redis.password_file", path);
        snprintf(expected, sizeof expected,
                 "--set: redis.password_file = \"%s\": expected one line of 1 to 4096 bytes in it",
                 path);
        assert_check_refused(expected);
    }
    set_setting("redis.password_file", path_of("missing"));
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_not_null(strstr(tried.error.message, "missing\": cannot read: No such file"));
    set_setting("redis.password", "x");
    assert_check_refused(
        "--set: redis.password_file: redis.password is set as well; remove one of them");
}

Test(settings_secret, hide_every_secret)
{
    static const char *const names[] = {"redis.password",
                                        "kafka.sasl.password",
                                        "kafka.ssl.key.password",
                                        "kafka.producer.ssl.keystore.password",
                                        "kafka.ssl.key.pem",
                                        "kafka.sasl.oauthbearer.client.secret",
                                        "kafka.sasl.oauthbearer.config"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        set_setting(names[i], "hush-hush");
    }
    cr_expect_not(
        settings_set(&tried.settings, "redis.password", "hush-hush\n", "--set", &tried.error));
    cr_expect_null(strstr(tried.error.message, "hush"), "%s", tried.error.message);
    set_setting("kafka.ssl.ca.pem", "-----BEGIN\nhush-not\n");
    char *text = print_settings();
    cr_expect_null(strstr(text, "hush"), "%s", text);
    cr_expect_not_null(strstr(text, "\n# password = (hidden)\n"));
    cr_expect_not_null(strstr(text, "\n# producer.ssl.keystore.password = (hidden)\n"));
    cr_expect_not_null(strstr(text, "\n# ssl.ca.pem = (20 bytes that do not fit a line)\n"), "%s",
                       text);
    free(text);
}

Test(settings_secret, read_secrets_of_kafka_from_files)
{
    const char *password = write_file("kafka-password", "hush hush;\n", 11);
    set_setting("kafka.sasl.password_file", password);
    set_setting("kafka.consumer.ssl.key.password_file", password);
    cr_assert(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "sasl.password"), "hush hush;");
    char *text = print_settings();
    cr_expect_null(strstr(text, "hush"), "%s", text);
    cr_expect_not_null(strstr(text, "\nsasl.password_file = /"), "%s", text);
    cr_expect_not_null(strstr(text, "\n# consumer.ssl.key.password = (hidden)\n"), "%s", text);
    free(text);
}

Test(settings_secret, refuse_secrets_of_kafka_that_they_cannot_read)
{
    char message[SETTINGS_ERROR_BYTES_MAX];
    set_setting("kafka.producer.sasl.password_file", "/no/such/file");
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: kafka.producer.sasl.password_file = \"/no/such/file\": "
                     "cannot read: No such file or directory");
    set_setting("kafka.producer.sasl.password_file", write_file("two-lines", "a\nb\n", 4));
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    snprintf(message, sizeof message, "expected one line of 1 to 4096 bytes in it");
    cr_expect_not_null(strstr(tried.error.message, message), "%s", tried.error.message);
    set_setting("kafka.producer.sasl.password", "x");
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: kafka.producer.sasl.password_file: "
                     "kafka.producer.sasl.password is set as well; remove one of "
                     "them");
}

Test(settings_secret, files_of_tls_go_with_rediss_and_in_pairs)
{
    const char *pem = write_file("any.pem", "x", 1);
    set_setting("redis.tls_certificate_file", pem);
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: redis.tls_certificate_file: redis.url has no TLS: begin "
                     "it with rediss://, or remove this");
    set_setting("redis.url", "rediss://localhost");
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: redis.tls_certificate_file: redis.tls_certificate_file and "
                     "redis.tls_key_file go together; set both");
    set_setting("redis.tls_key_file", "/no/such.key");
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: redis.tls_key_file = \"/no/such.key\": cannot read: No "
                     "such file or directory");
    set_setting("redis.tls_key_file", pem);
    cr_expect(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
}

Test(settings_secret, take_the_file_of_a_secret_from_the_environment)
{
    char variable[512];
    snprintf(variable, sizeof variable, "SCENESYNC_KAFKA_SASL_PASSWORD_FILE=%s",
             write_file("kafka-password", "p", 1));
    char *const environment[] = {variable, NULL};
    cr_assert(settings_read_environment(&tried.settings, environment, &tried.error), "%s",
              tried.error.message);
    cr_assert(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "sasl.password"), "p");
}

Test(settings_secret, take_only_files_of_secrets_for_files_of_secrets)
{
    cr_expect(settings_kafka_is_file("sasl.password_file"));
    cr_expect(settings_kafka_is_file("sasl.oauthbearer.client.secret_file"));
    cr_expect_not(settings_kafka_is_file("ssl.key.pem_file"));
    cr_expect_not(settings_kafka_is_file("ssl.ca.location_file"));
    cr_expect_not(settings_kafka_is_file("_file"));
    cr_expect_not(settings_kafka_is_file("sasl.password_file_file"));
    cr_expect(settings_is_secret("kafka.consumer.sasl.password"));
    cr_expect(settings_is_secret("redis.password"));
    cr_expect_not(settings_is_secret("kafka.consumer.sasl.password_file"));
    cr_expect_not(settings_is_secret("redis.password_file"));
    cr_expect_not(settings_is_secret("no.such.password"));
}
