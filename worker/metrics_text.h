/**
 * One sample after the other in Prometheus's text exposition format. metrics.c's own.
 *
 * Threading: one thread. Failures stick in the buffer (buffer.h).
 */
#ifndef SCENESYNC_WORKER_METRICS_TEXT_H
#define SCENESYNC_WORKER_METRICS_TEXT_H

#include "protocol/buffer.h"
#include "worker/durations.h"

/** `# HELP` and `# TYPE`. */
void metrics_text_head(struct buffer *out, const char *name, const char *type, const char *help);

/** A name with its labels so far; labels are added in any number, a value ends it. */
struct metrics_sample {
    struct buffer *out;
    bool has_labels;
};

struct metrics_sample metrics_sample_of(struct buffer *out, const char *name);
void metrics_label(struct metrics_sample *sample, const char *name, const char *value);
void metrics_label_int(struct metrics_sample *sample, const char *name, int64_t value);
void metrics_value_uint(struct metrics_sample *sample, uint64_t value);
void metrics_value_int(struct metrics_sample *sample, int64_t value);
void metrics_value_ms(struct metrics_sample *sample, uint64_t ms); /* written in seconds */

/** Buckets, sum and count of a histogram in seconds, all with one label. */
void metrics_histogram(struct buffer *out, const char *name, const struct durations *durations,
                       const struct durations_bounds *bounds, const char *label,
                       const char *label_value);

#endif
