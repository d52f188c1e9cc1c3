/**
 * A program that a test runs: started, signalled, waited for, dead at the latest when the test is.
 *
 * Lifetime: child_start() .. child_wait() or child_kill(). Threading: one thread. A start that
 * fails ends the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_CHILD_PROCESS_H
#define SCENESYNC_TESTS_SUPPORT_CHILD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child_options {
    const char *const *arguments;   /* NULL-terminated; the first is the program's path */
    const char *const *environment; /* NULL-terminated "NAME=value", or NULL. It comes on top of
                                     * this process's own without its SCENESYNC_ variables */
    const char *input_path;         /* NULL: nothing to read */
    const char *output_path, *error_path; /* appended to; NULL: dropped */
};

pid_t child_start(const struct child_options *options);

/** Waits for its end; false when the time is over. The code of one ended by a signal is 128 and
 * the signal's number, as a shell has it. */
bool child_wait(pid_t pid, int timeout_ms, int *exit_code);

/** SIGKILL, and waits. */
void child_kill(pid_t pid);

/** For polls with a deadline. */
uint64_t monotonic_ms(void);
void sleep_ms(int duration_ms);

#endif
