/**
 * The progress watchdog: a worker that holds partitions and does not get further for
 * `worker.stall_timeout_ms` leaves the group and ends, so that another takes over at once and a
 * supervisor starts it anew. Without it such a worker keeps its partitions for good: librdkafka's
 * heartbeats go on whatever the program does.
 *
 * A thread of its own, since the cycle's may be the one that hangs. It looks for two things:
 *
 *     the cycle's thread has not got further (progress.h), whatever it does: it is stuck in a call
 *     or in a loop
 *     the cycle is idle, although Kafka has records behind what the source has seen of a partition,
 *     and that stays so: a consumer that has silently stopped
 *
 * Time that the whole process was stopped does not count. Nor does an outage of the store or of
 * Kafka, of any length; nor a retry that is not due.
 *
 * What it does then, each step bounded, also where Kafka does not answer and the cycle's thread
 * never comes back: readiness ends (progress_is_ready()), the group is left (source_abandon()), an
 * error line says for how long, doing what, which partitions and their lag, and the process ends
 * with EXIT_CODE_STALLED by _exit(). Everything that was not settled is delivered again. The line
 * comes after the group was left, because a log that nobody reads any more is one of the things
 * that a worker hangs in. Should all this hang too, SIGALRM ends the process.
 *
 * Lifetime: watchdog_start() after the source was created and before the first cycle, and
 * watchdog_destroy() before anything it borrows ends: first of all when a worker is closed. Once it
 * has found a stall watchdog_destroy() does not return: the process ends meanwhile. Threading: both
 * on the main thread, which keeps SIGINT and SIGTERM. Cost: wakes once a second, asks Kafka for the
 * ends of the partitions every quarter of the time-out; without partitions, for the ops topic.
 */
#ifndef SCENESYNC_WORKER_WATCHDOG_H
#define SCENESYNC_WORKER_WATCHDOG_H

#include "worker/log.h"
#include "worker/progress.h"
#include "worker/settings.h"
#include "worker/source.h"

struct watchdog;

/** All borrowed. */
struct watchdog_parts {
    const struct settings *settings;
    const struct clock *clock;
    struct log *log;
    struct progress *progress;
    struct record_source *source;
};

/** Returns owned, or NULL when there is no memory or no thread to be had. With a time-out of 0 it
 * watches nothing. */
struct watchdog *watchdog_start(const struct watchdog_parts *parts);

/** Waits for the watchdog's thread, up to a second where Kafka does not answer. NULL is allowed. */
void watchdog_destroy(struct watchdog *watchdog);

#endif
