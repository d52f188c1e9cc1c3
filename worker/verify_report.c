#include "worker/verify_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "worker/json_print.h"
#include "worker/text_escape.h"

enum {
    LINE_BYTES_MAX = 256 << 20,
    VALUE_BYTES_SHOWN = 72, /* of a value, in text */
    BAR_CELLS = 24,
    BAR_INTERVAL_MS = 100
};

void verify_report_init(struct verify_report *report, bool is_json)
{
    *report = (struct verify_report){
        .is_json = is_json,
        .has_bar = isatty(STDERR_FILENO) == 1,
        .clock = clock_system(),
    };
    report->begun_ms = clock_monotonic_ms(&report->clock);
    buffer_init(&report->line, LINE_BYTES_MAX);
}

void verify_report_deinit(struct verify_report *report)
{
    verify_report_clear(report);
    buffer_deinit(&report->line);
}

/* ---- Lines ---- */

static void end_line(struct verify_report *report)
{
    verify_report_clear(report);
    buffer_append(&report->line, "\n", 1);
    struct span line = buffer_span(&report->line);
    report->failed = report->failed || report->line.failed ||
                     fwrite(line.data, 1, line.size, stdout) != line.size || fflush(stdout) != 0;
    buffer_clear(&report->line);
}

static void say(struct verify_report *report, const char *text)
{
    buffer_append_span(&report->line, span_of_text(text));
}

/* Outside text, made fit for one line; ids of other programs may be anything. */
static void say_escaped(struct verify_report *report, struct span text)
{
    while (text.size > 0) {
        char escaped[TEXT_ESCAPE_BYTES_MAX];
        size_t size = text_escape_next(&text, escaped);
        buffer_append(&report->line, escaped, size);
    }
}

/* A value as short JSON; what is cut off is cut between characters. */
static void say_value(struct verify_report *report, struct span value)
{
    size_t begin = report->line.size;
    struct json_writer writer = json_writer_of(&report->line, false);
    if (!json_print(value, &writer)) {
        json_write_base64(&writer, "", value);
    }
    if (report->line.failed || report->line.size - begin <= VALUE_BYTES_SHOWN) {
        return;
    }
    size_t size = begin + VALUE_BYTES_SHOWN;
    while (size > begin && (report->line.data[size] & 0xC0) == 0x80) {
        size--;
    }
    report->line.size = size;
    say(report, "...");
}

static bool is_whole(const struct verify_field *field)
{
    return field->name.size == 0;
}

static void say_side(struct verify_report *report, const struct verify_field *field,
                     struct span side)
{
    if (span_is_absent(side)) {
        say(report, "not there");
    } else if (is_whole(field) && wire_is_nil(side)) {
        say(report, "removed"); /* a tombstone */
    } else {
        say_value(report, side);
    }
}

/* "<field> is …, the log makes it …"; of what only one side has, that side. */
static void say_field(struct verify_report *report, enum verify_difference difference,
                      const struct verify_field *field)
{
    if (difference == VERIFY_MISSING) {
        say(report, "the log makes ");
    }
    say_escaped(report, is_whole(field) && difference != VERIFY_UNEXPECTED ? span_of_text("it")
                                                                           : field->name);
    switch (difference) {
    case VERIFY_MISSING:
        say(report, " ");
        say_side(report, field, field->expected);
        return;
    case VERIFY_UNEXPECTED:
        say(report, is_whole(field) ? "" : " is ");
        say_side(report, field, field->stored);
        return;
    case VERIFY_DIFFERENT:
    case VERIFY_UNREADABLE:
    case VERIFY_LOST_WRITES:
    case VERIFY_DIFFERENCE_COUNT:
        break;
    }
    say(report, " is ");
    say_side(report, field, field->stored);
    say(report, difference == VERIFY_LOST_WRITES ? ", answered was up to " : ", the log makes it ");
    say_side(report, field, field->expected);
}

