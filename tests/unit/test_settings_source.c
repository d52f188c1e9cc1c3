/*
 * Settings from files and from the environment, and printed as such a file.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>

#include "tests/support/settings_fixture.h"
#include "worker/settings_kafka.h"
#include "worker/settings_table.h"

TestSuite(settings_source, .init = settings_fixture_begin, .fini = settings_fixture_end);

static void read_text(const char *text)
{
    const char *path = write_file("scenesync.ini", text, strlen(text));
    cr_assert(settings_read_file(&tried.settings, path, &tried.error), "%s", tried.error.message);
}

/** Checks that the file is refused with this line, `expected` standing behind the directory. */
static void assert_file_refused(const char *text, const char *expected)
{
    const char *path = write_file("scenesync.ini", text, strlen(text));
    cr_assert_not(settings_read_file(&tried.settings, path, &tried.error), "%s", text);
    cr_expect_str_eq(tried.error.message + strlen(tried.dir.path) + 1, expected);
}

Test(settings_source, read_sections_and_keys_in_full)
{
    read_text("\xef\xbb\xbftopics.ops = my.ops\n"
              "; a comment\n"
              "# another\r\n"
              "[retry]\r\n"
              "max_retries = 5\r\n"
              "\tinitial_delay_ms: 250\n"
              "redis.url = unix:///run/redis.sock?db=2\n"
              "[kafka]\n"
              "ssl.ca.location=/etc/ca.pem\n"
              "consumer.fetch.wait.max.ms = 10\n"
              "[kafka.producer]\n"
              "linger.ms = 7");
    cr_expect_str_eq(tried.settings.topic_ops, "my.ops");
    cr_expect_eq(tried.settings.retry_retries_max, 5);
    cr_expect_eq(tried.settings.retry_initial_delay_ms, 250);
    cr_expect_str_eq(tried.settings.redis_url, "unix:///run/redis.sock?db=2");
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "ssl.ca.location"), "/etc/ca.pem");
    cr_assert_eq(tried.settings.kafka_count, 5);
    cr_expect_eq(tried.settings.kafka[3].client, KAFKA_CLIENT_CONSUMER);
    cr_expect_str_eq(tried.settings.kafka[3].name, "fetch.wait.max.ms");
    cr_expect_eq(tried.settings.kafka[4].client, KAFKA_CLIENT_PRODUCER);
    cr_expect_str_eq(tried.settings.kafka[4].name, "linger.ms");
    cr_expect_str_eq(tried.settings.kafka[4].value, "7");
}

Test(settings_source, keep_every_character_of_a_value)
{
    char text[600];
    char servers[400];
    memset(servers, 'h', sizeof servers - 1); /* inih alone would cut at 200 bytes */
    servers[sizeof servers - 1] = '\0';
    snprintf(text, sizeof text,
             "[redis]\npassword =  a ;b=c: # d \n[kafka]\nbootstrap.servers = %s\n", servers);
    read_text(text);
    cr_expect_str_eq(tried.settings.redis_password, "a ;b=c: # d");
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "bootstrap.servers"), servers);
}

Test(settings_source, let_the_later_value_win)
{
    char variable[] = "SCENESYNC_RETRY_MAX_RETRIES=6";
    char other[] = "PATH=/bin";
    char *const environment[] = {other, variable, NULL};
    read_text("[retry]\nmax_retries = 4\nmax_retries = 5\n");
    cr_expect_eq(tried.settings.retry_retries_max, 5);
    cr_assert(settings_read_environment(&tried.settings, environment, &tried.error), "%s",
              tried.error.message);
    cr_expect_eq(tried.settings.retry_retries_max, 6);
    set_setting("retry.max_retries", "7");
    cr_expect_eq(tried.settings.retry_retries_max, 7);
    set_setting("kafka.group.id", "one");
    set_setting("kafka.group.id", "two");
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "group.id"), "two");
    cr_expect_eq(tried.settings.kafka_count, 2);
}

