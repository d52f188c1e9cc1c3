/*
 * A wrong setting stops the start with one line that says where it came from, what it said and what
 * is allowed, and exit code 78. Every case asks for --print-config, so that a value that slips
 * through ends the command with 0 and fails the test.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/command.h"
#include "tests/support/sent_batch.h"
#include "tests/support/temp_dir.h"

static struct temp_dir directory;

static void begin(void)
{
    temp_dir_create(&directory);
}

static void end(void)
{
    temp_dir_release(&directory);
}

TestSuite(settings_cli, .init = begin, .fini = end, .timeout = 120);

static void expect_refused(const struct command *command, const char *const *words,
                           const char *what)
{
    const struct command_outcome outcome = command_run(directory.path, command);
    cr_assert_eq(outcome.exit_code, 78, "%s: exit code %d, %s", what, outcome.exit_code,
                 outcome.err);
    cr_assert_str_empty(outcome.out, "%s", what);
    cr_assert_eq(line_count(outcome.err), 1, "%s: more than a line: %s", what, outcome.err);
    for (; *words != NULL; words++) {
        cr_assert_not_null(strstr(outcome.err, *words), "%s: \"%s\" is not in: %s", what, *words,
                           outcome.err);
    }
}

Test(settings_cli, every_wrong_value_is_one_clear_line)
{
    static const struct {
        const char *assignment, *says, *allows;
    } cases[] = {
        {"retry.max_retries=many", "\"many\"", "an integer from 0 to 100"},
        {"retry.max_retries=-1", "\"-1\"", "an integer from 0 to 100"},
        {"retry.max_retries=101", "\"101\"", "an integer from 0 to 100"},
        {"retry.max_retries=", "retry.max_retries", "an integer from 0 to 100"},
        {"retry.max_retries=99999999999999999999999", "retry.max_retries", "0 to 100"},
        {"retry.initial_delay_ms=1s", "\"1s\"", "an integer from 0"},
        {"retry.initial_delay_ms=6000", "6000", "at most retry.max_delay_ms, which is 5000"},
        {"retry.max_delay_ms=50", "50", "at least retry.initial_delay_ms, which is 100"},
        {"retry.backoff_multiplier=0.5", "\"0.5\"", "a decimal number from 1 to 100"},
        {"retry.backoff_multiplier=nan", "\"nan\"", "a decimal number"},
        {"limits.max_message_bytes=1 MiB", "\"1 MiB\"", "an integer from 1024"},
        {"limits.max_message_bytes=1000", "\"1000\"", "an integer from 1024"},
        {"limits.max_depth=129", "\"129\"", "an integer from 4 to 128"},
        {"limits.max_operations=0", "\"0\"", "an integer from 1"},
        {"conflict.strategy=newest", "\"newest\"",
         "last_write_wins, local_wins, remote_wins or merge"},
        {"conflict.allow_batch_strategy=maybe", "\"maybe\"", "true or false"},
        {"dedupe.window_ms=1", "\"1\"", "an integer from 1000"},
        {"dedupe.max_batches=1000001", "\"1000001\"", "an integer from 0 to 1000000"},
        {"tombstones.retention_ms=0", "\"0\"", "an integer from 1000"},
        {"store.max_commit_attempts=0", "\"0\"", "an integer from 1"},
        {"store.on_lost_writes=panic", "\"panic\"", "replay, stop or accept"},
        {"worker.drain_timeout_ms=3600001", "\"3600001\"", "an integer from 0 to 3600000"},
        {"log.level=loud", "\"loud\"", "error, warn, info or debug"},
        {"log.format=xml", "\"xml\"", "logfmt or json"},
        {"http.listen=9464", "\"9464\"", "host:port"},
        {"http.listen=localhost:99999", "\"localhost:99999\"", "0 to 65535"},
        {"topics.ops=scene ops", "\"scene ops\"", "letters, digits"},
        {"topics.ops=", "topics.ops", "letters, digits"},
        {"topics.results=scene.ops", "\"scene.ops\"", "another name than that of topics.ops"},
        {"topics.dead_letter=scene.ops.retry-2", "scene.ops.retry-2", "topics.retry_prefix"},
        {"redis.url=http://localhost", "redis.url", "redis://"},
        {"redis.url=redis://localhost:0", "redis.url", "port"},
        {"redis.url=redis://user:secret@localhost/0", "redis.url", "redis.password"},
        {"redis.connect_timeout_ms=0", "\"0\"", "an integer from 1"},
        {"redis.key_prefix=scene{", "redis.key_prefix", "braces"},
        {"redis.password_file=/does/not/exist", "\"/does/not/exist\"", "cannot read"},
        {"redis.tls_ca_file=/etc/hosts", "redis.tls_ca_file", "begin it with rediss://"},
        {"redis.password=hush", "redis.password", "any user of the machine"},
        {"kafka.sasl.password=hush", "kafka.sasl.password", "any user of the machine"},
        {"kafka.producer.ssl.key.password=hush", "kafka.producer.ssl.key.password", "any user"},
        {"kafka.sasl.password_file=/does/not/exist", "kafka.sasl.password_file = \"/does/",
         "cannot read: No such file"},
        {"kafka.ssl.ca.location=/no/such.pem", "kafka.ssl.ca.location = \"/no/such.pem\"",
         "cannot read: No such file"},
        {"kafka.security.protocol=sasl_ssl", "\"sasl_ssl\"", "kafka.sasl.mechanism must be set"},
        {"kafka.bootstrap.servers=", "kafka.bootstrap.servers", "a text of 1"},
        {"kafka.enable.auto.commit=true", "kafka.enable.auto.commit", "cannot be set"},
        {"kafka.auto.offset.reset=latest", "kafka.auto.offset.reset", "earliest"},
        {"kafka.producer.acks=1", "kafka.producer.acks", "cannot be set"},
        {"kafka.message.timeout.ms=1000", "kafka.message.timeout.ms", "outage"},
        {"kafka.session.timeout.ms=soon", "kafka.session.timeout.ms", "session.timeout.ms"},
        {"kafka.session.timeout.ms=-1", "kafka.session.timeout.ms", "allowed range 1..3600000"},
        {"kafka.bootstrap.server=a:1",
         "kafka.bootstrap.server:", "did you mean kafka.bootstrap.servers?"},
        {"kafka.no.such.property=1", "kafka.no.such.property", "No such"},
        {"retry.max_retry=3", "no such setting", "did you mean retry.max_retries?"},
        {"colour=blue", "colour", "no such setting"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct command command = {
            .arguments = {"worker", "--print-config", "--set", cases[i].assignment}};
        const char *const words[] = {"--set", cases[i].says, cases[i].allows, NULL};
        expect_refused(&command, words, cases[i].assignment);
    }
}

Test(settings_cli, environment_and_file_are_named_as_the_origin)
{
    const struct command by_environment = {.arguments = {"worker", "--print-config"},
                                           .environment = {"SCENESYNC_RETRY_MAX_RETRIES=x"}};
    static const char *const environment_words[] = {"SCENESYNC_RETRY_MAX_RETRIES", "\"x\"",
                                                    "an integer", NULL};
    expect_refused(&by_environment, environment_words, "environment");

    const struct command unknown = {.arguments = {"worker", "--print-config"},
                                    .environment = {"SCENESYNC_RETRY_MAX_RETRYS=1"}};
    static const char *const unknown_words[] = {"SCENESYNC_RETRY_MAX_RETRYS", "retry.max_retries",
                                                NULL};
    expect_refused(&unknown, unknown_words, "unknown variable");

    const char *const path = text_of_format("%s/scenesync.ini", directory.path);
    FILE *const file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs("[retry]\nmax_retries = 2\n\n[limits]\nmax_depth = deep\n", file);
    (void)fclose(file);
    const struct command by_file = {.arguments = {"worker", "--print-config", "--config", path}};
    const char *const file_words[] = {text_of_format("%s:5", path), "limits.max_depth", "\"deep\"",
                                      NULL};
    expect_refused(&by_file, file_words, "file");

    static const char *const missing_words[] = {"/no/such.ini", "cannot open", NULL};
    const struct command missing = {
        .arguments = {"worker", "--print-config", "--config", "/no/such.ini"}};
    expect_refused(&missing, missing_words, "missing file");
}

/* A log that cannot be opened is found when it is, which --print-config does not do. */
Test(settings_cli, a_log_file_that_cannot_be_opened_is_refused_the_same_way)
{
    const struct command command = {
        .arguments = {"worker", "--set", "log.file=/no/such/place/x.log"}};
    static const char *const words[] = {
        "scenesync: --set: log.file = \"/no/such/place/x.log\": cannot open: No such file or",
        NULL};
    expect_refused(&command, words, "log.file");
}

