#include "tests/support/command.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/sent_batch.h"

enum { OUTPUT_BYTES_MAX = 8 << 20 };

/* Reads the file, removes it. */
static const char *take_file(const char *path)
{
    FILE *const file = fopen(path, "rb");
    cr_assert_not_null(file, "%s cannot be read", path);
    char *const text = malloc(OUTPUT_BYTES_MAX);
    cr_assert_not_null(text);
    const size_t size = fread(text, 1, OUTPUT_BYTES_MAX, file);
    cr_assert_lt(size, (size_t)OUTPUT_BYTES_MAX);
    text[size] = '\0';
    const char *const kept = text_of_format("%s", text);
    free(text);
    (void)fclose(file);
    (void)unlink(path);
    return kept;
}

static void write_file(const char *path, const char *text)
{
    FILE *const file = fopen(path, "wb");
    cr_assert_not_null(file, "%s cannot be written", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

struct command_outcome command_run(const char *directory, const struct command *command)
{
    const char *const in_path = text_of_format("%s/command.in", directory);
    const char *const out_path = text_of_format("%s/command.out", directory);
    const char *const err_path = text_of_format("%s/command.err", directory);
    const char *arguments[COMMAND_ARGUMENTS_MAX + 1] = {SCENESYNC_BINARY};
    memcpy(arguments + 1, command->arguments, sizeof(command->arguments));
    cr_assert_null(arguments[COMMAND_ARGUMENTS_MAX], "no room for the NULL at the end");
    write_file(in_path, command->input != NULL ? command->input : "");
    const struct child_options options = {.arguments = arguments,
                                          .environment = command->environment,
                                          .input_path = in_path,
                                          .output_path = out_path,
                                          .error_path = err_path};
    const pid_t pid = child_start(&options);
    struct command_outcome outcome;
    if (!child_wait(pid, COMMAND_TIMEOUT_MS, &outcome.exit_code)) {
        child_kill(pid);
        cr_assert_fail("scenesync %s does not end; it says: %s", command->arguments[0],
                       take_file(err_path));
    }
    outcome.out = take_file(out_path);
    outcome.err = take_file(err_path);
    return outcome;
}

size_t line_count(const char *text)
{
    size_t count = 0;
    const char *at = text;
    while (*at != '\0') {
        count++;
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    return count;
}
