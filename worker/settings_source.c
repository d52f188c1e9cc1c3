#include "worker/settings.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>

#include "protocol/error.h"
#include "worker/settings_kafka.h"
#include "worker/settings_table.h"

enum { LINE_BYTES_MAX = 8192, LINES_MAX = 100000, NAME_BYTES_MAX = 256, ORIGIN_BYTES_MAX = 512 };

#define ENVIRONMENT_PREFIX "SCENESYNC_"

/**
 * The file as inih reads it. inih gets the front of each line only, to tell sections, comments and
 * keys apart: its own values end at 200 bytes or at " ;", where a password may go on. Values are
 * taken from `line`. White space before a key is dropped, which inih would read as a continuation.
 */
struct file_reader {
    struct settings *settings;
    struct settings_error *error;
    const char *path;
    FILE *file;
    int line_number;
    bool failed; /* with the message in `error` */
    char line[LINE_BYTES_MAX];
};

static bool fail_line(struct file_reader *reader, const char *what)
{
    reader->failed = true;
    return settings_fail(reader->error, "%s:%d: %s", reader->path, reader->line_number, what);
}

/** Reads one whole line without its newline. False at the end of the file and on failure. */
static bool read_line(struct file_reader *reader)
{
    if (reader->failed || fgets(reader->line, sizeof reader->line, reader->file) == NULL) {
        return false;
    }
    reader->line_number++;
    if (reader->line_number > LINES_MAX) {
        return fail_line(reader, "too many lines for a settings file");
    }
    size_t size = strlen(reader->line);
    if (size > 0 && reader->line[size - 1] == '\n') {
        reader->line[size - 1] = '\0';
    } else if (!feof(reader->file)) {
        return fail_line(reader, "the line is longer than 8190 bytes or holds a NUL byte");
    }
    return true;
}

/** inih's reader: gives up to `size` - 1 bytes of the next line. */
static char *give_line(char *out, int size, void *stream)
{
    struct file_reader *reader = stream;
    if (!read_line(reader)) {
        return NULL;
    }
    const char *start = reader->line + strspn(reader->line, " \t\r");
    (void)snprintf(out, (size_t)size, "%s", start);
    return out;
}

/** The value of the current line: behind the first separator, white space around it dropped. */
static const char *line_value(struct file_reader *reader)
{
    char *value = reader->line + strcspn(reader->line, "=:");
    value += *value != '\0' ? 1 : 0;
    value += strspn(value, " \t");
    size_t size = strlen(value);
    while (size > 0 && strchr(" \t\r", value[size - 1]) != NULL) {
        size--;
    }
    value[size] = '\0';
    return value;
}

/** inih's handler. Returns 0 for a refusal; inih reads on all the same. */
static int take_pair(void *user, const char *section, const char *key, const char *cut_value)
{
    (void)cut_value;
    struct file_reader *reader = user;
    if (reader->failed) {
        return 0;
    }
    char name[NAME_BYTES_MAX];
    char origin[ORIGIN_BYTES_MAX];
    bool is_full = section[0] == '\0' || setting_find(key) != NULL || settings_kafka_is_name(key);
    (void)snprintf(name, sizeof name, "%s%s%s", is_full ? "" : section, is_full ? "" : ".", key);
    (void)snprintf(origin, sizeof origin, "%s:%d", reader->path, reader->line_number);
    reader->failed =
        !settings_set(reader->settings, name, line_value(reader), origin, reader->error);
    return reader->failed ? 0 : 1;
}

static bool read_open_file(struct file_reader *reader)
{
    int line_number = ini_parse_stream(give_line, reader, take_pair, reader);
    /* inih reads on behind a line that it cannot read, and what it says of a later one may come of
     * that: a section that is not closed names nothing. */
    if (line_number > 0 && (!reader->failed || line_number < reader->line_number)) {
        reader->line_number = line_number;
        return fail_line(reader, "expected [section], key = value or a comment on its own line");
    }
    if (reader->failed) {
        return false;
    }
    if (ferror(reader->file)) {
        return settings_fail(reader->error, "%s: cannot read: %s", reader->path, strerror(errno));
    }
    if (line_number < 0) {
        return settings_fail(reader->error, "%s: out of memory", reader->path);
    }
    return true;
}

