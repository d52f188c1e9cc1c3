#include "worker/reload.h"

#include <errno.h>

#include "protocol/buffer.h"
#include "store/redis_store.h"

enum { NAMES_BYTES_MAX = 2048 };

void reload_init(struct reload *reload, const struct options *options)
{
    *reload = (struct reload){.options = options};
}

void reload_deinit(struct reload *reload)
{
    if (reload->has_last) {
        settings_deinit(&reload->last);
    }
    *reload = (struct reload){0};
}

static const struct settings *last_of(const struct reload *reload)
{
    return reload->has_last ? &reload->last : &reload->options->settings;
}

/** Rotation needs this also where the settings are wrong now. */
static bool reopen_log(struct log *log, const char *path)
{
    if (log_reopen(log, path)) {
        return true;
    }
    int error = errno;
    struct log_line line;
    log_begin(&line, log, LOG_ERROR, "log file not opened, the log goes on where it was");
    log_text(&line, "path", path);
    log_text(&line, "reason", strerror(error));
    log_end(&line);
    return false;
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void change_credentials(const struct reload_parts *parts, const struct settings *settings)
{
    struct log_line line;
    if (redis_store_set_credentials(parts->store, settings->redis_username,
                                    settings->redis_password)) {
        log_begin(&line, parts->log, LOG_INFO, "redis credentials changed");
        log_text(&line, "from", "the next connection on");
    } else {
        log_begin(&line, parts->log, LOG_ERROR, "redis credentials not changed");
        log_text(&line, "reason", "out of memory");
    }
    log_end(&line);
    observatory_set_credentials(parts->observatory, settings->redis_username,
                                settings->redis_password);
}

/** Appends the name to a buffer, unless it is one of those that a reload takes over. */
static void collect(void *context, const char *name)
{
    static const char *const taken_over[] = {"log.level", "log.file", "redis.username",
                                             "redis.password", "redis.password_file"};
    struct buffer *names = context;
    for (size_t i = 0; i < sizeof taken_over / sizeof taken_over[0]; i++) {
        if (strcmp(name, taken_over[i]) == 0) {
            return;
        }
    }
    buffer_append_format(names, names->size > 0 ? " %s" : "%s", name);
}

/** Of what differs from how the worker was started. */
static void log_left_over(const struct reload *reload, struct log *log,
                          const struct settings *settings)
{
    struct buffer names;
    buffer_init(&names, NAMES_BYTES_MAX);
    settings_compare(&reload->options->settings, settings, collect, &names);
    if (names.size > 0) {
        struct log_line line;
        log_begin(&line, log, LOG_WARN, "changed settings need a restart");
        log_span(&line, "settings", buffer_span(&names));
        log_end(&line);
    }
    buffer_deinit(&names);
}

static void refuse(const struct reload *reload, const struct reload_parts *parts,
                   const struct settings_error *error)
{
    struct log_line line;
    (void)reopen_log(parts->log, last_of(reload)->log_file);
    log_begin(&line, parts->log, LOG_ERROR, "settings not reloaded, the old ones stay in force");
    log_text(&line, "reason", error->message);
    log_end(&line);
}

void reload_run(struct reload *reload, const struct reload_parts *parts)
{
    struct settings settings;
    struct settings_error error;
    if (!options_load_again(&reload->options->sources, &settings, &error)) {
        refuse(reload, parts, &error);
        return;
    }
    const struct settings *last = last_of(reload);
    bool is_reopened = reopen_log(parts->log, settings.log_file);
    log_set_level(parts->log, settings.log_level);
    if (!is_same(last->redis_username, settings.redis_username) ||
        !is_same(last->redis_password, settings.redis_password)) {
        change_credentials(parts, &settings);
    }
    log_left_over(reload, parts->log, &settings);
    struct log_line line;
    log_begin(&line, parts->log, LOG_INFO, "settings reloaded");
    log_text(&line, "log_level", log_level_name(settings.log_level));
    log_text(&line, "log_reopened", is_reopened ? "yes" : "no");
    log_end(&line);
    if (reload->has_last) {
        settings_deinit(&reload->last);
    }
    reload->last = settings;
    reload->has_last = true;
}
