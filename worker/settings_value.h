/**
 * One setting's value: from text into struct settings, back to text, and what is allowed.
 *
 * Private to settings*.c. Ownership: texts in struct settings are owned by it. Threading:
 * stateless.
 */
#ifndef SCENESYNC_WORKER_SETTINGS_VALUE_H
#define SCENESYNC_WORKER_SETTINGS_VALUE_H

#include "worker/settings_table.h"

enum setting_outcome { SETTING_STORED, SETTING_REFUSED, SETTING_OUT_OF_MEMORY };

/** Parses and stores a value, freeing the text that was there; `settings` is unchanged unless
 * SETTING_STORED. Not for SETTING_KAFKA. */
__attribute__((warn_unused_result)) enum setting_outcome
setting_store(const struct setting *setting, struct settings *settings, const char *value);

/** Frees the setting's text, if it is one. */
void setting_free(const struct setting *setting, struct settings *settings);

/** Writes what is allowed, e.g. "an integer from 0 to 100". */
void setting_describe(const struct setting *setting, char *out, size_t out_bytes);

/** Gives the stored value as text: a view of the setting's own text, or `out` filled; "" for an
 * absent one. Not for SETTING_KAFKA. */
const char *setting_format(const struct setting *setting, const struct settings *settings,
                           char *out, size_t out_bytes);

#endif
