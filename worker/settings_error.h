/**
 * What the sources and checks of the settings share to say what is wrong.
 *
 * Private to settings*.c. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_ERROR_H
#define SCENESYNC_WORKER_SETTINGS_ERROR_H

#include "worker/settings.h"

/** Fills the message (printf), made printable, and returns false. */
bool settings_fail(struct settings_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
