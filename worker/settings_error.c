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

/* Values may be quoted: half a character, or what a terminal would act on, must not reach anybody.
 * The message's own quotes stay. */
static void copy_printable(struct span text, char *out, size_t out_bytes)
{
    size_t size = 0;
    while (text.size > 0 && size + TEXT_ESCAPE_BYTES_MAX < out_bytes) {
        if (text.data[0] == '"' || text.data[0] == '\\') {
            out[size++] = (char)text.data[0];
            text = span_make(text.data + 1, text.size - 1);
        } else {
            size += text_escape_next(&text, out + size);
        }
    }
    out[size] = '\0';
}

bool settings_fail(struct settings_error *error, const char *format, ...)
{
    char text[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    copy_printable(span_of_text(text), error->message, sizeof error->message);
    return false;
}
