#include "worker/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_BYTES_MAX = 128, NUMBER_BYTES_MAX = 32 };

void metrics_text_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

struct metrics_sample metrics_sample_of(struct buffer *out, const char *name)
{
    buffer_append_format(out, "%s", name);
    return (struct metrics_sample){.out = out};
}

void metrics_label(struct metrics_sample *sample, const char *name, const char *value)
{
    buffer_append_format(sample->out, "%s%s=\"", sample->has_labels ? "," : "{", name);
    sample->has_labels = true;
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            buffer_append(sample->out, "\\n", 2);
            continue;
        }
        if (*c == '\\' || *c == '"') {
            buffer_append(sample->out, "\\", 1);
        }
        buffer_append(sample->out, c, 1);
    }
    buffer_append(sample->out, "\"", 1);
}

void metrics_label_int(struct metrics_sample *sample, const char *name, int64_t value)
{
    char text[NUMBER_BYTES_MAX];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    metrics_label(sample, name, text);
}

static void end_labels(struct metrics_sample *sample)
{
    buffer_append_format(sample->out, "%s ", sample->has_labels ? "}" : "");
}

void metrics_value_uint(struct metrics_sample *sample, uint64_t value)
{
    end_labels(sample);
    buffer_append_format(sample->out, "%" PRIu64 "\n", value);
}

void metrics_value_int(struct metrics_sample *sample, int64_t value)
{
    end_labels(sample);
    buffer_append_format(sample->out, "%" PRId64 "\n", value);
}

void metrics_value_ms(struct metrics_sample *sample, uint64_t ms)
{
    end_labels(sample);
    buffer_append_format(sample->out, "%" PRIu64 ".%03" PRIu64 "\n", ms / 1000, ms % 1000);
}

/* A bound of whole ms, in seconds as Prometheus's own clients write it: "0.005", "10". */
static void write_bound(char text[NUMBER_BYTES_MAX], uint64_t ms)
{
    (void)snprintf(text, NUMBER_BYTES_MAX, "%.10g", (double)ms / 1000);
}

void metrics_histogram(struct buffer *out, const char *name, const struct durations *durations,
                       const struct durations_bounds *bounds, const char *label,
                       const char *label_value)
{
    char full[NAME_BYTES_MAX];
    (void)snprintf(full, sizeof full, "%s_bucket", name);
    uint64_t count = 0;
    for (size_t i = 0; i <= bounds->count; i++) {
        char bound[NUMBER_BYTES_MAX] = "+Inf";
        if (i < bounds->count) {
            write_bound(bound, bounds->upper_ms[i]);
        }
        count += durations->counts[i];
        struct metrics_sample sample = metrics_sample_of(out, full);
        metrics_label(&sample, label, label_value);
        metrics_label(&sample, "le", bound);
        metrics_value_uint(&sample, count);
    }
    (void)snprintf(full, sizeof full, "%s_sum", name);
    struct metrics_sample sum = metrics_sample_of(out, full);
    metrics_label(&sum, label, label_value);
    metrics_value_ms(&sum, durations->sum_ms);
    (void)snprintf(full, sizeof full, "%s_count", name);
    struct metrics_sample total = metrics_sample_of(out, full);
    metrics_label(&total, label, label_value);
    metrics_value_uint(&total, count);
}
