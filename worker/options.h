/**
 * The command line of one command: its own options beside `--config FILE`, `--set key=value` and
 * `--help`, which all commands share, and the settings that come out of it.
 *
 * Lifetime: options_parse() .. options_deinit(); texts are views of argv. Threading: main thread
 * only (getopt keeps state).
 */
#ifndef SCENESYNC_WORKER_OPTIONS_H
#define SCENESYNC_WORKER_OPTIONS_H

#include "worker/settings.h"

enum { OPTIONS_OWN_COUNT_MAX = 16 };

enum option_type {
    OPTION_FLAG, /* `out` is a bool *, set to true */
    OPTION_TEXT, /* `out` is a const char ** */
    OPTION_UINT  /* `out` is a uint64_t *, within min and max */
};

/** An option of one command. `out` keeps the caller's default where the option is not given. */
struct option_spec {
    const char *name; /* without the dashes */
    enum option_type type;
    void *out;
    uint64_t min, max; /* OPTION_UINT */
};

struct command_spec {
    const char *name; /* "produce" */
    const char *help; /* what --help prints */
    const struct option_spec *options;
    size_t option_count;              /* at most OPTIONS_OWN_COUNT_MAX */
    int arguments_min, arguments_max; /* beside the options */
    bool without_settings;            /* no --config and --set, and none are loaded */
};

enum { OPTIONS_ASSIGNMENTS_MAX = 256 };

/** Where the command line says that settings are, in the order of its options; views of argv. */
struct options_sources {
    const char *config_path; /* NULL: none */
    const char *assignments[OPTIONS_ASSIGNMENTS_MAX];
    size_t assignment_count;
};

struct options {
    struct settings settings; /* defaults, file, environment, --set; checked */
    struct options_sources sources;
    char **arguments; /* what is left beside the options */
    int argument_count;
};

enum { OPTIONS_GO_ON = -1 };

/**
 * Reads the command line and loads the settings, librdkafka's included. Returns OPTIONS_GO_ON, or
 * the exit code to end with: after --help (printed), after a wrong command line or a wrong setting
 * (one line on stderr). `out` needs options_deinit() after OPTIONS_GO_ON only.
 */
__attribute__((warn_unused_result)) int options_parse(const struct command_spec *spec, int argc,
                                                      char **argv, struct options *out);
void options_deinit(struct options *options);

/** Loads the settings again from where they came from. Returns false and why where one is wrong;
 * `out` needs settings_deinit() after true only. */
__attribute__((warn_unused_result)) bool options_load_again(const struct options_sources *sources,
                                                            struct settings *out,
                                                            struct settings_error *error);

#endif
