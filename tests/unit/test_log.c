#include "worker/log.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <sys/resource.h>

#include <signal.h>

#include "tests/support/temp_dir.h"

enum { FILE_BYTES_MAX = 1024 * 1024, LINES_PER_THREAD = 500 };

static struct temp_dir dir;
static char path[TEMP_DIR_BYTES_MAX + 16];
static char content[FILE_BYTES_MAX];
static struct log *out;

static void make(void)
{
    temp_dir_create(&dir);
    snprintf(path, sizeof path, "%s/log", dir.path);
}

static void destroy(void)
{
    log_destroy(out);
    temp_dir_release(&dir);
}

TestSuite(log, .init = make, .fini = destroy);

static void open_log(enum log_level level, enum log_format format)
{
    out = log_create(level, format, path);
    cr_assert_not_null(out);
}

/** Reads the whole log. */
static const char *read_log(void)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    size_t size = fread(content, 1, sizeof content - 1, file);
    content[size] = '\0';
    fclose(file);
    return content;
}

/** The log without the time that each line starts with. */
static const char *read_behind_time(void)
{
    const char *text = read_log();
    const char *level = strstr(text, out != NULL && text[0] == '{' ? "\"level\"" : "level=");
    return level != NULL ? level : text;
}

static void assert_value(const char *value, const char *expected)
{
    struct log_line line;
    char wanted[256];
    remove(path);
    log_destroy(out);
    open_log(LOG_INFO, LOG_LOGFMT);
    log_begin(&line, out, LOG_INFO, "e");
    log_text(&line, "key", value);
    log_end(&line);
    snprintf(wanted, sizeof wanted, "level=info event=e key=%s\n", expected);
    cr_assert_str_eq(read_behind_time(), wanted);
}

Test(log, writes_one_logfmt_line_per_event)
{
    struct log_line line;
    open_log(LOG_INFO, LOG_LOGFMT);
    log_begin(&line, out, LOG_WARN, "partitions assigned");
    log_uint(&line, "count", UINT64_MAX);
    log_int(&line, "delta", INT64_MIN);
    log_span(&line, "topic", span_of_text("scene.ops"));
    log_span(&line, "absent", (struct span){0});
    log_end(&line);
    cr_assert_str_eq(read_behind_time(),
                     "level=warn event=\"partitions assigned\" count=18446744073709551615 "
                     "delta=-9223372036854775808 topic=scene.ops absent=\"\"\n");
}

Test(log, starts_with_the_time_in_utc)
{
    struct log_line line;
    regex_t pattern;
    open_log(LOG_INFO, LOG_LOGFMT);
    log_begin(&line, out, LOG_INFO, "e");
    log_end(&line);
    cr_assert_eq(regcomp(&pattern,
                         "^time=20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                         "\\.[0-9]{3}Z level=info event=e\n$",
                         REG_EXTENDED | REG_NOSUB),
                 0);
    cr_assert_eq(regexec(&pattern, read_log(), 0, NULL, 0), 0, "%s", content);
    regfree(&pattern);
}

Test(log, quotes_values_that_are_not_one_plain_word)
{
    assert_value("a.b-c_d/e:f@g%h+i9", "a.b-c_d/e:f@g%h+i9");
    assert_value("", "\"\"");
    assert_value("two words", "\"two words\"");
    assert_value("a=b", "\"a=b\"");
    assert_value("\"\\", "\"\\\"\\\\\"");
    assert_value("\xc3\xa9", "\"\xc3\xa9\"");
    assert_value("a\xff"
                 "b",
                 "\"a?b\"");
}

Test(log, keeps_a_forged_line_inside_its_quotes)
{
    assert_value("x\nlevel=error event=forged\r\x1b[2J",
                 "\"x\\nlevel=error event=forged\\r\\u001b[2J\"");
}

Test(log, leaves_out_what_is_below_the_level)
{
    struct log_line line;
    open_log(LOG_WARN, LOG_LOGFMT);
    cr_assert(log_is_enabled(out, LOG_ERROR));
    cr_assert(log_is_enabled(out, LOG_WARN));
    cr_assert_not(log_is_enabled(out, LOG_INFO));
    log_begin(&line, out, LOG_INFO, "e");
    log_text(&line, "key", "value");
    log_end(&line);
    cr_assert_str_eq(read_log(), "");
}

