#include "worker/settings.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>

#include "tests/support/temp_dir.h"
#include "worker/settings_kafka.h"
#include "worker/settings_table.h"
#include "worker/settings_value.h"

enum { PATH_BYTES_MAX = TEMP_DIR_BYTES_MAX + 32, TEXT_BYTES_MAX = 65536 };

static struct temp_dir dir;
static struct settings settings;
static struct settings_error error;

static void make(void)
{
    temp_dir_create(&dir);
    cr_assert(settings_init(&settings));
}

static void destroy(void)
{
    settings_deinit(&settings);
    temp_dir_release(&dir);
}

TestSuite(settings, .init = make, .fini = destroy);

/** The path of a file in the test's directory; one at a time. */
static const char *path_of(const char *name)
{
    static char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s", dir.path, name);
    return path;
}

static const char *write_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

static void read_text(const char *text)
{
    const char *path = write_bytes("scenesync.ini", text, strlen(text));
    cr_assert(settings_read_file(&settings, path, &error), "%s", error.message);
}

/** Checks that the file is refused with this line, `expected` standing behind the directory. */
static void assert_file_refused(const char *text, const char *expected)
{
    const char *path = write_bytes("scenesync.ini", text, strlen(text));
    cr_assert_not(settings_read_file(&settings, path, &error), "%s", text);
    cr_expect_str_eq(error.message + strlen(dir.path) + 1, expected);
}

static void set(const char *name, const char *value)
{
    cr_assert(settings_set(&settings, name, value, "--set", &error), "%s", error.message);
}

static void assert_set_refused(const char *name, const char *value, const char *expected)
{
    cr_expect_not(settings_set(&settings, name, value, "--set", &error), "%s=%s", name, value);
    cr_expect_str_eq(error.message, expected);
    cr_expect_null(strchr(error.message, '\n'));
}

static void assert_check_refused(const char *expected)
{
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_str_eq(error.message, expected);
}

/** What settings_print() writes. Returns owned. */
static char *print_settings(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_not_null(out);
    settings_print(&settings, out);
    fclose(out);
    return text;
}

Test(settings, start_with_the_defaults)
{
    cr_expect_str_eq(settings_kafka_property(&settings, "bootstrap.servers"), "127.0.0.1:9092");
    cr_expect_str_eq(settings_kafka_property(&settings, "group.id"), "scenesync");
    cr_expect_null(settings_kafka_property(&settings, "client.id"));
    cr_expect_str_eq(settings.topic_retry_prefix, "scene.ops.retry-");
    cr_expect_str_eq(settings.redis_key_prefix, "scene:");
    cr_expect_null(settings.redis_password);
    cr_expect_null(settings.log_file);
    cr_expect_eq(settings.strategy, STRATEGY_LAST_WRITE_WINS);
    cr_expect(settings.allow_batch_strategy);
    cr_expect_eq(settings.retry_retries_max, 3);
    cr_expect_eq(settings.retry_backoff_multiplier, 2.0);
    cr_expect_eq(settings.tombstone_retention_ms, UINT64_C(2592000000));
    cr_expect_eq(settings.on_lost_writes, LOST_WRITES_REPLAY);
    cr_expect_eq(settings.log_level, LOG_INFO);
    cr_expect_eq(settings.log_format, LOG_LOGFMT);
    cr_expect_str_eq(settings.http_listen, "127.0.0.1:9464");
    const struct limits *limits = &settings.limits;
    struct limits expected = limits_default();
    cr_expect_eq(limits->message_bytes_max, expected.message_bytes_max);
    cr_expect_eq(limits->element_bytes_max, expected.element_bytes_max);
    cr_expect_eq(limits->text_bytes_max, expected.text_bytes_max);
    cr_expect_eq(limits->result_bytes_max, expected.result_bytes_max);
    cr_expect_eq(limits->elements_max, expected.elements_max);
    cr_expect_eq(limits->operations_max, expected.operations_max);
    cr_expect_eq(limits->depth_max, expected.depth_max);
    cr_expect(settings_check(&settings, &error), "%s", error.message);
}

