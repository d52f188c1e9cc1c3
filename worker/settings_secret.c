#include "worker/settings_secret.h"

#include <errno.h>
#include <stdlib.h>

/** The secret in `text` (`size` bytes as read), its last newline cut off; false if not one. */
static bool trim(char *text, size_t size)
{
    if (size > 0 && text[size - 1] == '\n') {
        size--;
    }
    if (size > 0 && text[size - 1] == '\r') {
        size--;
    }
    text[size] = '\0';
    return size > 0 && strlen(text) == size && strpbrk(text, "\r\n") == NULL;
}

/** Reads at most `size_max` bytes; returns false with errno set. */
static bool read_whole(const char *path, char *out, size_t size_max, size_t *size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    errno = 0;
    *size = fread(out, 1, size_max, file);
    int error = ferror(file) ? errno : 0;
    (void)fclose(file);
    errno = error;
    return error == 0;
}

char *settings_secret_read(const char *origin, const char *name, const char *path,
                           struct settings_error *error)
{
    char text[SETTINGS_SECRET_BYTES_MAX + 1];
    size_t size = 0;
    if (!read_whole(path, text, sizeof text, &size)) {
        const char *cure = errno == EACCES ? "; let the user that this runs as read it" : "";
        (void)settings_fail(error, "%s: %s = \"%s\": cannot read: %s%s", origin, name, path,
                            strerror(errno), cure);
        return NULL;
    }
    if (size > SETTINGS_SECRET_BYTES_MAX || !trim(text, size)) {
        (void)settings_fail(error, "%s: %s = \"%s\": expected one line of 1 to %d bytes in it",
                            origin, name, path, SETTINGS_SECRET_BYTES_MAX);
        return NULL;
    }
    char *secret = strdup(text);
    if (secret == NULL) {
        (void)settings_fail(error, "%s: %s: out of memory", origin, name);
    }
    return secret;
}
