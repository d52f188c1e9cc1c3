/**
 * A `scenesync` command run to its end: what it was given, what it said, how it ended.
 *
 * Lifetime: texts live as long as the process. Threading: one thread. A command that does not end
 * within COMMAND_TIMEOUT_MS ends the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_COMMAND_H
#define SCENESYNC_TESTS_SUPPORT_COMMAND_H

#include <stddef.h>

enum { COMMAND_TIMEOUT_MS = 60000, COMMAND_ARGUMENTS_MAX = 32 };

struct command {
    const char *arguments[COMMAND_ARGUMENTS_MAX]; /* behind the program's name; NULL ends them */
    const char *environment[8];                   /* "NAME=value"; NULL ends them */
    const char *input;                            /* of the standard input; NULL: empty */
};

struct command_outcome {
    int exit_code;
    const char *out, *err;
};

/** `directory` takes its files for a while. */
struct command_outcome command_run(const char *directory, const struct command *command);

/** How many lines a text has; one that ends without a newline counts too. */
size_t line_count(const char *text);

#endif
