/**
 * Every setting by name: one row each with its default, its range and its meaning. Parsing, the
 * refusals, `--print-config`, `--help-settings` and the tests read the same rows.
 *
 * Private to settings*.c and their tests. Threading: constant data, stateless functions.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_TABLE_H
#define SCENESYNC_WORKER_SETTINGS_TABLE_H

#include "worker/settings.h"

enum { SETTING_COUNT = 43, SETTING_TEXT_BYTES_MAX = 1024 };

enum setting_type {
    SETTING_KAFKA,         /* a text, kept among settings.kafka */
    SETTING_TEXT,          /* a char *, never NULL */
    SETTING_OPTIONAL_TEXT, /* a char *, NULL where empty */
    SETTING_SECRET,        /* the same, never shown */
    SETTING_TOPIC,         /* a char *, a topic's name */
    SETTING_LISTEN,        /* a char *, host:port or "off" */
    SETTING_BOOL,
    SETTING_UINT32,
    SETTING_UINT64,
    SETTING_SIZE,
    SETTING_DOUBLE,
    SETTING_STRATEGY,
    SETTING_LOST_WRITES,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT
};

struct setting {
    const char *name; /* "retry.max_retries" */
    enum setting_type type;
    size_t offset;             /* of the member of struct settings; not for SETTING_KAFKA */
    uint64_t min, max;         /* of the number; of a text: its size in bytes */
    const char *default_value; /* as it would be written in a file */
    const char *meaning;       /* one line, no full stop */
};

extern const struct setting settings_table[SETTING_COUNT];

/** The row of that name, or NULL. */
const struct setting *setting_find(const char *name);

/**
 * The row whose name is most like `name` (case, '.' and '_' do not count), where one is close
 * enough to have been meant; else NULL.
 */
const struct setting *setting_find_similar(const char *name);

/** Whether `name` is the setting's, case aside and with '.' and '_' being the same. */
bool setting_is_spelled(const struct setting *setting, const char *name);

#endif
