/**
 * What happened when: one line each, with the seconds since the run began, on stdout and in the
 * run's directory.
 *
 * Lifetime: soak_log_open() .. soak_log_close(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_LOG_H
#define SCENESYNC_TESTS_SOAK_LOG_H

#include <stdint.h>
#include <stdio.h>

struct soak_log {
    FILE *file;
    uint64_t start_ms; /* monotonic */
};

/** Ends the running test where the file cannot be made. */
void soak_log_open(struct soak_log *log, const char *directory);
void soak_log_close(struct soak_log *log);

void soak_log_line(struct soak_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The last lines of a file on stdout, for a run that fails. */
void soak_log_show_end(struct soak_log *log, const char *path);

#endif
