#include "worker/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "worker/clock.h"
#include "worker/text_escape.h"

/* Kept free behind the fields: the closing quote, `truncated`, `lost` with 20 digits, the newline.
 */
enum { TAIL_BYTES_MAX = 64, FIELDS_BYTES_MAX = LOG_LINE_BYTES_MAX - TAIL_BYTES_MAX };

struct log {
    _Atomic enum log_level level;
    enum log_format format;
    int descriptor;
    bool owns_descriptor;
    pthread_mutex_t mutex; /* over the write, the descriptor, and what is below */
    uint64_t lost;         /* lines that could not be written since one was */
    bool torn;             /* the last line was written in part: it still needs its newline */
};

const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARN:
        return "warn";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    }
    return "error";
}

const char *log_format_name(enum log_format format)
{
    switch (format) {
    case LOG_LOGFMT:
        return "logfmt";
    case LOG_JSON:
        return "json";
    }
    return "logfmt";
}

static int open_path(const char *path)
{
    return path == NULL ? STDERR_FILENO
                        : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

struct log *log_create(enum log_level level, enum log_format format, const char *path)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return NULL;
    }
    log->level = level;
    log->format = format;
    log->descriptor = open_path(path);
    log->owns_descriptor = path != NULL;
    int error = log->descriptor < 0 ? errno : pthread_mutex_init(&log->mutex, NULL);
    if (error != 0) {
        if (log->owns_descriptor && log->descriptor >= 0) {
            (void)close(log->descriptor);
        }
        free(log);
        errno = error;
        return NULL;
    }
    return log;
}

void log_destroy(struct log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->owns_descriptor) {
        (void)close(log->descriptor);
    }
    (void)pthread_mutex_destroy(&log->mutex);
    free(log);
}

void log_set_level(struct log *log, enum log_level level)
{
    log->level = level;
}

bool log_reopen(struct log *log, const char *path)
{
    int descriptor = open_path(path);
    if (descriptor < 0) {
        return false;
    }
    (void)pthread_mutex_lock(&log->mutex);
    int before = log->owns_descriptor ? log->descriptor : -1;
    log->descriptor = descriptor;
    log->owns_descriptor = path != NULL;
    log->torn = false; /* the rest of that line is in the other file */
    (void)pthread_mutex_unlock(&log->mutex);
    if (before >= 0) {
        (void)close(before);
    }
    return true;
}

bool log_is_enabled(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

/** Appends where it fits, else sets `truncated` and appends nothing. */
static bool put(struct log_line *line, const char *bytes, size_t size)
{
    if (line->truncated || line->size + size > FIELDS_BYTES_MAX) {
        line->truncated = true;
        return false;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
    return true;
}

static bool put_text(struct log_line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/** Appends to the space that put() keeps free. */
static void put_tail(struct log_line *line, const char *text)
{
    size_t size = strlen(text);
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static bool put_key(struct log_line *line, const char *key)
{
    switch (line->log->format) {
    case LOG_LOGFMT:
        return (line->size == 0 || put_text(line, " ")) && put_text(line, key) &&
               put_text(line, "=");
    case LOG_JSON:
        return put_text(line, line->size == 0 ? "{\"" : ",\"") && put_text(line, key) &&
               put_text(line, "\":");
    }
    return false;
}

/** A value in quotes, cut between characters where it does not fit. */
static void put_quoted(struct log_line *line, struct span value)
{
    if (!put_text(line, "\"")) {
        return;
    }
    bool fits = true;
    while (fits && value.size > 0) {
        char unit[TEXT_ESCAPE_BYTES_MAX];
        size_t size = text_escape_next(&value, unit);
        fits = put(line, unit, size);
    }
    put_tail(line, "\"");
}

static bool is_bare(struct span value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        bool is_alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                               (byte >= 'a' && byte <= 'z');
        if (!is_alphanumeric && (byte == '\0' || strchr("_./:@%+-", byte) == NULL)) {
            return false;
        }
    }
    return value.size > 0;
}

/** One field: `value` bare, or as text by the format's rules. Left out whole where not even its
 * key and a quote fit. */
static void put_field(struct log_line *line, const char *key, struct span value, bool bare)
{
    if (!line->enabled || line->truncated) {
        return;
    }
    size_t start = line->size;
    bool fits = put_key(line, key);
    if (fits && (bare || (line->log->format == LOG_LOGFMT && is_bare(value)))) {
        fits = put(line, (const char *)value.data, value.size);
    } else if (fits) {
        fits = line->size < FIELDS_BYTES_MAX;
        put_quoted(line, value);
    }
    if (!fits) {
        line->size = start;
    }
}

static void put_time(struct log_line *line)
{
    struct clock clock = clock_system();
    uint64_t now_ms = clock_wall_ms(&clock);
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    char date[32];
    char text[48];
    size_t size = strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text, sizeof text, "%.*s.%03uZ", (int)size, date, (unsigned)(now_ms % 1000));
    log_text(line, "time", text);
}

void log_begin(struct log_line *line, struct log *log, enum log_level level, const char *event)
{
    /* The text stays uninitialised: a line below the level costs nothing. */
    line->log = log;
    line->enabled = log_is_enabled(log, level);
    line->truncated = false;
    line->size = 0;
    if (line->enabled) {
        put_time(line);
        log_text(line, "level", log_level_name(level));
        log_text(line, "event", event);
    }
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    log_span(line, key, span_of_text(value));
}

void log_span(struct log_line *line, const char *key, struct span value)
{
    put_field(line, key, value, false);
}

void log_uint(struct log_line *line, const char *key, uint64_t value)
{
    char text[24];
    if (line->enabled) {
        int size = snprintf(text, sizeof text, "%" PRIu64, value);
        put_field(line, key, span_make(text, (size_t)size), true);
    }
}

void log_int(struct log_line *line, const char *key, int64_t value)
{
    char text[24];
    if (line->enabled) {
        int size = snprintf(text, sizeof text, "%" PRId64, value);
        put_field(line, key, span_make(text, (size_t)size), true);
    }
}

/** Writes everything; returns how much was written before an error. */
static size_t write_all(int descriptor, const char *bytes, size_t size)
{
    size_t written = 0;
    while (written < size) {
        ssize_t count = write(descriptor, bytes + written, size - written);
        if (count > 0) {
            written += (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            break;
        }
    }
    return written;
}

static void put_ending(struct log_line *line, uint64_t lost)
{
    bool json = line->log->format == LOG_JSON;
    if (line->truncated) {
        put_tail(line, json ? ",\"truncated\":true" : " truncated=true");
    }
    if (lost > 0) {
        char text[40];
        (void)snprintf(text, sizeof text, json ? ",\"lost\":%" PRIu64 : " lost=%" PRIu64, lost);
        put_tail(line, text);
    }
    put_tail(line, json ? "}\n" : "\n");
}

void log_end(struct log_line *line)
{
    if (!line->enabled) {
        return;
    }
    struct log *log = line->log;
    (void)pthread_mutex_lock(&log->mutex);
    put_ending(line, log->lost);
    if (log->torn && write_all(log->descriptor, "\n", 1) == 1) {
        log->torn = false;
    }
    size_t written = log->torn ? 0 : write_all(log->descriptor, line->text, line->size);
    if (written == line->size) {
        log->lost = 0;
    } else {
        log->lost++;
        log->torn = log->torn || written > 0;
    }
    (void)pthread_mutex_unlock(&log->mutex);
    line->enabled = false;
}
