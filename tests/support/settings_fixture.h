/**
 * The default settings, to change and to check, and a directory for the files that they name.
 *
 * Lifetime: settings_fixture_begin() .. settings_fixture_end(), which suites take as .init and
 * .fini. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_SETTINGS_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_SETTINGS_FIXTURE_H

#include "tests/support/temp_dir.h"
#include "worker/settings.h"

struct tried {
    struct temp_dir dir;
    struct settings settings;
    struct settings_error error; /* of the latest refusal */
};

extern struct tried tried;

void settings_fixture_begin(void);
void settings_fixture_end(void);

/** The path of a file in the test's directory; one at a time. */
const char *path_of(const char *name);
const char *write_file(const char *name, const void *bytes, size_t size);

/** Sets one as from `--set`, which must be taken. */
void set_setting(const char *name, const char *value);

/** The settings do not fit together, in this line. */
void assert_check_refused(const char *expected);

/** What settings_print() writes. Returns owned. */
char *print_settings(void);

#endif
