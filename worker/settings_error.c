#include "worker/settings_error.h"

#include <assert.h>
#include <stdarg.h>

#include "worker/settings_table.h"
#include "worker/text_escape.h"

const char *settings_origin(const struct settings *settings, const char *name)
{
    const struct setting *setting = setting_find(name);
    assert(setting != NULL);
    const char *origin = settings->origins[setting - settings_table];
    return origin != NULL ? origin : SETTINGS_ORIGIN_DEFAULT;
}

bool settings_fail(struct settings_error *error, const char *format, ...)
{
    char text[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* It may quote values. */
    text_escape_message(span_of_text(text), error->message, sizeof error->message);
    return false;
}