static const char *name_of(enum verify_difference difference)
{
    static const char *const names[VERIFY_DIFFERENCE_COUNT] = {
        [VERIFY_MISSING] = "missing",         [VERIFY_UNEXPECTED] = "unexpected",
        [VERIFY_DIFFERENT] = "different",     [VERIFY_UNREADABLE] = "unreadable",
        [VERIFY_LOST_WRITES] = "lost_writes",
    };
    return names[difference];
}

static const char *words_of(enum verify_difference difference)
{
    switch (difference) {
    case VERIFY_MISSING:
        return "missing";
    case VERIFY_UNEXPECTED:
        return "unexpected, nothing in the log explains it";
    case VERIFY_DIFFERENT:
        return "different";
    case VERIFY_UNREADABLE:
        return "unreadable";
    case VERIFY_LOST_WRITES:
        return "writes were lost";
    case VERIFY_DIFFERENCE_COUNT:
        break;
    }
    return "";
}

static void say_fields(struct verify_report *report, enum verify_difference difference,
                       const struct verify_fields *fields)
{
    size_t shown = fields->count < VERIFY_FIELDS_MAX ? fields->count : VERIFY_FIELDS_MAX;
    for (size_t i = 0; i < shown; i++) {
        say(report, i == 0 ? ": " : "; ");
        say_field(report, difference, &fields->items[i]);
    }
    if (fields->count > shown) {
        buffer_append_format(&report->line, "; and %zu more", fields->count - shown);
    }
}

static void print_text(struct verify_report *report, struct span session_id, struct span element_id,
                       enum verify_difference difference, const struct verify_fields *fields,
                       const char *reason)
{
    say(report, "scene ");
    say_escaped(report, session_id);
    if (!span_is_absent(element_id)) {
        say(report, ", element ");
        say_escaped(report, element_id);
    }
    say(report, ": ");
    say(report, words_of(difference));
    say_fields(report, difference, fields);
    if (reason != NULL) {
        say(report, ": ");
        say(report, reason);
    }
    end_line(report);
}

/* ---- JSON ---- */

static void print_side(struct json_writer *writer, const char *key, struct span side)
{
    if (span_is_absent(side)) {
        return;
    }
    json_write_key_text(writer, key);
    if (!json_print(side, writer)) {
        json_write_base64(writer, "", side);
    }
}

static void print_fields(struct json_writer *writer, const struct verify_fields *fields)
{
    size_t shown = fields->count < VERIFY_FIELDS_MAX ? fields->count : VERIFY_FIELDS_MAX;
    json_write_key_text(writer, "fields");
    json_write_array_begin(writer);
    for (size_t i = 0; i < shown; i++) {
        const struct verify_field *field = &fields->items[i];
        json_write_object_begin(writer);
        json_write_key_text(writer, "field");
        json_write_str(writer, field->name);
        print_side(writer, "stored", field->stored);
        print_side(writer, "expected", field->expected);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
    if (fields->count > shown) {
        json_write_key_text(writer, "more_fields");
        json_write_uint(writer, fields->count - shown);
    }
}

static void print_json(struct verify_report *report, struct span session_id, struct span element_id,
                       enum verify_difference difference, const struct verify_fields *fields,
                       const char *reason)
{
    struct json_writer writer = json_writer_of(&report->line, false);
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "session_id");
    json_write_str(&writer, session_id);
    if (!span_is_absent(element_id)) {
        json_write_key_text(&writer, "element");
        json_write_str(&writer, element_id);
    }
    json_write_key_text(&writer, "difference");
    json_write_text(&writer, name_of(difference));
    print_fields(&writer, fields);
    if (reason != NULL) {
        json_write_key_text(&writer, "reason");
        json_write_text(&writer, reason);
    }
    json_write_object_end(&writer);
    end_line(report);
}

void verify_report_difference(struct verify_report *report, struct span session_id,
                              struct span element_id, enum verify_difference difference,
                              const struct verify_fields *fields, const char *reason)
{
    report->counts.differences++;
    if (report->is_json) {
        print_json(report, session_id, element_id, difference, fields, reason);
    } else {
        print_text(report, session_id, element_id, difference, fields, reason);
    }
}

