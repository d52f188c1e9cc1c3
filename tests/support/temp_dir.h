/**
 * A directory of a test's own that is gone when the test is, however the test ended: a process
 * beside it waits for its end and removes it.
 *
 * TEST_KEEP in the environment keeps directories, to look into after a failure.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_TEMP_DIR_H
#define SCENESYNC_TESTS_SUPPORT_TEMP_DIR_H

enum { TEMP_DIR_BYTES_MAX = 256 };

struct temp_dir {
    char path[TEMP_DIR_BYTES_MAX];
    int guard; /* the remover ends its wait when this is closed */
};

void temp_dir_create(struct temp_dir *dir);

/** Has it removed, without waiting for that. */
void temp_dir_release(struct temp_dir *dir);

#endif
