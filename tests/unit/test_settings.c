#include "worker/settings.h"

#include <criterion/criterion.h>

#include "tests/support/settings_fixture.h"
#include "worker/settings_kafka.h"
#include "worker/settings_table.h"
#include "worker/settings_value.h"
#include "worker/similar_name.h"

enum { TEXT_BYTES_MAX = 65536 };

TestSuite(settings, .init = settings_fixture_begin, .fini = settings_fixture_end);

static void assert_set_refused(const char *name, const char *value, const char *expected)
{
    cr_expect_not(settings_set(&tried.settings, name, value, "--set", &tried.error), "%s=%s", name,
                  value);
    cr_expect_str_eq(tried.error.message, expected);
    cr_expect_null(strchr(tried.error.message, '\n'));
}

Test(settings, start_with_the_defaults)
{
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "bootstrap.servers"),
                     "127.0.0.1:9092");
    cr_expect_str_eq(settings_kafka_property(&tried.settings, "group.id"), "scenesync");
    cr_expect_null(settings_kafka_property(&tried.settings, "client.id"));
    cr_expect_str_eq(tried.settings.topic_retry_prefix, "scene.ops.retry-");
    cr_expect_str_eq(tried.settings.redis_key_prefix, "scene:");
    cr_expect_null(tried.settings.redis_password);
    cr_expect_null(tried.settings.log_file);
    cr_expect_eq(tried.settings.strategy, STRATEGY_LAST_WRITE_WINS);
    cr_expect(tried.settings.allow_batch_strategy);
    cr_expect_eq(tried.settings.retry_retries_max, 3);
    cr_expect_eq(tried.settings.retry_backoff_multiplier, 2.0);
    cr_expect_eq(tried.settings.tombstone_retention_ms, UINT64_C(2592000000));
    cr_expect_eq(tried.settings.on_lost_writes, LOST_WRITES_REPLAY);
    cr_expect_eq(tried.settings.log_level, LOG_INFO);
    cr_expect_eq(tried.settings.log_format, LOG_LOGFMT);
    cr_expect_str_eq(tried.settings.http_listen, "127.0.0.1:9464");
    const struct limits *limits = &tried.settings.limits;
    struct limits expected = limits_default();
    cr_expect_eq(limits->message_bytes_max, expected.message_bytes_max);
    cr_expect_eq(limits->element_bytes_max, expected.element_bytes_max);
    cr_expect_eq(limits->text_bytes_max, expected.text_bytes_max);
    cr_expect_eq(limits->result_bytes_max, expected.result_bytes_max);
    cr_expect_eq(limits->elements_max, expected.elements_max);
    cr_expect_eq(limits->operations_max, expected.operations_max);
    cr_expect_eq(limits->depth_max, expected.depth_max);
    cr_expect(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
}

struct refusal {
    const char *name, *value, *expected; /* `expected`: behind `--set: <name> = "<value>": ` */
};

static const struct refusal refusals[] = {
    {"retry.max_retries", "101", "expected an integer from 0 to 100"},
    {"retry.max_retries", "-1", "expected an integer from 0 to 100"},
    {"retry.max_retries", "+1", "expected an integer from 0 to 100"},
    {"retry.max_retries", " 1", "expected an integer from 0 to 100"},
    {"retry.max_retries", "1.0", "expected an integer from 0 to 100"},
    {"retry.max_retries", "0x1", "expected an integer from 0 to 100"},
    {"retry.max_retries", "", "expected an integer from 0 to 100"},
    {"retry.initial_delay_ms", "86400001", "expected an integer from 0 to 86400000"},
    {"retry.max_delay_ms", "5s", "expected an integer from 0 to 86400000"},
    {"retry.backoff_multiplier", "0.9", "expected a decimal number from 1 to 100"},
    {"retry.backoff_multiplier", "nan", "expected a decimal number from 1 to 100"},
    {"retry.backoff_multiplier", "1e1", "expected a decimal number from 1 to 100"},
    {"retry.backoff_multiplier", "1.5.", "expected a decimal number from 1 to 100"},
    {"retry.backoff_multiplier", ".", "expected a decimal number from 1 to 100"},
    {"conflict.strategy", "newest", "expected last_write_wins, local_wins, remote_wins or merge"},
    {"conflict.allow_batch_strategy", "yes", "expected true or false"},
    {"conflict.allow_batch_strategy", "1", "expected true or false"},
    {"limits.max_depth", "3", "expected an integer from 4 to 128"},
    {"limits.max_depth", "129", "expected an integer from 4 to 128"},
    {"limits.max_message_bytes", "67108865", "expected an integer from 1024 to 67108864"},
    {"limits.max_elements", "0", "expected an integer from 1 to 10000000"},
    {"dedupe.window_ms", "18446744073709551616", "expected an integer from 1000 to 31622400000"},
    {"store.cache_bytes", "18446744073709551615", "expected an integer from 0 to 1099511627776"},
    {"store.on_lost_writes", "ignore", "expected replay, stop or accept"},
    {"log.level", "trace", "expected error, warn, info or debug"},
    {"log.level", "INFO", "expected error, warn, info or debug"},
    {"log.format", "xml", "expected logfmt or json"},
    {"topics.ops", "a/b", "expected 1 to 249 letters, digits, '.', '_' and '-'"},
    {"topics.ops", "", "expected 1 to 249 letters, digits, '.', '_' and '-'"},
    {"topics.ops", "..", "expected 1 to 249 letters, digits, '.', '_' and '-'"},
    {"topics.retry_prefix", "a b", "expected 1 to 240 letters, digits, '.', '_' and '-'"},
    {"http.listen", "9464", "expected host:port with a port from 0 to 65535, or off"},
    {"http.listen", ":9464", "expected host:port with a port from 0 to 65535, or off"},
    {"http.listen", "localhost:", "expected host:port with a port from 0 to 65535, or off"},
    {"http.listen", "localhost:65536", "expected host:port with a port from 0 to 65535, or off"},
    {"redis.url", "", "expected a text of 1 to 1024 bytes without control characters"},
    {"kafka.group.id", "", "expected a text of 1 to 249 bytes without control characters"},
};