/* ---- The bar ---- */

void verify_report_clear(struct verify_report *report)
{
    if (report->is_bar_shown) {
        (void)fputs("\r\033[K", stderr);
        report->is_bar_shown = false;
    }
}

void verify_report_progress(struct verify_report *report, const char *what, uint64_t done,
                            uint64_t total)
{
    uint64_t now_ms = clock_monotonic_ms(&report->clock);
    if (!report->has_bar || (report->is_bar_shown && now_ms - report->bar_ms < BAR_INTERVAL_MS)) {
        return;
    }
    report->bar_ms = now_ms;
    report->is_bar_shown = true;
    char cells[BAR_CELLS + 1];
    uint64_t filled = total == 0 ? BAR_CELLS : done >= total ? BAR_CELLS : done * BAR_CELLS / total;
    for (size_t i = 0; i < BAR_CELLS; i++) {
        cells[i] = i < filled ? '#' : '.';
    }
    cells[BAR_CELLS] = '\0';
    (void)fprintf(stderr, "\r[%s] %" PRIu64 " of %" PRIu64 " %s\033[K", cells, done, total, what);
    (void)fflush(stderr);
}

/* ---- The end ---- */

static void print_count(struct json_writer *writer, const char *key, uint64_t count)
{
    json_write_key_text(writer, key);
    json_write_uint(writer, count);
}

static void summarize_json(struct verify_report *report, uint64_t duration_ms)
{
    const struct verify_counts *counts = &report->counts;
    struct json_writer writer = json_writer_of(&report->line, false);
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "summary");
    json_write_object_begin(&writer);
    print_count(&writer, "scenes", counts->scenes);
    print_count(&writer, "scenes_equal", counts->scenes_equal);
    print_count(&writer, "scenes_different", counts->scenes_different);
    print_count(&writer, "scenes_not_judged", counts->scenes_not_judged);
    print_count(&writer, "differences", counts->differences);
    print_count(&writer, "elements", counts->elements);
    print_count(&writer, "elements_removed", counts->removed);
    print_count(&writer, "elements_not_judged", counts->elements_not_judged);
    print_count(&writer, "scenes_without_versions", counts->versions_not_judged);
    print_count(&writer, "records", counts->records);
    print_count(&writer, "duration_ms", duration_ms);
    json_write_object_end(&writer);
    json_write_object_end(&writer);
    end_line(report);
}

static void summarize_text(struct verify_report *report, uint64_t duration_ms)
{
    const struct verify_counts *counts = &report->counts;
    buffer_append_format(&report->line,
                         "%" PRIu64 " scenes with %" PRIu64 " elements and %" PRIu64
                         " removed ones: %" PRIu64 " equal, %" PRIu64 " different (%" PRIu64
                         " differences), %" PRIu64 " not judged; %" PRIu64 " records read; %" PRIu64
                         ".%" PRIu64 " s",
                         counts->scenes, counts->elements, counts->removed, counts->scenes_equal,
                         counts->scenes_different, counts->differences, counts->scenes_not_judged,
                         counts->records, duration_ms / 1000, duration_ms % 1000 / 100);
    end_line(report);
    if (counts->elements_not_judged > 0) {
        buffer_append_format(&report->line,
                             "not judged: %" PRIu64 " elements; the log does not hold their whole "
                             "history any more, or not in an order that the results tell",
                             counts->elements_not_judged);
        end_line(report);
    }
    if (counts->versions_not_judged > 0) {
        buffer_append_format(&report->line,
                             "versions not compared: %" PRIu64 " scenes; not every change of "
                             "them is in the log",
                             counts->versions_not_judged);
        end_line(report);
    }
}

void verify_report_summary(struct verify_report *report)
{
    uint64_t duration_ms = clock_monotonic_ms(&report->clock) - report->begun_ms;
    if (report->is_json) {
        summarize_json(report, duration_ms);
    } else {
        summarize_text(report, duration_ms);
    }
}
