#include "tests/support/settings_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { PATH_BYTES_MAX = TEMP_DIR_BYTES_MAX + 32 };

struct tried tried;

void settings_fixture_begin(void)
{
    temp_dir_create(&tried.dir);
    cr_assert(settings_init(&tried.settings));
}

void settings_fixture_end(void)
{
    settings_deinit(&tried.settings);
    temp_dir_release(&tried.dir);
}

const char *path_of(const char *name)
{
    static char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s", tried.dir.path, name);
    return path;
}

const char *write_file(const char *name, const void *bytes, size_t size)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

void set_setting(const char *name, const char *value)
{
    cr_assert(settings_set(&tried.settings, name, value, "--set", &tried.error), "%s",
              tried.error.message);
}

void assert_check_refused(const char *expected)
{
    cr_expect_not(settings_check(&tried.settings, &tried.error));
    cr_expect_str_eq(tried.error.message, expected);
}

char *print_settings(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_not_null(out);
    settings_print(&tried.settings, out);
    fclose(out);
    return text;
}
