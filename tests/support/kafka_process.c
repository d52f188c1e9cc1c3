#include "tests/support/kafka_process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/sent_batch.h"
#include "tests/support/temp_dir.h"

enum { COMMAND_TIMEOUT_MS = 150000, LINE_BYTES_MAX = 512, SHOWN_LINES_MAX = 60 };

struct kafka_process {
    struct temp_dir directory;
    const char *address;
    bool is_running;
};

static const char *path_in(const struct kafka_process *process, const char *name)
{
    return text_of_format("%s/%s", process->directory.path, name);
}

static void show(const char *path)
{
    FILE *const file = fopen(path, "r");
    char line[LINE_BYTES_MAX];
    for (int i = 0; file != NULL && i < SHOWN_LINES_MAX && fgets(line, sizeof(line), file) != NULL;
         i++) {
        (void)fputs(line, stderr);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* "broker NAME DIRECTORY", as a person would say it. `owner`: --owner's value, or NULL. */
static void command(struct kafka_process *process, const char *name, const char *owner)
{
    const char *const said = path_in(process, "commands.log");
    const char *const arguments[] = {TESTS_KAFKA_BROKER,
                                     name,
                                     process->directory.path,
                                     owner != NULL ? "--owner" : NULL,
                                     owner,
                                     NULL};
    const pid_t pid = child_start(
        &(struct child_options){.arguments = arguments, .output_path = said, .error_path = said});
    int exit_code = 0;
    const bool ended = child_wait(pid, COMMAND_TIMEOUT_MS, &exit_code);
    if (!ended) {
        child_kill(pid);
    }
    if (!ended || exit_code != 0) {
        show(said);
        cr_assert_fail("tests/kafka/broker %s %s", name,
                       ended ? text_of_format("ended with exit code %d", exit_code)
                             : "does not end");
    }
}

static const char *read_address(const struct kafka_process *process)
{
    char line[LINE_BYTES_MAX] = "";
    FILE *const file = fopen(path_in(process, "bootstrap"), "r");
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(line, sizeof(line), file));
    (void)fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return text_of_format("%s", line);
}

struct kafka_process *kafka_process_start(void)
{
    struct kafka_process *const process = calloc(1, sizeof(*process));
    cr_assert_not_null(process);
    temp_dir_create(&process->directory);
    command(process, "start", text_of_format("%ld", (long)getpid()));
    process->address = read_address(process);
    process->is_running = true;
    return process;
}

/* By SIGKILL: it would take its time to shut down, and nobody needs its data any more. */
void kafka_process_stop(struct kafka_process *process)
{
    if (process->is_running) {
        command(process, "kill", NULL);
    }
    temp_dir_release(&process->directory);
    free(process);
}

const char *kafka_process_address(const struct kafka_process *process)
{
    return process->address;
}

void kafka_process_pause(struct kafka_process *process)
{
    command(process, "pause", NULL);
}

void kafka_process_resume(struct kafka_process *process)
{
    command(process, "resume", NULL);
}

void kafka_process_kill(struct kafka_process *process)
{
    command(process, "kill", NULL);
    process->is_running = false;
}

void kafka_process_restart(struct kafka_process *process)
{
    command(process, "restart", NULL);
    process->is_running = true;
}

void kafka_process_configure(struct kafka_process *process, const char *properties)
{
    FILE *const file = fopen(path_in(process, "server.properties"), "a");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(properties, file), 0);
    cr_assert_eq(fclose(file), 0);
    kafka_process_restart(process);
}
