#include "tests/support/child_process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENVIRONMENT_MAX = 512, EXEC_FAILED = 127, POLL_MS = 5 };

extern char **environ;

uint64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(int duration_ms)
{
    const struct timespec pause = {.tv_sec = duration_ms / 1000,
                                   .tv_nsec = (long)(duration_ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Settings of whoever runs the tests must not reach the programs under test. */
static void make_environment(const char *const *own, const char **out)
{
    static const char prefix[] = "SCENESYNC_";
    size_t count = 0;
    for (char **entry = environ; *entry != NULL && count < ENVIRONMENT_MAX; entry++) {
        if (strncmp(*entry, prefix, sizeof(prefix) - 1) != 0) {
            out[count++] = *entry;
        }
    }
    for (; own != NULL && *own != NULL && count < ENVIRONMENT_MAX; own++) {
        out[count++] = *own;
    }
    cr_assert_lt(count, (size_t)ENVIRONMENT_MAX);
    out[count] = NULL;
}

/* Between fork and exec: async-signal-safe calls only, for the test's process has threads. */
static void redirect(int descriptor, const char *path, int flags)
{
    const int file = open(path != NULL ? path : "/dev/null", flags, 0600);
    if (file < 0 || dup2(file, descriptor) < 0) {
        _exit(EXEC_FAILED);
    }
    if (file != descriptor) {
        (void)close(file);
    }
}

/* exec's arguments are not const for historical reasons only. */
static char *const *unconst(const char *const *texts)
{
    union {
        const char *const *from;
        char *const *to;
    } pointer = {.from = texts};
    return pointer.to;
}

static void become(const struct child_options *options, const char *const *environment,
                   pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXEC_FAILED); /* the test died before the line above */
    }
    redirect(STDIN_FILENO, options->input_path, O_RDONLY);
    redirect(STDOUT_FILENO, options->output_path, O_WRONLY | O_CREAT | O_APPEND);
    redirect(STDERR_FILENO, options->error_path, O_WRONLY | O_CREAT | O_APPEND);
    (void)execve(options->arguments[0], unconst(options->arguments), unconst(environment));
    _exit(EXEC_FAILED);
}

pid_t child_start(const struct child_options *options)
{
    const char *environment[ENVIRONMENT_MAX + 1];
    make_environment(options->environment, environment);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    cr_assert_geq(pid, 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        become(options, environment, parent);
    }
    return pid;
}

bool child_wait(pid_t pid, int timeout_ms, int *exit_code)
{
    const uint64_t deadline_ms = monotonic_ms() + (uint64_t)timeout_ms;
    int status = 0;
    pid_t ended = waitpid(pid, &status, WNOHANG);
    while (ended == 0 && monotonic_ms() < deadline_ms) {
        sleep_ms(POLL_MS);
        ended = waitpid(pid, &status, WNOHANG);
    }
    if (ended == 0) {
        return false;
    }
    cr_assert_eq(ended, pid, "waitpid: %s", strerror(errno));
    *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

void child_kill(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}
