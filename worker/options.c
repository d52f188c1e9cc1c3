#include "worker/options.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "protocol/error.h"
#include "worker/commands.h"
#include "worker/kafka_conf.h"
#include "worker/output.h"

enum {
    SETTING_NAME_ROOM_BYTES = 256,
    DIGITS_MAX = 19, /* of any number below 2^63 */
    /* getopt_long's values; the command's own options count up from OWN. */
    VALUE_HELP = 'h',
    VALUE_CONFIG = 256,
    VALUE_SET,
    VALUE_OWN
};

static const char shared_help[] =
    "  --config FILE     read settings from FILE\n"
    "  --set KEY=VALUE   set one setting, e.g. --set log.level=debug; may be repeated\n";
static const char last_help[] = "  -h, --help        print this\n";

/** What the command line says. */
struct choices {
    struct options_sources sources;
    bool help;
};

/** One line on stderr; returns EXIT_CODE_USAGE. */
static int fail_usage(const struct command_spec *spec, const char *subject, const char *what)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    (void)fprintf(stderr, "scenesync: %s: %s; see scenesync %s --help\n",
                  error_quote(span_of_text(subject), quoted), what, spec->name);
    return EXIT_CODE_USAGE;
}

static int fail_config(const char *message)
{
    (void)fprintf(stderr, "scenesync: %s\n", message);
    return EXIT_CODE_CONFIG;
}

static int print_help(const struct command_spec *spec)
{
    (void)printf("%s%s%s", spec->help, spec->without_settings ? "" : shared_help, last_help);
    return output_end();
}

static bool read_uint(const struct option_spec *option, const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > DIGITS_MAX || strspn(text, "0123456789") != size) {
        return false;
    }
    uint64_t value = strtoull(text, NULL, 10);
    if (value < option->min || value > option->max) {
        return false;
    }
    *(uint64_t *)option->out = value;
    return true;
}

static int take_own(const struct command_spec *spec, const struct option_spec *option,
                    const char *text)
{
    char what[160];
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)option->out = true;
        break;
    case OPTION_TEXT:
        *(const char **)option->out = text;
        break;
    case OPTION_UINT:
        if (!read_uint(option, text)) {
            (void)snprintf(what, sizeof what,
                           "--%s expects an integer from %" PRIu64 " to %" PRIu64, option->name,
                           option->min, option->max);
            return fail_usage(spec, text, what);
        }
        break;
    }
    return OPTIONS_GO_ON;
}

static int take_assignment(const struct command_spec *spec, struct options_sources *sources,
                           const char *text)
{
    if (strchr(text, '=') == NULL || text[0] == '=') {
        return fail_usage(spec, text, "--set expects KEY=VALUE");
    }
    if (sources->assignment_count == OPTIONS_ASSIGNMENTS_MAX) {
        return fail_usage(spec, text, "too many --set; put them into a file");
    }
    sources->assignments[sources->assignment_count++] = text;
    return OPTIONS_GO_ON;
}

/** Fills getopt's table: the shared options, then the command's own, then the end. */
static void fill_table(const struct command_spec *spec, struct option *table)
{
    *table++ = (struct option){"help", no_argument, NULL, VALUE_HELP};
    if (!spec->without_settings) {
        *table++ = (struct option){"config", required_argument, NULL, VALUE_CONFIG};
        *table++ = (struct option){"set", required_argument, NULL, VALUE_SET};
    }
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct option_spec *option = &spec->options[i];
        int argument = option->type == OPTION_FLAG ? no_argument : required_argument;
        *table++ = (struct option){option->name, argument, NULL, VALUE_OWN + (int)i};
    }
    *table = (struct option){0};
}

static int take_option(const struct command_spec *spec, int value, const char *word,
                       struct choices *choices)
{
    switch (value) {
    case VALUE_HELP:
        choices->help = true;
        return OPTIONS_GO_ON;
    case VALUE_CONFIG:
        choices->sources.config_path = optarg;
        return OPTIONS_GO_ON;
    case VALUE_SET:
        return take_assignment(spec, &choices->sources, optarg);
    case ':':
        return fail_usage(spec, word, "this option needs a value");
    case '?':
        return fail_usage(spec, word, "no such option, or one that takes no value");
    default:
        return take_own(spec, &spec->options[value - VALUE_OWN], optarg);
    }
}

static int read_command_line(const struct command_spec *spec, int argc, char **argv,
                             struct choices *choices)
{
    assert(spec->option_count <= OPTIONS_OWN_COUNT_MAX);
    struct option table[OPTIONS_OWN_COUNT_MAX + 4];
    fill_table(spec, table);
    opterr = 0;
    optind = 1;
    int value = 0;
    while ((value = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        int result = take_option(spec, value, argv[optind - 1], choices);
        if (result != OPTIONS_GO_ON || choices->help) {
            return result;
        }
    }
    int count = argc - optind;
    if (count < spec->arguments_min) {
        return fail_usage(spec, spec->name, "an argument is missing");
    }
    if (count > spec->arguments_max) {
        return fail_usage(spec, argv[optind + spec->arguments_max], "one argument too many");
    }
    return OPTIONS_GO_ON;
}

static bool apply_assignment(struct settings *settings, const char *text,
                             struct settings_error *error)
{
    char name[SETTING_NAME_ROOM_BYTES];
    const char *separator = strchr(text, '=');
    (void)snprintf(name, sizeof name, "%.*s", (int)(separator - text), text);
    if (settings_is_secret(name)) {
        /* /proc has every command line for every user to read. */
        (void)snprintf(
            error->message, sizeof error->message,
            "--set: %s: any user of the machine can read a command line: give secrets in "
            "a file (--config, or a ..._file setting) or in the environment",
            name);
        return false;
    }
    return settings_set(settings, name, separator + 1, "--set", error);
}

/** The file, the environment, --set: the later wins. */
static bool load_settings(const struct options_sources *sources, struct settings *settings,
                          struct settings_error *error)
{
    extern char **environ; /* which POSIX has and no header declares */
    if (sources->config_path != NULL &&
        !settings_read_file(settings, sources->config_path, error)) {
        return false;
    }
    if (!settings_read_environment(settings, environ, error)) {
        return false;
    }
    for (size_t i = 0; i < sources->assignment_count; i++) {
        if (!apply_assignment(settings, sources->assignments[i], error)) {
            return false;
        }
    }
    return settings_check(settings, error) &&
           kafka_conf_check(settings, error->message, sizeof error->message);
}

int options_parse(const struct command_spec *spec, int argc, char **argv, struct options *out)
{
    struct choices choices = {0};
    int result = read_command_line(spec, argc, argv, &choices);
    if (result != OPTIONS_GO_ON) {
        return result;
    }
    if (choices.help) {
        return print_help(spec);
    }
    *out = (struct options){
        .sources = choices.sources, .arguments = argv + optind, .argument_count = argc - optind};
    if (!settings_init(&out->settings)) {
        return fail_config("out of memory");
    }
    struct settings_error error;
    if (!spec->without_settings && !load_settings(&choices.sources, &out->settings, &error)) {
        options_deinit(out);
        return fail_config(error.message);
    }
    return OPTIONS_GO_ON;
}

void options_deinit(struct options *options)
{
    settings_deinit(&options->settings);
}

bool options_load_again(const struct options_sources *sources, struct settings *out,
                        struct settings_error *error)
{
    if (!settings_init(out)) {
        (void)snprintf(error->message, sizeof error->message, "out of memory");
        return false;
    }
    if (!load_settings(sources, out, error)) {
        settings_deinit(out);
        return false;
    }
    return true;
}
