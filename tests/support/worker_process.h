/**
 * One `scenesync worker`: a process of its own whose log, and whatever a sanitizer has to say, goes
 * to a file that the test reads.
 *
 * Lifetime: worker_process_start() .. worker_process_destroy(), which kills what still runs.
 * Threading: one thread. What does not come in time ends the running test, with the log's end on
 * stderr.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_WORKER_PROCESS_H
#define SCENESYNC_TESTS_SUPPORT_WORKER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

struct worker_process;

/** Starts SCENESYNC_BINARY with `settings` ("section.key=value", NULL-terminated) by --set and
 * `environment` (child_process.h) on top. Returns owned. */
struct worker_process *worker_process_start(const char *log_path, const char *const *settings,
                                            const char *const *environment);

/**
 * Workers started from now on run `program` instead, with these variables on top of the others;
 * borrowed until the next call. NULL and NULL: as before. For stories in which one of several
 * workers is a special one.
 */
void worker_process_substitute(const char *program, const char *const *environment);

void worker_process_destroy(struct worker_process *worker);

/** The log so far. A view, valid until the next call about this worker. */
const char *worker_process_log(struct worker_process *worker);

/** How often `text` stands in the log. */
size_t worker_process_log_count(struct worker_process *worker, const char *text);

/** Waits until `text` stands in the log. */
void worker_process_await_log(struct worker_process *worker, const char *text, int timeout_ms);

/** Its process id. */
long worker_process_pid(const struct worker_process *worker);

/** Partitions it holds, by its last word on them. */
size_t worker_process_assigned(struct worker_process *worker);

void worker_process_signal(struct worker_process *worker, int signal);
bool worker_process_is_running(const struct worker_process *worker);

/** Waits for its end. Returns the exit code (child_process.h). */
int worker_process_await_exit(struct worker_process *worker, int timeout_ms);

/** Prints the log's end on stderr, for a test that fails. */
void worker_process_show_log(struct worker_process *worker);

#endif