Test(settings, read_sections_and_keys_in_full)
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
    cr_expect_str_eq(settings.topic_ops, "my.ops");
    cr_expect_eq(settings.retry_retries_max, 5);
    cr_expect_eq(settings.retry_initial_delay_ms, 250);
    cr_expect_str_eq(settings.redis_url, "unix:///run/redis.sock?db=2");
    cr_expect_str_eq(settings_kafka_property(&settings, "ssl.ca.location"), "/etc/ca.pem");
    cr_assert_eq(settings.kafka_count, 5);
    cr_expect_eq(settings.kafka[3].client, KAFKA_CLIENT_CONSUMER);
    cr_expect_str_eq(settings.kafka[3].name, "fetch.wait.max.ms");
    cr_expect_eq(settings.kafka[4].client, KAFKA_CLIENT_PRODUCER);
    cr_expect_str_eq(settings.kafka[4].name, "linger.ms");
    cr_expect_str_eq(settings.kafka[4].value, "7");
}

Test(settings, keep_every_character_of_a_value)
{
    char text[600];
    char servers[400];
    memset(servers, 'h', sizeof servers - 1); /* inih alone would cut at 200 bytes */
    servers[sizeof servers - 1] = '\0';
    snprintf(text, sizeof text,
             "[redis]\npassword =  a ;b=c: # d \n[kafka]\nbootstrap.servers = %s\n", servers);
    read_text(text);
    cr_expect_str_eq(settings.redis_password, "a ;b=c: # d");
    cr_expect_str_eq(settings_kafka_property(&settings, "bootstrap.servers"), servers);
}

Test(settings, let_the_later_value_win)
{
    char variable[] = "SCENESYNC_RETRY_MAX_RETRIES=6";
    char other[] = "PATH=/bin";
    char *const environment[] = {other, variable, NULL};
    read_text("[retry]\nmax_retries = 4\nmax_retries = 5\n");
    cr_expect_eq(settings.retry_retries_max, 5);
    cr_assert(settings_read_environment(&settings, environment, &error), "%s", error.message);
    cr_expect_eq(settings.retry_retries_max, 6);
    set("retry.max_retries", "7");
    cr_expect_eq(settings.retry_retries_max, 7);
    set("kafka.group.id", "one");
    set("kafka.group.id", "two");
    cr_expect_str_eq(settings_kafka_property(&settings, "group.id"), "two");
    cr_expect_eq(settings.kafka_count, 2);
}

Test(settings, refuse_files_they_cannot_read)
{
    static char long_line[9000];
    memset(long_line, 'x', sizeof long_line - 1);
    assert_file_refused(long_line,
                        "scenesync.ini:1: the line is longer than 8190 bytes or holds a NUL byte");
    cr_expect_not(
        settings_read_file(&settings, write_bytes("nul.ini", "a = b\0c\nd = e\n", 14), &error));
    cr_expect_not_null(strstr(error.message, "nul.ini:1: the line is longer"));
    cr_expect_not(settings_read_file(&settings, path_of("missing.ini"), &error));
    cr_expect_not_null(strstr(error.message, "missing.ini: cannot open: No such file"));
    cr_expect_not(settings_read_file(&settings, dir.path, &error));
    cr_expect_not_null(strstr(error.message, ": cannot read: Is a directory"));
}

Test(settings, name_the_line_of_what_is_wrong)
{
    assert_file_refused("\n[retry]\nmax_retries = many\n[\n",
                        "scenesync.ini:3: retry.max_retries = \"many\": expected an integer from 0 "
                        "to 100");
    assert_file_refused("[retry]\nmax_retries 5\n",
                        "scenesync.ini:2: expected [section], key = value or a comment on its own "
                        "line");
    assert_file_refused("[retry\n", "scenesync.ini:1: expected [section], key = value or a comment "
                                    "on its own line");
    assert_file_refused("[retry]\nmax_retires = 5\n", "scenesync.ini:2: retry.max_retires: no such "
                                                      "setting; did you mean retry.max_retries?");
    assert_file_refused("[retry]\nmax_retries = 3 ; often enough\n",
                        "scenesync.ini:2: retry.max_retries = \"3 ; often enough\": expected an "
                        "integer from 0 to 100");
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
    set("topics.ops", "mine");
    cr_expect_not(settings_set(&settings, "topics.ops", "no good", "--set", &error));
    cr_expect_str_eq(settings.topic_ops, "mine");
    cr_expect_not(settings_set(&settings, "retry.max_retries", "1000", "--set", &error));
    cr_expect_eq(settings.retry_retries_max, 3);
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
            set(setting->name, text);
            cr_expect_str_eq(setting_format(setting, &settings, read_back, sizeof read_back), text);
        }
        snprintf(text, sizeof text, "%llu", (unsigned long long)setting->max + 1);
        cr_expect_not(settings_set(&settings, setting->name, text, "--set", &error), "%s",
                      setting->name);
    }
}

