/**
 * `/status.json`: all that changes on the status page, as one JSON object. The page's own format,
 * not an interface for others: they have /metrics.
 *
 * Every text that came from outside is a JSON string of valid UTF-8; the page puts it into text
 * nodes only. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_STATUS_JSON_H
#define SCENESYNC_WORKER_STATUS_JSON_H

#include "worker/metrics.h"
#include "worker/recent.h"

struct status_view {
    struct metrics_view metrics;
    const char *activity;  /* progress_activity_name() */
    const char *not_ready; /* the reason; "" where it is ready */
    uint64_t uptime_ms, now_wall_ms;
    const struct recent_view *recent;
};

void status_json_write(const struct status_view *view, struct buffer *out);

#endif
