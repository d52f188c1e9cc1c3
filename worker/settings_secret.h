/**
 * Secrets that stand in files of their own: passwords, one line each.
 *
 * Private to settings*.c. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_SECRET_H
#define SCENESYNC_WORKER_SETTINGS_SECRET_H

#include "worker/settings_error.h"

enum { SETTINGS_SECRET_BYTES_MAX = 4096 };

/**
 * Reads what stands in `path`, a last newline aside, which the setting `name` from `origin` names.
 * Returns owned (free()), or NULL; the error then names the path, and never what is in it.
 */
__attribute__((warn_unused_result)) char *settings_secret_read(const char *origin, const char *name,
                                                               const char *path,
                                                               struct settings_error *error);

#endif
