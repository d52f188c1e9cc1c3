/**
 * What the sources and checks of the settings share to say where something came from and what is
 * wrong with it.
 *
 * Private to settings*.c. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_ERROR_H
#define SCENESYNC_WORKER_SETTINGS_ERROR_H

#include "worker/settings.h"

/** The origin of what nobody set. */
#define SETTINGS_ORIGIN_DEFAULT "default"

/** Where the value of a setting of settings_table.h came from (not a `kafka.*` one). */
const char *settings_origin(const struct settings *settings, const char *name);

/** Fills the message (printf), made printable, and returns false. */
bool settings_fail(struct settings_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
