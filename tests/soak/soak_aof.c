#include "tests/soak/soak_aof.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"

enum { PATH_BYTES = 512, NAME_BYTES = 128, LINE_BYTES = 256, REMOVE_TIMEOUT_MS = 10000 };

/* The manifest names the files in order; the last incremental one ("type i") is written to. */
static void find_last_file(const char *redis_directory, char *path)
{
    char manifest[PATH_BYTES];
    char line[LINE_BYTES];
    char name[NAME_BYTES];
    (void)snprintf(manifest, sizeof(manifest), "%s/appendonlydir/appendonly.aof.manifest",
                   redis_directory);
    FILE *const file = fopen(manifest, "re");
    cr_assert_not_null(file, "%s cannot be read", manifest);
    path[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL) {
        char type = '\0';
        if (sscanf(line, "file %127s seq %*u type %c", name, &type) == 2 && type == 'i') {
            (void)snprintf(path, PATH_BYTES, "%s/appendonlydir/%s", redis_directory, name);
        }
    }
    (void)fclose(file);
    cr_assert_neq(path[0], '\0', "%s names no incremental file", manifest);
}

size_t soak_aof_cut(const char *redis_directory, size_t bytes)
{
    char path[PATH_BYTES];
    struct stat status;
    find_last_file(redis_directory, path);
    cr_assert_eq(stat(path, &status), 0, "%s is not there", path);
    const size_t size = (size_t)status.st_size;
    const size_t cut = bytes < size ? bytes : size;
    cr_assert_eq(truncate(path, (off_t)(size - cut)), 0, "%s cannot be cut", path);
    return cut;
}

void soak_aof_remove(const char *redis_directory)
{
    char path[PATH_BYTES];
    int exit_code = 0;
    (void)snprintf(path, sizeof(path), "%s/appendonlydir", redis_directory);
    const char *const arguments[] = {"/bin/rm", "-rf", path, NULL};
    const struct child_options options = {.arguments = arguments};
    cr_assert(child_wait(child_start(&options), REMOVE_TIMEOUT_MS, &exit_code) && exit_code == 0,
              "%s cannot be removed", path);
}
