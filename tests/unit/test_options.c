#include "worker/options.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>

#include "tests/support/temp_dir.h"
#include "worker/commands.h"

enum { ARGUMENTS_MAX = 16 };

static bool flag;
static const char *text;
static uint64_t number;
static struct options options;

static void make(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(options, .init = make);

static const struct option_spec own[] = {
    {"flag", OPTION_FLAG, &flag, 0, 0},
    {"text", OPTION_TEXT, &text, 0, 0},
    {"number", OPTION_UINT, &number, 1, 100},
};

static const struct command_spec spec = {.name = "try",
                                         .help = "Usage: scenesync try\n",
                                         .options = own,
                                         .option_count = 3,
                                         .arguments_max = 1};

/** Parses `try` and the words of `line`, which live as long as the process. */
static int parse(const struct command_spec *command, const char *line)
{
    static char words[1024];
    static char *arguments[ARGUMENTS_MAX];
    int count = 0;
    char *rest = NULL;
    snprintf(words, sizeof words, "try %s", line);
    for (char *word = strtok_r(words, " ", &rest); word != NULL && count < ARGUMENTS_MAX - 1;
         word = strtok_r(NULL, " ", &rest)) {
        arguments[count++] = word;
    }
    arguments[count] = NULL;
    return options_parse(command, count, arguments, &options);
}

static void assert_refused(const char *line, int code, const char *expected)
{
    cr_expect_eq(parse(&spec, line), code, "%s", line);
    fflush(stderr);
    cr_expect_stderr_eq_str(expected);
}

Test(options, reads_a_commands_own_options)
{
    cr_assert_eq(parse(&spec, "--flag file --text=x --number 42"), OPTIONS_GO_ON);
    cr_expect(flag);
    cr_expect_str_eq(text, "x");
    cr_expect_eq(number, 42);
    cr_assert_eq(options.argument_count, 1);
    cr_expect_str_eq(options.arguments[0], "file");
    options_deinit(&options);
}

Test(options, keeps_defaults_of_what_is_not_given)
{
    number = 7;
    cr_assert_eq(parse(&spec, "-- --flag"), OPTIONS_GO_ON);
    cr_expect_not(flag);
    cr_expect_null(text);
    cr_expect_eq(number, 7);
    cr_expect_str_eq(options.arguments[0], "--flag");
    options_deinit(&options);
}

Test(options, loads_file_then_environment_then_set)
{
    struct temp_dir dir;
    char line[512];
    char path[TEMP_DIR_BYTES_MAX + 16];
    temp_dir_create(&dir);
    snprintf(path, sizeof path, "%s/a.ini", dir.path);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs("[retry]\nmax_retries = 1\ninitial_delay_ms = 1\nmax_delay_ms = 10\n", file);
    fclose(file);
    setenv("SCENESYNC_RETRY_INITIAL_DELAY_MS", "2", 1);
    setenv("SCENESYNC_RETRY_MAX_DELAY_MS", "20", 1);
    snprintf(line, sizeof line, "--set retry.max_delay_ms=30 --config %s", path);
    cr_assert_eq(parse(&spec, line), OPTIONS_GO_ON);
    cr_expect_eq(options.settings.retry_retries_max, 1);
    cr_expect_eq(options.settings.retry_initial_delay_ms, 2);
    cr_expect_eq(options.settings.retry_delay_max_ms, 30);
    options_deinit(&options);
    temp_dir_release(&dir);
}

Test(options, refuses_what_no_option_is)
{
    assert_refused("--frob", EXIT_CODE_USAGE,
                   "scenesync: --frob: no such option, or one that takes no value; see scenesync "
                   "try --help\n");
}

Test(options, refuses_an_option_without_its_value)
{
    assert_refused("--text", EXIT_CODE_USAGE,
                   "scenesync: --text: this option needs a value; see scenesync try --help\n");
}

Test(options, refuses_a_flag_with_a_value)
{
    assert_refused("--flag=1", EXIT_CODE_USAGE,
                   "scenesync: --flag=1: no such option, or one that takes no value; see scenesync "
                   "try --help\n");
}

Test(options, refuses_numbers_out_of_range)
{
    static const char *const lines[] = {
        "--number 0", "--number 101", "--number x", "--number -1", "--number 18446744073709551617",
        "--number="};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        cr_expect_eq(parse(&spec, lines[i]), EXIT_CODE_USAGE, "%s", lines[i]);
    }
    cr_expect_eq(number, 0);
}

Test(options, refuses_too_many_and_too_few_arguments)
{
    struct command_spec strict = spec;
    strict.arguments_min = 1;
    cr_expect_eq(parse(&strict, ""), EXIT_CODE_USAGE);
    cr_expect_eq(parse(&strict, "a b"), EXIT_CODE_USAGE);
    cr_assert_eq(parse(&strict, "a"), OPTIONS_GO_ON);
    options_deinit(&options);
}

Test(options, ends_with_78_on_a_wrong_setting)
{
    assert_refused("--set retry.max_retries=many", EXIT_CODE_CONFIG,
                   "scenesync: --set: retry.max_retries = \"many\": expected an integer from 0 to "
                   "100\n");
}

Test(options, ends_with_78_on_a_property_that_librdkafka_refuses)
{
    assert_refused("--set kafka.no.such=1", EXIT_CODE_CONFIG,
                   "scenesync: --set: kafka.no.such: No such configuration property: "
                   "\"no.such\"\n");
}

Test(options, refuses_an_assignment_without_a_key)
{
    assert_refused("--set retry.max_retries", EXIT_CODE_USAGE,
                   "scenesync: retry.max_retries: --set expects KEY=VALUE; see scenesync try "
                   "--help\n");
}

Test(options, ends_with_78_on_settings_that_contradict_each_other)
{
    cr_expect_eq(parse(&spec, "--set topics.ops=x --set topics.results=x"), EXIT_CODE_CONFIG);
}

Test(options, prints_help_before_looking_at_anything_else)
{
    cr_expect_eq(parse(&spec, "--help --set retry.max_retries=many --frob"), EXIT_CODE_OK);
    fflush(stdout);
    cr_expect_stdout_eq_str(
        "Usage: scenesync try\n"
        "  --config FILE     read settings from FILE\n"
        "  --set KEY=VALUE   set one setting, e.g. --set log.level=debug; may be repeated\n"
        "  -h, --help        print this\n");
}

Test(options, knows_no_settings_where_a_command_has_none)
{
    struct command_spec bare = spec;
    bare.without_settings = true;
    setenv("SCENESYNC_RETRY_MAX_RETRIES", "many", 1);
    cr_expect_eq(parse(&bare, "--set a=b"), EXIT_CODE_USAGE);
    cr_assert_eq(parse(&bare, "--flag"), OPTIONS_GO_ON);
    options_deinit(&options);
}
