/*
 * What verify prints: lines that no id can forge, values cut short, a bar that leaves nothing.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

#include "tests/support/messages.h"
#include "tests/support/sent_batch.h"
#include "worker/verify_report.h"

enum { OUTPUT_BYTES_MAX = 8192, ARENA_BYTES_MAX = 1 << 20 };

static struct verify_report report;
static struct arena arena;

static void begin(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
    arena_init(&arena, ARENA_BYTES_MAX);
    verify_report_init(&report, false);
}

static void end(void)
{
    verify_report_deinit(&report);
    arena_deinit(&arena);
}

TestSuite(verify_report, .init = begin, .fini = end);

static const char *written(FILE *file, FILE *redirected)
{
    static char text[OUTPUT_BYTES_MAX];
    cr_assert_eq(fflush(file), 0);
    const size_t size = fread(text, 1, sizeof(text) - 1, redirected);
    text[size] = '\0';
    return text;
}

static const char *out(void)
{
    return written(stdout, cr_get_redirected_stdout());
}

static const char *err(void)
{
    return written(stderr, cr_get_redirected_stderr());
}

static void say(enum verify_difference difference, const char *element_id,
                const struct verify_fields *fields, const char *reason)
{
    verify_report_difference(&report, span_of_text("s"),
                             element_id == NULL ? (struct span){0} : span_of_text(element_id),
                             difference, fields, reason);
}

static struct verify_fields field(const char *name, const char *stored, const char *expected)
{
    struct verify_fields fields = {.arena = &arena};
    cr_assert(verify_fields_add(&fields, span_of_text(name),
                                stored == NULL ? (struct span){0} : message_of(stored),
                                expected == NULL ? (struct span){0} : message_of(expected)));
    return fields;
}

Test(verify_report, a_line_for_each_kind)
{
    struct verify_fields fields = field("/n", "1", "2");
    say(VERIFY_DIFFERENT, "a", &fields, NULL);
    fields = field("", "{}", "null");
    say(VERIFY_DIFFERENT, "a", &fields, NULL);
    fields = field("", NULL, "{'id':'a'}");
    say(VERIFY_MISSING, "a", &fields, NULL);
    fields = field("", "{'id':'a'}", NULL);
    say(VERIFY_UNEXPECTED, "a", &fields, NULL);
    fields = field("element_count", "3", NULL);
    say(VERIFY_UNEXPECTED, NULL, &fields, NULL);
    fields = field("at:t/0", NULL, "7");
    say(VERIFY_LOST_WRITES, NULL, &fields, NULL);
    fields = (struct verify_fields){0};
    say(VERIFY_UNREADABLE, NULL, &fields, "because");
    cr_assert_str_eq(
        out(), "scene s, element a: different: /n is 1, the log makes it 2\n"
               "scene s, element a: different: it is {}, the log makes it removed\n"
               "scene s, element a: missing: the log makes it {\"id\":\"a\"}\n"
               "scene s, element a: unexpected, nothing in the log explains it: {\"id\":\"a\"}\n"
               "scene s: unexpected, nothing in the log explains it: element_count is 3\n"
               "scene s: writes were lost: at:t/0 is not there, answered was up to 7\n"
               "scene s: unreadable: because\n");
    cr_assert_eq(report.counts.differences, 7);
}

Test(verify_report, the_same_as_json)
{
    report.is_json = true;
    struct verify_fields fields = field("/n", "1", NULL);
    say(VERIFY_DIFFERENT, "a\"b", &fields, NULL);
    fields = (struct verify_fields){0};
    say(VERIFY_UNREADABLE, NULL, &fields, "because");
    cr_assert_str_eq(out(),
                     "{\"session_id\":\"s\",\"element\":\"a\\\"b\",\"difference\":\"different\","
                     "\"fields\":[{\"field\":\"/n\",\"stored\":1}]}\n"
                     "{\"session_id\":\"s\",\"difference\":\"unreadable\",\"fields\":[],"
                     "\"reason\":\"because\"}\n");
}

Test(verify_report, ids_and_names_cannot_forge_a_line)
{
    const struct verify_fields fields = field("/x\x1b[2J\n", "1", "2");
    say(VERIFY_DIFFERENT, "a\nscene s: \x9b", &fields, NULL);
    const char *const text = out();
    cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "%s", text);
    cr_assert_null(strchr(text, '\x1b'));
}

Test(verify_report, long_values_are_cut_between_characters)
{
    struct verify_fields fields = field("/t", "1", "2");
    fields.items[0].stored = message_of_format("'%s\xc3\xa9\xc3\xa9\xc3\xa9'",
                                               "0123456789012345678901234567890123456789012345678"
                                               "901234567890123456789");
    say(VERIFY_DIFFERENT, "a", &fields, NULL);
    cr_assert_not_null(strstr(out(), "56789..., the log makes it 2\n"));
}

Test(verify_report, fields_beyond_the_first_are_counted)
{
    struct verify_fields fields = {.arena = &arena};
    for (int i = 0; i < VERIFY_FIELDS_MAX + 4; i++) {
        cr_assert(verify_fields_add(&fields, span_of_text("/n"), message_of("1"), message_of("2")));
    }
    say(VERIFY_DIFFERENT, "a", &fields, NULL);
    report.is_json = true;
    say(VERIFY_DIFFERENT, "a", &fields, NULL);
    const char *const text = out();
    cr_assert_not_null(strstr(text, "; and 4 more\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\"more_fields\":4}\n"), "%s", text);
}

Test(verify_report, the_bar_is_gone_before_a_line_and_at_the_end)
{
    report.has_bar = true;
    verify_report_progress(&report, "records", 5, 10);
    verify_report_progress(&report, "records", 6, 10); /* too soon */
    const struct verify_fields none = {0};
    say(VERIFY_UNREADABLE, NULL, &none, "because");
    verify_report_progress(&report, "scenes", 0, 0);
    verify_report_clear(&report);
    verify_report_clear(&report);
    cr_assert_str_eq(err(), "\r[############............] 5 of 10 records\033[K\r\033[K"
                            "\r[########################] 0 of 0 scenes\033[K\r\033[K");
}

Test(verify_report, no_bar_without_a_terminal)
{
    verify_report_progress(&report, "records", 5, 10);
    verify_report_clear(&report);
    cr_assert_str_eq(err(), "");
}

Test(verify_report, the_summary_says_what_was_not_judged)
{
    report.counts = (struct verify_counts){.scenes = 4,
                                           .scenes_equal = 2,
                                           .scenes_different = 1,
                                           .scenes_not_judged = 1,
                                           .differences = 3,
                                           .elements = 20,
                                           .removed = 7,
                                           .elements_not_judged = 5,
                                           .versions_not_judged = 2,
                                           .records = 99};
    verify_report_summary(&report);
    const char *const text = out();
    static const char summary[] =
        "4 scenes with 20 elements and 7 removed ones: 2 equal, 1 different (3 differences), 1 "
        "not judged; 99 records read; 0.";
    cr_assert_eq(strncmp(text, summary, strlen(summary)), 0, "%s", text);
    cr_assert_not_null(strstr(text, "\nnot judged: 5 elements; "), "%s", text);
    cr_assert_not_null(strstr(text, "\nversions not compared: 2 scenes; "), "%s", text);
}
