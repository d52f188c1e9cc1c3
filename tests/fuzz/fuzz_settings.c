/*
 * Settings from everywhere: the first byte says whether the rest is a file ('f'), a setting as
 * `--set` has it ('s'), or variables, a NUL byte behind each ('e'). A refusal is one line and, of a
 * single setting, changes nothing; settings that hold print as a file that makes the same ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "worker/settings.h"

enum { PATH_BYTES_MAX = 64, VARIABLES_MAX = 64 };

static struct settings settings_begin(void)
{
    struct settings settings;
    fuzz_demand(settings_init(&settings), "there is memory for the defaults");
    return settings;
}

/* What a file cannot hold is a comment; so are secrets, and where settings come from. */
static bool is_said_in_full(const char *printed)
{
    return strstr(printed, " bytes that do not fit a line)\n") == NULL;
}

/* The settings as --print-config shows them, without comments. */
static char *printed(const struct settings *settings, size_t *size, bool *is_in_full)
{
    char *whole = NULL;
    FILE *const out = open_memstream(&whole, size);
    fuzz_demand(out != NULL, "there is memory for a stream");
    settings_print(settings, out);
    fuzz_demand(fclose(out) == 0, "there is memory for the text");
    *is_in_full = is_said_in_full(whole);
    char *to = whole;
    for (const char *line = whole; *line != '\0';) {
        const size_t line_bytes = strcspn(line, "\n") + 1;
        if (line[0] != '#') {
            memmove(to, line, line_bytes);
            to += line_bytes;
        }
        line += line_bytes;
    }
    *to = '\0';
    *size = (size_t)(to - whole);
    return whole;
}

/* Has a file of this content checked. */
static void with_file(const char *text, size_t size, void (*check)(const char *path))
{
    char path[PATH_BYTES_MAX] = "/tmp/scenesync-fuzz.XXXXXX";
    const int file = mkstemp(path);
    fuzz_demand(file >= 0, "a file can be made");
    fuzz_demand(write(file, text, size) == (ssize_t)size, "the file can be written");
    (void)close(file);
    check(path);
    (void)unlink(path);
}

static char *expected_text;

static void demand_reads_the_same(const char *path)
{
    struct settings settings = settings_begin();
    struct settings_error error;
    size_t size = 0;
    bool is_in_full = false;
    fuzz_demand(settings_read_file(&settings, path, &error), "printed settings can be read");
    char *const text = printed(&settings, &size, &is_in_full);
    fuzz_demand(strcmp(text, expected_text) == 0, "... and are the same");
    free(text);
    settings_deinit(&settings);
}

/* Checks what is left to check, but for the files of passwords, which could be any file. */
static void demand_holds(struct settings *settings)
{
    struct settings_error error = {.message = ""};
    free(settings->redis_password_file);
    settings->redis_password_file = NULL;
    for (size_t i = 0; i < settings->kafka_count; i++) {
        if (settings_kafka_is_file(settings->kafka[i].name)) {
            free(settings->kafka[i].value);
            settings->kafka[i].value = strdup("/dev/null");
            fuzz_demand(settings->kafka[i].value != NULL, "there is memory");
        }
    }
    if (!settings_check(settings, &error)) {
        fuzz_demand_line(error.message, sizeof error.message);
    }
    for (uint32_t retry = 1; retry < 4; retry++) {
        fuzz_demand(settings_retry_delay_ms(settings, retry) <= settings->retry_delay_max_ms,
                    "no delay is longer than the longest");
    }
    size_t size = 0;
    bool is_in_full = false;
    char *const text = printed(settings, &size, &is_in_full);
    expected_text = text;
    if (is_in_full) {
        with_file(text, size, demand_reads_the_same);
    }
    free(text);
}

static void read_any_file(const char *path)
{
    struct settings settings = settings_begin();
    struct settings_error error = {.message = ""};
    if (settings_read_file(&settings, path, &error)) {
        demand_holds(&settings);
    } else {
        fuzz_demand_line(error.message, sizeof error.message);
    }
    settings_deinit(&settings);
}

static void set_one(char *text)
{
    struct settings settings = settings_begin();
    struct settings_error error = {.message = ""};
    char *const separator = strchr(text, '=');
    size_t size = 0;
    bool is_in_full = false;
    if (separator != NULL) {
        char *const before = printed(&settings, &size, &is_in_full);
        *separator = '\0';
        if (settings_set(&settings, text, separator + 1, "--set", &error)) {
            demand_holds(&settings);
        } else {
            char *const after = printed(&settings, &size, &is_in_full);
            fuzz_demand_line(error.message, sizeof error.message);
            fuzz_demand(strcmp(before, after) == 0, "a refused setting changes nothing");
            free(after);
        }
        free(before);
    }
    settings_deinit(&settings);
}

static void read_environment(char *text, size_t size)
{
    char *variables[VARIABLES_MAX + 1];
    size_t count = 0;
    for (size_t at = 0; at < size && count < VARIABLES_MAX; at += strlen(text + at) + 1) {
        variables[count++] = text + at;
    }
    variables[count] = NULL;
    struct settings settings = settings_begin();
    struct settings_error error = {.message = ""};
    if (settings_read_environment(&settings, variables, &error)) {
        demand_holds(&settings);
    } else {
        fuzz_demand_line(error.message, sizeof error.message);
    }
    settings_deinit(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *const text = malloc(size);
    fuzz_demand(text != NULL, "there is memory for the input");
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] == 'f') {
        with_file(text, size - 1, read_any_file);
    } else if (data[0] == 's') {
        set_one(text);
    } else if (data[0] == 'e') {
        read_environment(text, size - 1);
    }
    free(text);
    return 0;
}