Test(settings, accept_other_spellings_of_choices)
{
    set("conflict.strategy", "RemoteWins");
    cr_expect_eq(settings.strategy, STRATEGY_REMOTE_WINS);
    set("conflict.allow_batch_strategy", "False");
    cr_expect_not(settings.allow_batch_strategy);
    set("http.listen", "off");
    set("http.listen", "[::1]:0");
    cr_expect_str_eq(settings.http_listen, "[::1]:0");
    set("log.file", "worker.log");
    set("log.file", "");
    cr_expect_null(settings.log_file);
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
            cr_expect_not(settings_set(&settings, name, "1", "--set", &error), "%s", name);
            cr_expect_eq(strncmp(error.message, expected, strlen(expected)), 0, "%s",
                         error.message);
        }
    }
    cr_expect_not(settings_set(&settings, "kafka.consumer.group.id", "x", "--set", &error));
    cr_expect_not(
        settings_set(&settings, "kafka.producer.bootstrap.servers", "x", "--set", &error));
    cr_expect_eq(settings.kafka_count, 2);
}

Test(settings, take_every_setting_from_the_environment)
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
        cr_expect(settings_read_environment(&settings, environment, &error), "%s", error.message);
    }
    cr_expect_eq(settings.kafka_count, 2);
}

Test(settings, take_librdkafka_properties_from_the_environment)
{
    char shared[] = "SCENESYNC_KAFKA_SSL_CA_LOCATION=/etc/ca=x.pem";
    char consumer[] = "SCENESYNC_KAFKA_CONSUMER_FETCH_MIN_BYTES=1";
    char *const environment[] = {shared, consumer, NULL};
    cr_assert(settings_read_environment(&settings, environment, &error), "%s", error.message);
    cr_expect_str_eq(settings_kafka_property(&settings, "ssl.ca.location"), "/etc/ca=x.pem");
    cr_assert_eq(settings.kafka_count, 4);
    cr_expect_eq(settings.kafka[3].client, KAFKA_CLIENT_CONSUMER);
    cr_expect_str_eq(settings.kafka[3].name, "fetch.min.bytes");
    cr_expect_str_eq(settings.kafka[3].origin, "SCENESYNC_KAFKA_CONSUMER_FETCH_MIN_BYTES");
}

Test(settings, refuse_unknown_variables)
{
    char misspelled[] = "SCENESYNC_RETRY_MAX_RETIRES=3";
    char foreign[] = "SCENESYNC_COLOUR=red";
    char refused[] = "SCENESYNC_KAFKA_ACKS=0";
    char wrong[] = "SCENESYNC_LOG_LEVEL=loud";
    char *environment[] = {misspelled, NULL};
    cr_expect_not(settings_read_environment(&settings, environment, &error));
    cr_expect_str_eq(error.message,
                     "SCENESYNC_RETRY_MAX_RETIRES: no such setting; did you mean the "
                     "one of retry.max_retries?");
    environment[0] = foreign;
    cr_expect_not(settings_read_environment(&settings, environment, &error));
    cr_expect_str_eq(error.message,
                     "SCENESYNC_COLOUR: no such setting in the environment; unset it");
    environment[0] = refused;
    cr_expect_not(settings_read_environment(&settings, environment, &error));
    cr_expect_eq(strncmp(error.message, "SCENESYNC_KAFKA_ACKS: kafka.acks cannot be set", 45), 0);
    environment[0] = wrong;
    cr_expect_not(settings_read_environment(&settings, environment, &error));
    cr_expect_str_eq(error.message, "SCENESYNC_LOG_LEVEL: log.level = \"loud\": expected error, "
                                    "warn, info or debug");
}