Test(log, writes_json_that_a_parser_reads)
{
    struct log_line line;
    open_log(LOG_DEBUG, LOG_JSON);
    log_begin(&line, out, LOG_DEBUG, "an \"event\"\n");
    log_uint(&line, "count", 6);
    log_text(&line, "empty", "");
    log_end(&line);
    json_t *value = json_loads(read_log(), JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(value, "%s", content);
    cr_expect_str_eq(json_string_value(json_object_get(value, "level")), "debug");
    cr_expect_str_eq(json_string_value(json_object_get(value, "event")), "an \"event\"\n");
    cr_expect_eq(json_integer_value(json_object_get(value, "count")), 6);
    cr_expect_str_eq(json_string_value(json_object_get(value, "empty")), "");
    cr_expect_eq(json_object_size(value), 5);
    json_decref(value);
}

/** A line around the limit, whatever the size of its value: within it, ended properly. */
static void assert_long_value(size_t value_size, enum log_format format)
{
    static char value[2 * LOG_LINE_BYTES_MAX];
    struct log_line line;
    memset(value, '"', value_size);
    value[value_size] = '\0';
    remove(path);
    log_destroy(out);
    open_log(LOG_INFO, format);
    log_begin(&line, out, LOG_INFO, "e");
    log_text(&line, "long", value);
    log_uint(&line, "behind", 1);
    log_end(&line);
    const char *text = read_log();
    size_t size = strlen(text);
    cr_assert_leq(size, LOG_LINE_BYTES_MAX);
    cr_assert_eq(text[size - 1], '\n');
    const char *behind = format == LOG_JSON ? "\",\"behind\":1}\n" : "\" behind=1\n";
    const char *cut = format == LOG_JSON ? "\",\"truncated\":true}\n" : "\" truncated=true\n";
    const char *cut_later = format == LOG_JSON ? ",\"truncated\":true}\n" : " truncated=true\n";
    bool whole = strlen(behind) <= size && strcmp(text + size - strlen(behind), behind) == 0;
    bool truncated = strcmp(text + size - strlen(cut), cut) == 0 ||
                     strcmp(text + size - strlen(cut_later), cut_later) == 0;
    cr_assert(whole != truncated, "%zu: %s", value_size, text);
}

Test(log, ends_lines_beyond_the_limit_with_truncated)
{
    size_t edge = LOG_LINE_BYTES_MAX / 2;
    for (size_t size = edge - 120; size < edge + 20; size++) {
        assert_long_value(size, LOG_LOGFMT);
        assert_long_value(size, LOG_JSON);
    }
    assert_long_value(2 * LOG_LINE_BYTES_MAX - 1, LOG_JSON);
}

/** Lets the file grow to `bytes` and no further: what a full disk looks like. */
static void limit_file(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void log_event(const char *event)
{
    struct log_line line;
    log_begin(&line, out, LOG_INFO, event);
    log_end(&line);
}

Test(log, counts_what_a_full_disk_lost_and_goes_on)
{
    open_log(LOG_INFO, LOG_LOGFMT);
    log_event("first");
    limit_file(strlen(read_log()) + 10); /* the second line is torn, the third has no room */
    log_event("second");
    log_event("third");
    limit_file(RLIM_INFINITY);
    log_event("fourth");
    log_event("fifth");
    const char *text = read_log();
    cr_expect_not_null(strstr(text, "event=first\n"));
    cr_expect_null(strstr(text, "event=second"));
    cr_expect_null(strstr(text, "event=third"));
    cr_expect_not_null(strstr(text, "\ntime="), "%s", text);
    cr_expect_not_null(strstr(text, "event=fourth lost=2\n"), "%s", text);
    cr_expect_not_null(strstr(text, "event=fifth\n"), "%s", text);
}

static void *log_many(void *name)
{
    for (int i = 0; i < LINES_PER_THREAD; i++) {
        log_event(name);
    }
    return NULL;
}

Test(log, keeps_lines_of_several_threads_apart)
{
    static char first[] = "first";
    static char second[] = "second";
    pthread_t thread;
    open_log(LOG_INFO, LOG_LOGFMT);
    cr_assert_eq(pthread_create(&thread, NULL, log_many, first), 0);
    log_many(second);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    int lines = 0;
    char *rest = NULL;
    (void)read_log();
    for (char *line = strtok_r(content, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        cr_assert_eq(strncmp(line, "time=", 5), 0, "%s", line);
        cr_assert(strstr(line, " event=first") != NULL || strstr(line, " event=second") != NULL);
        lines++;
    }
    cr_assert_eq(lines, 2 * LINES_PER_THREAD);
}

Test(log, appends_to_a_file_and_refuses_one_it_cannot_open)
{
    open_log(LOG_INFO, LOG_LOGFMT);
    log_event("one");
    log_destroy(out);
    open_log(LOG_INFO, LOG_LOGFMT);
    log_event("two");
    cr_assert_not_null(strstr(read_log(), "event=one\n"));
    cr_assert_not_null(strstr(content, "event=two\n"));
    cr_assert_null(log_create(LOG_INFO, LOG_LOGFMT, dir.path));
}

Test(log, goes_on_in_a_new_file_once_it_is_reopened)
{
    open_log(LOG_WARN, LOG_LOGFMT);
    struct log_line line;
    log_begin(&line, out, LOG_WARN, "before");
    log_end(&line);
    char moved[sizeof path + 2];
    snprintf(moved, sizeof moved, "%s.1", path);
    cr_assert_eq(rename(path, moved), 0);
    cr_assert(log_reopen(out, path));
    log_begin(&line, out, LOG_WARN, "behind");
    log_end(&line);
    cr_assert_str_eq(read_behind_time(), "level=warn event=behind\n");

    cr_assert_not(log_reopen(out, dir.path), "a directory");
    log_set_level(out, LOG_INFO);
    log_begin(&line, out, LOG_INFO, "still there");
    log_end(&line);
    cr_assert_not_null(strstr(read_log(), "event=\"still there\""));
    log_set_level(out, LOG_ERROR);
    log_begin(&line, out, LOG_WARN, "unheard");
    log_end(&line);
    cr_assert_null(strstr(read_log(), "unheard"));
}