Test(settings_source, refuse_files_they_cannot_read)
{
    static char long_line[9000];
    memset(long_line, 'x', sizeof long_line - 1);
    assert_file_refused(long_line,
                        "scenesync.ini:1: the line is longer than 8190 bytes or holds a NUL byte");
    cr_expect_not(settings_read_file(&tried.settings,
                                     write_file("nul.ini", "a = b\0c\nd = e\n", 14), &tried.error));
    cr_expect_not_null(strstr(tried.error.message, "nul.ini:1: the line is longer"));
    cr_expect_not(settings_read_file(&tried.settings, path_of("missing.ini"), &tried.error));
    cr_expect_not_null(strstr(tried.error.message, "missing.ini: cannot open: No such file"));
    cr_expect_not(settings_read_file(&tried.settings, tried.dir.path, &tried.error));
    cr_expect_not_null(strstr(tried.error.message, ": cannot read: Is a directory"));
}

Test(settings_source, name_the_line_of_what_is_wrong)
{
    assert_file_refused("\n[retry]\nmax_retries = many\n[\n",
                        "scenesync.ini:3: retry.max_retries = \"many\": expected an integer from 0 "
                        "to 100");
    assert_file_refused("[retry]\nmax_retries 5\n",
                        "scenesync.ini:2: expected [section], key = value or a comment on its own "
                        "line");
    assert_file_refused("[retry\n", "scenesync.ini:1: expected [section], key = value or a comment "
                                    "on its own line");
    assert_file_refused("[retry\nmax_retries = 5\n", /* whose key it is nobody knows */
                        "scenesync.ini:1: expected [section], key = value or a comment on its own "
                        "line");
    assert_file_refused("[retry]\nmax_retires = 5\n", "scenesync.ini:2: retry.max_retires: no such "
                                                      "setting; did you mean retry.max_retries?");
    assert_file_refused("[retry]\nmax_retries = 3 ; often enough\n",
                        "scenesync.ini:2: retry.max_retries = \"3 ; often enough\": expected an "
                        "integer from 0 to 100");
}

Test(settings_source, take_every_setting_from_the_environment)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        char variable[SETTING_TEXT_BYTES_MAX];
        int size = snprintf(variable, sizeof variable, "SCENESYNC_%s", setting->name);
        for (int j = 0; j < size; j++) {
            variable[j] = (char)toupper((unsigned char)variable[j]);
            variable[j] = (char)(variable[j] == '.' ? '_' : variable[j]);
        }
        snprintf(variable + size, sizeof variable - (size_t)size, "=%s", setting->default_value);
        char *const environment[] = {variable, NULL};
        cr_expect(settings_read_environment(&tried.settings, environment, &tried.error), "%s",
                  tried.error.message);
    }
    cr_expect_eq(tried.settings.kafka_count, 2);
}

Test(settings_source, take_librdkafka_properties_from_the_environment)
{
    char shared[] = "SCENESYNC_KAFKA_SSL_CA_LOCATION=/etc/ca=x.pem";
    char consumer[] = "SCENESYNC_KAFKA_CONSUMER_FETCH_MIN_BYTES=1";
    char *const environment[] = {shared, consumer, NULL};
    cr_assert(settings_read_environment(&tried.settings, environment, &tried.error), "%s",
              tried.error.message);
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "ssl.ca.location"), "/etc/ca=x.pem");
    cr_assert_eq(tried.settings.kafka_count, 4);
    cr_expect_eq(tried.settings.kafka[3].client, KAFKA_CLIENT_CONSUMER);
    cr_expect_str_eq(tried.settings.kafka[3].name, "fetch.min.bytes");
    cr_expect_str_eq(tried.settings.kafka[3].origin, "SCENESYNC_KAFKA_CONSUMER_FETCH_MIN_BYTES");
}