bool settings_read_file(struct settings *settings, const char *path, struct settings_error *error)
{
    struct file_reader reader = {.settings = settings, .error = error, .path = path};
    reader.file = fopen(path, "r");
    if (reader.file == NULL) {
        return settings_fail(error, "%s: cannot open: %s", path, strerror(errno));
    }
    bool ok = read_open_file(&reader);
    (void)fclose(reader.file);
    return ok;
}

/**
 * Kubernetes gives every container variables about services, e.g. SCENESYNC_PORT_9464_TCP_ADDR and
 * SCENESYNC_SERVICE_HOST for a service called scenesync: they are nobody's typing mistake.
 */
static bool is_service_link(const char *name)
{
    const char *port = strstr(name, "_PORT");
    bool is_port = port != NULL &&
                   (port[5] == '\0' || (port[5] == '_' && isdigit((unsigned char)port[6]) != 0));
    return is_port || strstr(name, "_SERVICE_HOST") != NULL ||
           strstr(name, "_SERVICE_PORT") != NULL;
}

static const struct setting *find_spelled(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (setting_is_spelled(&settings_table[i], name)) {
            return &settings_table[i];
        }
    }
    return NULL;
}

/** SCENESYNC_KAFKA_SSL_CA_LOCATION is kafka.ssl.ca.location: librdkafka's properties that take a
 * text have no underscores. But SCENESYNC_KAFKA_SASL_PASSWORD_FILE is kafka.sasl.password_file. */
static void restore_dots(char *name)
{
    char *last = NULL;
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            *name = '.';
            last = name;
        } else {
            *name = (char)tolower((unsigned char)*name);
        }
    }
    if (last != NULL && strcmp(last + 1, &SETTINGS_KAFKA_FILE_SUFFIX[1]) == 0) {
        *last = '_';
    }
}

static bool refuse_variable(const char *variable, struct settings_error *error)
{
    const struct setting *similar = setting_find_similar(variable + strlen(ENVIRONMENT_PREFIX));
    char quoted[ERROR_QUOTE_BYTES_MAX];
    (void)error_quote(span_of_text(variable), quoted);
    if (similar == NULL) {
        return settings_fail(error, "%s: no such setting in the environment; unset it", quoted);
    }
    return settings_fail(error, "%s: no such setting; did you mean the one of %s?", quoted,
                         similar->name);
}

static bool read_variable(struct settings *settings, const char *variable, const char *value,
                          struct settings_error *error)
{
    const char *name = variable + strlen(ENVIRONMENT_PREFIX);
    const struct setting *setting = find_spelled(name);
    if (setting != NULL) {
        return settings_set(settings, setting->name, value, variable, error);
    }
    char property[NAME_BYTES_MAX];
    (void)snprintf(property, sizeof property, "%s", name);
    restore_dots(property);
    if (settings_kafka_is_name(property)) {
        char origin[ERROR_QUOTE_BYTES_MAX];
        return settings_set(settings, property, value, error_quote(span_of_text(variable), origin),
                            error);
    }
    return refuse_variable(variable, error);
}

bool settings_read_environment(struct settings *settings, char *const *environment,
                               struct settings_error *error)
{
    for (; *environment != NULL; environment++) {
        const char *entry = *environment;
        const char *separator = strchr(entry, '=');
        if (separator == NULL ||
            strncmp(entry, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0) {
            continue;
        }
        char variable[NAME_BYTES_MAX];
        (void)snprintf(variable, sizeof variable, "%.*s", (int)(separator - entry), entry);
        if (!is_service_link(variable) &&
            !read_variable(settings, variable, separator + 1, error)) {
            return false;
        }
    }
    return true;
}
