/**
 * A process with a source, progress and a watchdog whose cycle is the test's: what a worker looks
 * like to its consumer group and to its watchdog, without the work.
 *
 * Begins the source fixture (source_fixture.h) once the process is forked, since librdkafka's
 * threads do not survive a fork. Lifetime: watched_worker_start() .. watched_worker_await_exit() or
 * watched_worker_kill(); it dies with the test. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_WATCHED_WORKER_H
#define SCENESYNC_TESTS_SUPPORT_WATCHED_WORKER_H

#include <sys/types.h>

#include "tests/support/temp_dir.h"
#include "worker/progress.h"
#include "worker/source.h"

enum { WATCHED_LIMIT_MS = 1000, WATCHED_PATH_BYTES_MAX = TEMP_DIR_BYTES_MAX + 16 };

/* What a cycle has at hand. It ends the process by _exit(), or never. */
struct watched_parts {
    struct record_source *source;
    struct progress *progress;
    struct log *log;
};
typedef void watched_cycle(const struct watched_parts *parts);

struct watched_worker {
    pid_t pid;
    struct temp_dir directory;
    char log_path[WATCHED_PATH_BYTES_MAX];
    int address_pipe, ready_pipe;
};

/** Forks the process, then starts the fixture's broker with an ops topic and a retry tier of two
 * partitions each. `worker` must be zeroed. With `log_is_pipe` the log is one that nobody reads. */
void watched_worker_start(struct watched_worker *worker, watched_cycle *cycle, bool log_is_pipe);

/** Lets it run, until it has read all partitions to their ends and `cycle` begins. */
void watched_worker_release(struct watched_worker *worker);

int watched_worker_await_exit(struct watched_worker *worker, int timeout_ms);
void watched_worker_kill(struct watched_worker *worker);

/** Its log, kept text. */
const char *watched_worker_log(const struct watched_worker *worker);

/** For cycles: polls once as a worker does, and drops what comes. Returns how many records. */
size_t watched_poll(const struct watched_parts *parts);

/** A cycle that logs, and so hangs where the log is a pipe that nobody reads. */
void watched_log_until_it_hangs(const struct watched_parts *parts);

#endif