Test(settings_source, refuse_unknown_variables)
{
    char misspelled[] = "SCENESYNC_RETRY_MAX_RETIRES=3";
    char foreign[] = "SCENESYNC_COLOUR=red";
    char refused[] = "SCENESYNC_KAFKA_ACKS=0";
    char wrong[] = "SCENESYNC_LOG_LEVEL=loud";
    char *environment[] = {misspelled, NULL};
    cr_expect_not(settings_read_environment(&tried.settings, environment, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "SCENESYNC_RETRY_MAX_RETIRES: no such setting; did you mean the "
                     "one of retry.max_retries?");
    environment[0] = foreign;
    cr_expect_not(settings_read_environment(&tried.settings, environment, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "SCENESYNC_COLOUR: no such setting in the environment; unset it");
    environment[0] = refused;
    cr_expect_not(settings_read_environment(&tried.settings, environment, &tried.error));
    cr_expect_eq(strncmp(tried.error.message, "SCENESYNC_KAFKA_ACKS: kafka.acks cannot be set", 45),
                 0);
    environment[0] = wrong;
    cr_expect_not(settings_read_environment(&tried.settings, environment, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "SCENESYNC_LOG_LEVEL: log.level = \"loud\": expected error, "
                     "warn, info or debug");
}

/* Found by tests/fuzz: the rest of a refusal's line must be ours, whatever a name holds. */
Test(settings_source, refuse_names_that_no_line_can_hold)
{
    char unknown[] = "SCENESYNC_\xa0\n=1";
    char property[] = "SCENESYNC_KAFKA_\x1b[31m=1";
    char *environment[] = {unknown, NULL};
    cr_expect_not(settings_read_environment(&tried.settings, environment, &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "SCENESYNC_??: no such setting in the environment; unset it");
    environment[0] = property;
    cr_expect_not(settings_read_environment(&tried.settings, environment, &tried.error));
    cr_expect_str_eq(tried.error.message, "SCENESYNC_KAFKA_?[31m: kafka.?[31m: not the name of a "
                                          "librdkafka property");
    cr_expect_not(settings_set(&tried.settings, "kafka.a\nb", "c", "--set", &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: kafka.a?b: not the name of a librdkafka property");
}

Test(settings_source, pass_over_the_variables_of_kubernetes_services)
{
    char variables[][48] = {
        "SCENESYNC_SERVICE_HOST=10.0.0.1",       "SCENESYNC_SERVICE_PORT=9464",
        "SCENESYNC_SERVICE_PORT_HTTP=9464",      "SCENESYNC_PORT=tcp://10.0.0.1:9464",
        "SCENESYNC_PORT_9464_TCP_ADDR=10.0.0.1", "SCENESYNC_REDIS_SERVICE_HOST=10.0.0.2"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        char *const environment[] = {variables[i], NULL};
        cr_expect(settings_read_environment(&tried.settings, environment, &tried.error), "%s",
                  tried.error.message);
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) { /* none of ours looks like one */
        cr_expect_null(strstr(settings_table[i].name, "port"), "%s", settings_table[i].name);
    }
}

Test(settings_source, print_what_reads_back_as_the_same)
{
    set_setting("kafka.consumer.fetch.min.bytes", "9");
    set_setting("conflict.strategy", "LocalWins");
    set_setting("retry.backoff_multiplier", "1.25");
    set_setting("redis.username", "me");
    char *text = print_settings();
    settings_deinit(&tried.settings);
    cr_assert(settings_init(&tried.settings));
    read_text(text);
    cr_expect_eq(tried.settings.kafka_count, 3);
    cr_expect_eq(tried.settings.strategy, STRATEGY_LOCAL_WINS);
    cr_expect_eq(tried.settings.retry_backoff_multiplier, 1.25);
    cr_expect_str_eq(tried.settings.redis_username, "me");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->type != SETTING_SECRET && setting->type != SETTING_KAFKA) {
            cr_expect_not_null(tried.settings.origins[i], "%s was not printed", setting->name);
        }
    }
    free(text);
}

Test(settings_source, print_where_a_value_came_from)
{
    set_setting("retry.max_retries", "5");
    char *text = print_settings();
    cr_expect_not_null(strstr(text, "\n[retry]\n# from --set\nmax_retries = 5\ninitial_delay_ms"),
                       "%s", text);
    cr_expect_not_null(strstr(text, "\n[kafka]\nbootstrap.servers = 127.0.0.1:9092\n"));
    free(text);
}