/* Found by tests/fuzz: the rest of a refusal's line must be ours, whatever a name holds. */
Test(settings, refuse_names_that_no_line_can_hold)
{
    char unknown[] = "SCENESYNC_\xa0\n=1";
    char property[] = "SCENESYNC_KAFKA_\x1b[31m=1";
    char *environment[] = {unknown, NULL};
    cr_expect_not(settings_read_environment(&settings, environment, &error));
    cr_expect_str_eq(error.message, "SCENESYNC_??: no such setting in the environment; unset it");
    environment[0] = property;
    cr_expect_not(settings_read_environment(&settings, environment, &error));
    cr_expect_str_eq(error.message, "SCENESYNC_KAFKA_?[31m: kafka.?[31m: not the name of a "
                                    "librdkafka property");
    cr_expect_not(settings_set(&settings, "kafka.a\nb", "c", "--set", &error));
    cr_expect_str_eq(error.message, "--set: kafka.a?b: not the name of a librdkafka property");
}

/* Found by tests/fuzz: printed below [kafka], they would be read as other settings. */
Test(settings, refuse_kafka_properties_that_are_settings_by_themselves)
{
    cr_expect_not(settings_set(&settings, "kafka.kafka.client.id", "a", "--set", &error));
    cr_expect_str_eq(error.message,
                     "--set: kafka.kafka.client.id: not the name of a librdkafka property");
    cr_expect_not(settings_set(&settings, "kafka.retry.max_retries", "7", "--set", &error));
    cr_expect_str_eq(error.message,
                     "--set: kafka.retry.max_retries: not the name of a librdkafka property");
}

Test(settings, pass_over_the_variables_of_kubernetes_services)
{
    char variables[][48] = {
        "SCENESYNC_SERVICE_HOST=10.0.0.1",       "SCENESYNC_SERVICE_PORT=9464",
        "SCENESYNC_SERVICE_PORT_HTTP=9464",      "SCENESYNC_PORT=tcp://10.0.0.1:9464",
        "SCENESYNC_PORT_9464_TCP_ADDR=10.0.0.1", "SCENESYNC_REDIS_SERVICE_HOST=10.0.0.2"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        char *const environment[] = {variables[i], NULL};
        cr_expect(settings_read_environment(&settings, environment, &error), "%s", error.message);
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) { /* none of ours looks like one */
        cr_expect_null(strstr(settings_table[i].name, "port"), "%s", settings_table[i].name);
    }
}

Test(settings, refuse_a_stall_timeout_that_a_slow_moment_exceeds)
{
    set("worker.stall_timeout_ms", "1");
    assert_check_refused("--set: worker.stall_timeout_ms = 1: expected 0, which is off, or at "
                         "least 1000");
    set("worker.stall_timeout_ms", "999");
    assert_check_refused("--set: worker.stall_timeout_ms = 999: expected 0, which is off, or at "
                         "least 1000");
    set("worker.stall_timeout_ms", "1000");
    cr_expect(settings_check(&settings, &error));
    set("worker.stall_timeout_ms", "0");
    cr_expect(settings_check(&settings, &error));
}

Test(settings, check_the_delays_against_each_other)
{
    set("retry.max_delay_ms", "50");
    assert_check_refused("--set: retry.max_delay_ms = 50: expected at least "
                         "retry.initial_delay_ms, which is 100");
    set("retry.initial_delay_ms", "51");
    assert_check_refused("--set: retry.initial_delay_ms = 51: expected at most "
                         "retry.max_delay_ms, which is 50");
    set("retry.initial_delay_ms", "50");
    cr_expect(settings_check(&settings, &error), "%s", error.message);
}

Test(settings, check_that_topics_differ)
{
    set("topics.results", "scene.ops");
    assert_check_refused(
        "--set: topics.results = \"scene.ops\": expected another name than that of "
        "topics.ops");
    set("topics.results", "scene.ops.retry-12");
    assert_check_refused("--set: topics.results = \"scene.ops.retry-12\": expected a name other "
                         "than topics.retry_prefix and digits");
    set("topics.results", "scene.ops.retry-results");
    cr_expect(settings_check(&settings, &error), "%s", error.message);
}

