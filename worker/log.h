/**
 * The worker's log: one line per event, logfmt or JSON, to stderr or a file.
 *
 * A line is built field by field and written by one write(2) in log_end():
 *
 *     struct log_line line;
 *     log_begin(&line, log, LOG_INFO, "partitions assigned");
 *     log_uint(&line, "count", count);
 *     log_end(&line);
 *
 * logfmt: `time=2026-11-22T14:25:22.123Z level=info event="partitions assigned" count=6`.
 * Values are quoted where needed, control characters escaped; a line beyond its size ends in
 * `truncated=true`, so no input can forge or flood a line. Payloads are never logged at info or
 * above. Threading: log_end() is safe from several threads; a line belongs to one.
 */
#ifndef SCENESYNC_WORKER_LOG_H
#define SCENESYNC_WORKER_LOG_H

#include "protocol/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum { LOG_LINE_BYTES_MAX = 4096 };

struct log;

/** "error", "warn", "info", "debug"; "logfmt", "json". Static. */
const char *log_level_name(enum log_level level);
const char *log_format_name(enum log_format format);

/** `path` NULL: stderr. Returns owned, or NULL with errno set where the file cannot be opened. */
struct log *log_create(enum log_level level, enum log_format format, const char *path);
void log_destroy(struct log *log);

struct log_line {
    struct log *log;
    bool enabled; /* below the level: every call is a no-op */
    bool truncated;
    size_t size;
    char text[LOG_LINE_BYTES_MAX];
};

/** What is logged from now on; any thread. */
void log_set_level(struct log *log, enum log_level level);

/**
 * Goes on in `path`, opened anew, created where it is not there any more; NULL: on stderr. Returns
 * false, with errno set and the log going on where it was, where it cannot be opened. Any thread.
 */
__attribute__((warn_unused_result)) bool log_reopen(struct log *log, const char *path);

bool log_is_enabled(const struct log *log, enum log_level level);
void log_begin(struct log_line *line, struct log *log, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_span(struct log_line *line, const char *key, struct span value);
void log_uint(struct log_line *line, const char *key, uint64_t value);
void log_int(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line);

#endif