Test(settings, refuse_every_wrong_value_in_one_line)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *refusal = &refusals[i];
        char expected[SETTINGS_ERROR_BYTES_MAX];
        snprintf(expected, sizeof expected, "--set: %s = \"%s\": %s", refusal->name, refusal->value,
                 refusal->expected);
        assert_set_refused(refusal->name, refusal->value, expected);
    }
}

Test(settings, keep_the_old_value_where_one_is_refused)
{
    set_setting("topics.ops", "mine");
    cr_expect_not(settings_set(&tried.settings, "topics.ops", "no good", "--set", &tried.error));
    cr_expect_str_eq(tried.settings.topic_ops, "mine");
    cr_expect_not(
        settings_set(&tried.settings, "retry.max_retries", "1000", "--set", &tried.error));
    cr_expect_eq(tried.settings.retry_retries_max, 3);
}

Test(settings, accept_both_ends_of_every_range)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        char text[32];
        bool is_number = setting->type == SETTING_UINT32 || setting->type == SETTING_UINT64 ||
                         setting->type == SETTING_SIZE || setting->type == SETTING_DOUBLE;
        if (!is_number) {
            continue;
        }
        uint64_t ends[] = {setting->min, setting->max};
        for (size_t j = 0; j < 2; j++) {
            char read_back[32];
            snprintf(text, sizeof text, "%llu", (unsigned long long)ends[j]);
            set_setting(setting->name, text);
            cr_expect_str_eq(setting_format(setting, &tried.settings, read_back, sizeof read_back),
                             text);
        }
        snprintf(text, sizeof text, "%llu", (unsigned long long)setting->max + 1);
        cr_expect_not(settings_set(&tried.settings, setting->name, text, "--set", &tried.error),
                      "%s", setting->name);
    }
}

Test(settings, accept_other_spellings_of_choices)
{
    set_setting("conflict.strategy", "RemoteWins");
    cr_expect_eq(tried.settings.strategy, STRATEGY_REMOTE_WINS);
    set_setting("conflict.allow_batch_strategy", "False");
    cr_expect_not(tried.settings.allow_batch_strategy);
    set_setting("http.listen", "off");
    set_setting("http.listen", "[::1]:0");
    cr_expect_str_eq(tried.settings.http_listen, "[::1]:0");
    set_setting("log.file", "worker.log");
    set_setting("log.file", "");
    cr_expect_null(tried.settings.log_file);
}

Test(settings, refuse_unknown_names_with_a_suggestion)
{
    assert_set_refused(
        "retry.max_retires", "1",
        "--set: retry.max_retires: no such setting; did you mean retry.max_retries?");
    assert_set_refused("Redis.URL", "x",
                       "--set: Redis.URL: no such setting; did you mean redis.url?");
    assert_set_refused("colour", "red",
                       "--set: colour: no such setting; see scenesync worker --help-settings");
    assert_set_refused("", "x", "--set: : no such setting; see scenesync worker --help-settings");
    assert_set_refused("kafka.", "x",
                       "--set: kafka.: no such setting; see scenesync worker --help-settings");
}

Test(settings, refuse_kafka_properties_that_correctness_depends_on)
{
    static const char *const names[] = {"enable.auto.commit",       "auto.commit.enable",
                                        "enable.auto.offset.store", "auto.offset.reset",
                                        "enable.idempotence",       "acks",
                                        "request.required.acks",    "message.timeout.ms",
                                        "delivery.timeout.ms",      "transactional.id"};
    static const char *const prefixes[] = {"kafka.", "kafka.consumer.", "kafka.producer."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t j = 0; j < sizeof prefixes / sizeof prefixes[0]; j++) {
            char name[64];
            char expected[96];
            snprintf(name, sizeof name, "%s%s", prefixes[j], names[i]);
            snprintf(expected, sizeof expected, "--set: %s cannot be set: ", name);
            cr_expect_not(settings_set(&tried.settings, name, "1", "--set", &tried.error), "%s",
                          name);
            cr_expect_eq(strncmp(tried.error.message, expected, strlen(expected)), 0, "%s",
                         tried.error.message);
        }
    }
    cr_expect_not(
        settings_set(&tried.settings, "kafka.consumer.group.id", "x", "--set", &tried.error));
    cr_expect_not(settings_set(&tried.settings, "kafka.producer.bootstrap.servers", "x", "--set",
                               &tried.error));
    cr_expect_eq(tried.settings.kafka_count, 2);
}