Test(settings, check_the_redis_settings)
{
    set("redis.key_prefix", "{a}");
    assert_check_refused("--set: redis.key_prefix: expected no braces: they would tear a scene's "
                         "keys apart in a cluster");
    set("redis.key_prefix", "");
    cr_expect(settings_check(&settings, &error), "%s", error.message);
    set("redis.url", "http://localhost");
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_eq(strncmp(error.message, "--set: redis.url: ", 18), 0, "%s", error.message);
    set("redis.url", "redis://me@localhost:6379/0");
    set("redis.username", "you");
    assert_check_refused(
        "--set: redis.username: redis.url names a user as well; remove one of them");
}

Test(settings, read_the_password_from_its_file)
{
    set("redis.password_file", write_bytes("password", "a b;c\r\n", 7));
    cr_assert(settings_check(&settings, &error), "%s", error.message);
    cr_expect_str_eq(settings.redis_password, "a b;c");
}

Test(settings, refuse_a_password_file_that_is_not_one_line)
{
    static const struct {
        const char *bytes;
        size_t size;
    } files[] = {{"", 0}, {"\n", 1}, {"a\nb\n", 4}, {"a\0b", 3}};
    char expected[SETTINGS_ERROR_BYTES_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = write_bytes("password", files[i].bytes, files[i].size);
        set("redis.password_file", path);
        snprintf(expected, sizeof expected,
                 "--set: redis.password_file = \"%s\": expected one line of 1 to 4096 bytes in it",
                 path);
        assert_check_refused(expected);
    }
    set("redis.password_file", path_of("missing"));
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_not_null(strstr(error.message, "missing\": cannot read: No such file"));
    set("redis.password", "x");
    assert_check_refused(
        "--set: redis.password_file: redis.password is set as well; remove one of them");
}

Test(settings, print_what_reads_back_as_the_same)
{
    set("kafka.consumer.fetch.min.bytes", "9");
    set("conflict.strategy", "LocalWins");
    set("retry.backoff_multiplier", "1.25");
    set("redis.username", "me");
    char *text = print_settings();
    settings_deinit(&settings);
    cr_assert(settings_init(&settings));
    read_text(text);
    cr_expect_eq(settings.kafka_count, 3);
    cr_expect_eq(settings.strategy, STRATEGY_LOCAL_WINS);
    cr_expect_eq(settings.retry_backoff_multiplier, 1.25);
    cr_expect_str_eq(settings.redis_username, "me");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->type != SETTING_SECRET && setting->type != SETTING_KAFKA) {
            cr_expect_not_null(settings.origins[i], "%s was not printed", setting->name);
        }
    }
    free(text);
}

Test(settings, print_where_a_value_came_from)
{
    set("retry.max_retries", "5");
    char *text = print_settings();
    cr_expect_not_null(strstr(text, "\n[retry]\n# from --set\nmax_retries = 5\ninitial_delay_ms"),
                       "%s", text);
    cr_expect_not_null(strstr(text, "\n[kafka]\nbootstrap.servers = 127.0.0.1:9092\n"));
    free(text);
}

Test(settings, hide_every_secret)
{
    static const char *const names[] = {"redis.password",
                                        "kafka.sasl.password",
                                        "kafka.ssl.key.password",
                                        "kafka.producer.ssl.keystore.password",
                                        "kafka.ssl.key.pem",
                                        "kafka.sasl.oauthbearer.client.secret",
                                        "kafka.sasl.oauthbearer.config"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        set(names[i], "hush-hush");
    }
    cr_expect_not(settings_set(&settings, "redis.password", "hush-hush\n", "--set", &error));
    cr_expect_null(strstr(error.message, "hush"), "%s", error.message);
    set("kafka.ssl.ca.pem", "-----BEGIN\nhush-not\n");
    char *text = print_settings();
    cr_expect_null(strstr(text, "hush"), "%s", text);
    cr_expect_not_null(strstr(text, "\n# password = (hidden)\n"));
    cr_expect_not_null(strstr(text, "\n# producer.ssl.keystore.password = (hidden)\n"));
    cr_expect_not_null(strstr(text, "\n# ssl.ca.pem = (20 bytes that do not fit a line)\n"), "%s",
                       text);
    free(text);
}