static const char *print_config(const struct command *command)
{
    const struct command_outcome outcome = command_run(directory.path, command);
    cr_assert_eq(outcome.exit_code, 0, "%s", outcome.err);
    cr_assert_str_empty(outcome.err);
    return outcome.out;
}

/* What a file can give back: comments and the place of a secret aside. */
static const char *without_comments(const char *text)
{
    const char *kept = "";
    while (*text != '\0') {
        const int size = (int)strcspn(text, "\n");
        if (*text != '#' && strncmp(text, "password =", strlen("password =")) != 0) {
            kept = text_of_format("%s%.*s\n", kept, size, text);
        }
        text += size;
        text += *text == '\n' ? 1 : 0;
    }
    return kept;
}

/* The later source wins, no secret shows, and what is printed reads back as what it was. */
Test(settings_cli, print_config_hides_secrets_and_reads_back)
{
    const char *const path = text_of_format("%s/first.ini", directory.path);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs("[retry]\nmax_retries = 7\ninitial_delay_ms = 70\n[redis]\n"
                "password = quiet-one\n[kafka]\nsasl.password = quiet-two\n"
                "consumer.fetch.wait.max.ms = 33\n",
                file);
    (void)fclose(file);
    const struct command first = {.arguments = {"worker", "--print-config", "--config", path,
                                                "--set", "retry.backoff_multiplier=1.5"},
                                  .environment = {"SCENESYNC_RETRY_MAX_RETRIES=8"}};
    const char *const printed = print_config(&first);
    cr_assert_null(strstr(printed, "quiet"), "a secret shows");
    cr_assert_not_null(strstr(printed, "password = (hidden)"));
    cr_assert_not_null(strstr(printed, "max_retries = 8\n"), "the environment wins over the file");
    cr_assert_not_null(strstr(printed, "initial_delay_ms = 70\n"));
    cr_assert_not_null(strstr(printed, "backoff_multiplier = 1.5\n"));
    cr_assert_not_null(strstr(printed, "consumer.fetch.wait.max.ms = 33\n"));

    const char *const again_path = text_of_format("%s/again.ini", directory.path);
    file = fopen(again_path, "w");
    cr_assert_not_null(file);
    (void)fputs(printed, file);
    (void)fclose(file);
    const struct command again = {
        .arguments = {"worker", "--print-config", "--config", again_path}};
    cr_assert_str_eq(without_comments(print_config(&again)), without_comments(printed));
}
