#include "tests/support/worker_process.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/child_process.h"

enum {
    PATH_BYTES_MAX = 512,
    ARGUMENTS_MAX = 128,
    VARIABLES_MAX = 16,
    SHOWN_BYTES_MAX = 6000,
    POLL_MS = 20
};

struct worker_process {
    pid_t pid;
    bool is_running;
    char log_path[PATH_BYTES_MAX];
    char *log;
};

/* What the running test chose; each test has a process of its own. */
static const char *substitute_program;
static const char *const *substitute_environment;

void worker_process_substitute(const char *program, const char *const *environment)
{
    substitute_program = program;
    substitute_environment = environment;
}

static size_t append_variables(const char *const *from, const char **to, size_t count)
{
    for (; from != NULL && *from != NULL; from++) {
        cr_assert_lt(count, (size_t)VARIABLES_MAX);
        to[count++] = *from;
    }
    to[count] = NULL;
    return count;
}

struct worker_process *worker_process_start(const char *log_path, const char *const *settings,
                                            const char *const *environment)
{
    struct worker_process *worker = calloc(1, sizeof(*worker));
    cr_assert_not_null(worker);
    (void)snprintf(worker->log_path, sizeof(worker->log_path), "%s", log_path);
    const char *variables[VARIABLES_MAX + 1];
    (void)append_variables(substitute_environment, variables,
                           append_variables(environment, variables, 0));
    const char *arguments[ARGUMENTS_MAX] = {
        substitute_program != NULL ? substitute_program : SCENESYNC_BINARY, "worker"};
    size_t count = 2;
    for (; *settings != NULL; settings++) {
        cr_assert_lt(count + 2, (size_t)ARGUMENTS_MAX);
        arguments[count++] = "--set";
        arguments[count++] = *settings;
    }
    const struct child_options options = {.arguments = arguments,
                                          .environment = variables,
                                          .output_path = log_path,
                                          .error_path = log_path};
    worker->pid = child_start(&options);
    worker->is_running = true;
    return worker;
}

void worker_process_destroy(struct worker_process *worker)
{
    if (worker->is_running) {
        child_kill(worker->pid);
    }
    free(worker->log);
    free(worker);
}

const char *worker_process_log(struct worker_process *worker)
{
    free(worker->log);
    worker->log = calloc(1, 1);
    cr_assert_not_null(worker->log);
    FILE *const file = fopen(worker->log_path, "rb");
    if (file == NULL) {
        return worker->log; /* it has not come to life yet */
    }
    (void)fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    cr_assert_geq(size, 0);
    worker->log = realloc(worker->log, (size_t)size + 1);
    cr_assert_not_null(worker->log);
    rewind(file);
    const size_t read = fread(worker->log, 1, (size_t)size, file);
    worker->log[read] = '\0';
    (void)fclose(file);
    return worker->log;
}

size_t worker_process_log_count(struct worker_process *worker, const char *text)
{
    size_t count = 0;
    const char *at = strstr(worker_process_log(worker), text);
    for (; at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}

void worker_process_show_log(struct worker_process *worker)
{
    const char *log = worker_process_log(worker);
    const size_t size = strlen(log);
    (void)fprintf(stderr, "--- end of %s:\n%s\n---\n", worker->log_path,
                  size > SHOWN_BYTES_MAX ? log + size - SHOWN_BYTES_MAX : log);
}

void worker_process_await_log(struct worker_process *worker, const char *text, int timeout_ms)
{
    const uint64_t deadline_ms = monotonic_ms() + (uint64_t)timeout_ms;
    while (strstr(worker_process_log(worker), text) == NULL) {
        if (monotonic_ms() >= deadline_ms) {
            worker_process_show_log(worker);
            cr_assert_fail("\"%s\" is not in the worker's log within %d ms", text, timeout_ms);
        }
        sleep_ms(POLL_MS);
    }
}

long worker_process_pid(const struct worker_process *worker)
{
    return (long)worker->pid;
}

size_t worker_process_assigned(struct worker_process *worker)
{
    static const char key[] = " assigned=";
    const char *last = NULL;
    const char *at = strstr(worker_process_log(worker), key);
    for (; at != NULL; at = strstr(at + 1, key)) {
        last = at;
    }
    return last == NULL ? 0 : strtoul(last + sizeof(key) - 1, NULL, 10);
}

void worker_process_signal(struct worker_process *worker, int signal)
{
    cr_assert(worker->is_running);
    cr_assert_eq(kill(worker->pid, signal), 0);
}

bool worker_process_is_running(const struct worker_process *worker)
{
    return worker->is_running;
}

int worker_process_await_exit(struct worker_process *worker, int timeout_ms)
{
    int exit_code = 0;
    cr_assert(worker->is_running);
    if (!child_wait(worker->pid, timeout_ms, &exit_code)) {
        worker_process_show_log(worker);
        cr_assert_fail("the worker still runs after %d ms", timeout_ms);
    }
    worker->is_running = false;
    return exit_code;
}
