#include "worker/findings.h"

#include <stdarg.h>

#include "worker/json_writer.h"
#include "worker/text_escape.h"

enum { LINE_BYTES_MAX = 16 * FINDING_TEXT_BYTES };

const char *finding_level_name(enum finding_level level)
{
    switch (level) {
    case FINDING_OK:
        return "ok";
    case FINDING_WARN:
        return "warn";
    case FINDING_ERROR:
        break;
    }
    return "error";
}

/* Quotes and backslashes stay readable; what a terminal would act on does not. */
static void say(struct buffer *line, const char *text)
{
    struct span rest = span_of_text(text);
    while (rest.size > 0) {
        char escaped[TEXT_ESCAPE_BYTES_MAX];
        bool is_plain = rest.data[0] == '"' || rest.data[0] == '\\';
        char first = (char)rest.data[0];
        size_t size = text_escape_next(&rest, escaped);
        buffer_append(line, is_plain ? &first : escaped, is_plain ? 1 : size);
    }
}

static void write_text(struct buffer *line, const struct finding *finding, const char *found)
{
    buffer_append_format(line, "%-5s %s", finding_level_name(finding->level), finding->check);
    if (finding->subject != NULL) {
        buffer_append(line, " ", 1);
        say(line, finding->subject);
    }
    buffer_append(line, ": ", 2);
    say(line, found);
    if (finding->cure != NULL) {
        buffer_append_span(line, span_of_text("; cure: "));
        say(line, finding->cure);
    }
}

static void write_member(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key_text(writer, key);
    if (text == NULL) {
        json_write_null(writer);
    } else {
        json_write_text(writer, text);
    }
}

static void write_json(struct buffer *line, const struct finding *finding, const char *found)
{
    struct json_writer writer = json_writer_of(line, false);
    json_write_object_begin(&writer);
    write_member(&writer, "level", finding_level_name(finding->level));
    write_member(&writer, "check", finding->check);
    write_member(&writer, "subject", finding->subject);
    write_member(&writer, "found", found);
    write_member(&writer, "cure", finding->cure);
    json_write_object_end(&writer);
}

void findings_add(struct findings *findings, const struct finding *finding, const char *format, ...)
{
    char found[FINDING_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(found, sizeof found, format, arguments);
    va_end(arguments);
    struct buffer line;
    buffer_init(&line, LINE_BYTES_MAX);
    if (findings->is_json) {
        write_json(&line, finding, found);
    } else {
        write_text(&line, finding, found);
    }
    buffer_append(&line, "\n", 1);
    struct span text = buffer_span(&line);
    findings->failed = findings->failed || line.failed ||
                       fwrite(text.data, 1, text.size, findings->out) != text.size ||
                       fflush(findings->out) != 0;
    findings->counts[finding->level]++;
    buffer_deinit(&line);
}
