/*
 * Runs every file of the folders given, and every file given, through the target that this is
 * linked with: for compilers without libFuzzer, and for ctest. Fails where it finds no file at all.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 16 << 20, PATH_BYTES_MAX = 4096 };

static unsigned long replayed;

static void fail(const char *path, const char *what)
{
    (void)fprintf(stderr, "replay: %s: %s\n", path, what);
    exit(EXIT_FAILURE);
}

/* The target gets an allocation of just this size, so that a sanitizer sees a read behind it. */
static void replay_file(const char *path)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *const file = fopen(path, "rb");
    if (file == NULL) {
        fail(path, strerror(errno));
    }
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    const bool is_whole = ferror(file) == 0 && size < sizeof bytes;
    (void)fclose(file);
    uint8_t *const exact = malloc(size > 0 ? size : 1);
    if (!is_whole || exact == NULL) {
        fail(path, "cannot be read");
    }
    memcpy(exact, bytes, size);
    (void)fprintf(stderr, "replay: %s\n", path); /* the last one named is the one that fails */
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    replayed++;
}

static void replay_folder(const char *path, DIR *folder)
{
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[PATH_BYTES_MAX];
        if (entry->d_name[0] == '.') {
            continue;
        }
        const int size = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (size < 0 || (size_t)size >= sizeof name) {
            fail(path, "a name in it is too long");
        }
        replay_file(name);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *const folder = opendir(argv[i]);
        if (folder == NULL) {
            replay_file(argv[i]);
            continue;
        }
        replay_folder(argv[i], folder);
        (void)closedir(folder);
    }
    (void)printf("replay: %lu inputs\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