Test(settings, read_secrets_of_kafka_from_files)
{
    const char *password = write_bytes("kafka-password", "hush hush;\n", 11);
    set("kafka.sasl.password_file", password);
    set("kafka.consumer.ssl.key.password_file", password);
    cr_assert(settings_check(&settings, &error), "%s", error.message);
    cr_expect_str_eq(settings_kafka_property(&settings, "sasl.password"), "hush hush;");
    char *text = print_settings();
    cr_expect_null(strstr(text, "hush"), "%s", text);
    cr_expect_not_null(strstr(text, "\nsasl.password_file = /"), "%s", text);
    cr_expect_not_null(strstr(text, "\n# consumer.ssl.key.password = (hidden)\n"), "%s", text);
    free(text);
}

Test(settings, refuse_secrets_of_kafka_that_they_cannot_read)
{
    char message[SETTINGS_ERROR_BYTES_MAX];
    set("kafka.producer.sasl.password_file", "/no/such/file");
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_str_eq(error.message, "--set: kafka.producer.sasl.password_file = \"/no/such/file\": "
                                    "cannot read: No such file or directory");
    set("kafka.producer.sasl.password_file", write_bytes("two-lines", "a\nb\n", 4));
    cr_expect_not(settings_check(&settings, &error));
    snprintf(message, sizeof message, "expected one line of 1 to 4096 bytes in it");
    cr_expect_not_null(strstr(error.message, message), "%s", error.message);
    set("kafka.producer.sasl.password", "x");
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_str_eq(error.message, "--set: kafka.producer.sasl.password_file: "
                                    "kafka.producer.sasl.password is set as well; remove one of "
                                    "them");
}

Test(settings, files_of_tls_go_with_rediss_and_in_pairs)
{
    const char *pem = write_bytes("any.pem", "x", 1);
    set("redis.tls_certificate_file", pem);
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_str_eq(error.message,
                     "--set: redis.tls_certificate_file: redis.url has no TLS: begin "
                     "it with rediss://, or remove this");
    set("redis.url", "rediss://localhost");
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_str_eq(error.message,
                     "--set: redis.tls_certificate_file: redis.tls_certificate_file and "
                     "redis.tls_key_file go together; set both");
    set("redis.tls_key_file", "/no/such.key");
    cr_expect_not(settings_check(&settings, &error));
    cr_expect_str_eq(error.message, "--set: redis.tls_key_file = \"/no/such.key\": cannot read: No "
                                    "such file or directory");
    set("redis.tls_key_file", pem);
    cr_expect(settings_check(&settings, &error), "%s", error.message);
}

Test(settings, take_the_file_of_a_secret_from_the_environment)
{
    char variable[512];
    snprintf(variable, sizeof variable, "SCENESYNC_KAFKA_SASL_PASSWORD_FILE=%s",
             write_bytes("kafka-password", "p", 1));
    char *const environment[] = {variable, NULL};
    cr_assert(settings_read_environment(&settings, environment, &error), "%s", error.message);
    cr_assert(settings_check(&settings, &error), "%s", error.message);
    cr_expect_str_eq(settings_kafka_property(&settings, "sasl.password"), "p");
}

Test(settings, take_only_files_of_secrets_for_files_of_secrets)
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

Test(settings, raise_the_retry_delay_up_to_its_maximum)
{
    static const uint64_t expected_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (uint32_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++) {
        cr_expect_eq(settings_retry_delay_ms(&settings, i + 1), expected_ms[i]);
    }
    cr_expect_eq(settings_retry_delay_ms(&settings, UINT32_MAX), 5000);
    set("retry.backoff_multiplier", "1");
    cr_expect_eq(settings_retry_delay_ms(&settings, UINT32_MAX), 100);
    set("retry.initial_delay_ms", "0");
    cr_expect_eq(settings_retry_delay_ms(&settings, 10), 0);
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
        char name[SETTING_NAME_BYTES_MAX + 3];
        snprintf(name, sizeof name, "`%s`", settings_table[i].name);
        cr_expect_not_null(strstr(rows, name), "no row of README.md names %s", name);
    }
}