/* Found by tests/fuzz: printed below [kafka], they would be read as other settings. */
Test(settings, refuse_kafka_properties_that_are_settings_by_themselves)
{
    cr_expect_not(
        settings_set(&tried.settings, "kafka.kafka.client.id", "a", "--set", &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: kafka.kafka.client.id: not the name of a librdkafka property");
    cr_expect_not(
        settings_set(&tried.settings, "kafka.retry.max_retries", "7", "--set", &tried.error));
    cr_expect_str_eq(tried.error.message,
                     "--set: kafka.retry.max_retries: not the name of a librdkafka property");
}

Test(settings, refuse_a_stall_timeout_that_a_slow_moment_exceeds)
{
    set_setting("worker.stall_timeout_ms", "1");
    assert_check_refused("--set: worker.stall_timeout_ms = 1: expected 0, which is off, or at "
                         "least 1000");
    set_setting("worker.stall_timeout_ms", "999");
    assert_check_refused("--set: worker.stall_timeout_ms = 999: expected 0, which is off, or at "
                         "least 1000");
    set_setting("worker.stall_timeout_ms", "1000");
    cr_expect(settings_check(&tried.settings, &tried.error));
    set_setting("worker.stall_timeout_ms", "0");
    cr_expect(settings_check(&tried.settings, &tried.error));
}

Test(settings, check_the_delays_against_each_other)
{
    set_setting("retry.max_delay_ms", "50");
    assert_check_refused("--set: retry.max_delay_ms = 50: expected at least "
                         "retry.initial_delay_ms, which is 100");
    set_setting("retry.initial_delay_ms", "51");
    assert_check_refused("--set: retry.initial_delay_ms = 51: expected at most "
                         "retry.max_delay_ms, which is 50");
    set_setting("retry.initial_delay_ms", "50");
    cr_expect(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
}

Test(settings, check_that_topics_differ)
{
    set_setting("topics.results", "scene.ops");
    assert_check_refused(
        "--set: topics.results = \"scene.ops\": expected another name than that of "
        "topics.ops");
    set_setting("topics.results", "scene.ops.retry-12");
    assert_check_refused("--set: topics.results = \"scene.ops.retry-12\": expected a name other "
                         "than topics.retry_prefix and digits");
    set_setting("topics.results", "scene.ops.retry-results");
    cr_expect(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
}

Test(settings, check_the_redis_settings)
{
    set_setting("redis.key_prefix", "{a}");
    assert_check_refused("--set: redis.key_prefix: expected no braces: they would tear a scene's "
                         "keys apart in a cluster");
    set_setting("redis.key_prefix", "");
    cr_expect(settings_check(&tried.settings, &tried.error), "%s", tried.error.message);
    set_setting("redis.url", "http://localhost");
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_eq(strncmp(tried.error.message, "--set: redis.url: ", 18), 0, "%s",
                 tried.error.message);
    set_setting("redis.url", "redis://me@localhost:6379/0");
    set_setting("redis.username", "you");
    assert_check_refused(
        "--set: redis.username: redis.url names a user as well; remove one of them");
}

Test(settings, raise_the_retry_delay_up_to_its_maximum)
{
    static const uint64_t expected_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (uint32_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++) {
        cr_expect_eq(settings_retry_delay_ms(&tried.settings, i + 1), expected_ms[i]);
    }
    cr_expect_eq(settings_retry_delay_ms(&tried.settings, UINT32_MAX), 5000);
    set_setting("retry.backoff_multiplier", "1");
    cr_expect_eq(settings_retry_delay_ms(&tried.settings, UINT32_MAX), 100);
    set_setting("retry.initial_delay_ms", "0");
    cr_expect_eq(settings_retry_delay_ms(&tried.settings, 10), 0);
}

Test(settings, are_each_documented_in_the_readme)
{
    static char text[TEXT_BYTES_MAX * 4];
    static char rows[TEXT_BYTES_MAX * 4];
    FILE *file = fopen(TESTS_DATA_DIR "/../../README.md", "r");
    cr_assert_not_null(file, "README.md is missing");
    size_t rows_size = 0;
    while (fgets(text, sizeof text, file) != NULL) {
        if (text[0] == '|') {
            rows_size += (size_t)snprintf(rows + rows_size, sizeof rows - rows_size, "%s", text);
        }
    }
    fclose(file);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char name[SIMILAR_NAME_BYTES_MAX + 3];
        snprintf(name, sizeof name, "`%s`", settings_table[i].name);
        cr_expect_not_null(strstr(rows, name), "no row of README.md names %s", name);
    }
}
