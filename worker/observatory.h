/**
 * What is to be seen of a running worker over HTTP: metrics, health and the status page.
 *
 *     /metrics      Prometheus (metrics.h)
 *     /livez        200 while the cycle turns, 503 otherwise; never depends on Kafka or Redis
 *     /readyz       200 where the worker does its work or could if there were any, else 503; a
 *                   JSON object says why
 *     /scene.json   a stored scene, ?session=ID
 *     /settings.txt what --print-config prints, without secrets
 *     /             the status page, for people; /status.js, /status.css and /status.json are its
 *                   parts
 *
 * All of it is read-only. Lifetime: observatory_start() once the parts exist, observatory_stop()
 * before any of them ends. Threading: those two on the main thread; the rest happens on threads of
 * its own, none of which the cycle waits for.
 */
#ifndef SCENESYNC_WORKER_OBSERVATORY_H
#define SCENESYNC_WORKER_OBSERVATORY_H

#include "worker/log.h"
#include "worker/progress.h"
#include "worker/recent.h"
#include "worker/settings.h"
#include "worker/snapshot.h"
#include "worker/source.h"

/** All borrowed. */
struct observatory_parts {
    const struct settings *settings;
    const struct clock *clock;
    struct log *log;
    struct progress *progress;
    struct record_source *source;
    struct snapshot_board *board;
    struct recent *recent;
};

struct observatory;

/**
 * Starts listening on http.listen and logs where; with `off` nothing is started. Returns owned;
 * NULL with a sentence in `message` where that is not possible. Where http.listen was not set and
 * the default's port is taken, as by a second worker on one machine, that is logged and the worker
 * goes on unobserved.
 */
struct observatory *observatory_start(const struct observatory_parts *parts, char *message,
                                      size_t message_bytes);
void observatory_stop(struct observatory *observatory);

/** From now on the scene viewer is another user of Redis or has another password. Any thread. */
void observatory_set_credentials(struct observatory *observatory, const char *username,
                                 const char *password);

#endif
