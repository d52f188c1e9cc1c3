/**
 * The worker's metrics in Prometheus's text exposition format (version 0.0.4), from one table that
 * holds name, type and meaning of each; the table is also what documentation is made of and checked
 * against.
 *
 * Names: OpenTelemetry's semantic conventions for messaging where they have one, kafka_exporter's
 * for lag and offsets, `process_*` as every Prometheus client has them, `scenesync_*` for the rest.
 *
 * Threading: stateless; a view is read only. Cost: O(metrics + partitions).
 */
#ifndef SCENESYNC_WORKER_METRICS_H
#define SCENESYNC_WORKER_METRICS_H

#include <stdio.h>

#include "protocol/buffer.h"
#include "worker/lag_monitor.h"
#include "worker/process_usage.h"
#include "worker/settings.h"
#include "worker/snapshot.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** All that the metrics are made of. Borrowed. */
struct metrics_view {
    const struct settings *settings;
    const struct snapshot *snapshot;
    const struct process_usage *process; /* NULL: the system does not tell */
    const struct partition_lag *lags;
    size_t lag_count;
    bool is_ready, store_is_up, broker_is_up;
    uint64_t silence_ms; /* since the cycle's thread last got further */
    uint64_t now_ms;     /* monotonic, as partition_lag.due_ms */
};

/** Appends the page. */
void metrics_write(const struct metrics_view *view, struct buffer *out);

/** Prints the table as Markdown: name, type, labels, meaning. */
void metrics_print_help(FILE *out);

#endif
