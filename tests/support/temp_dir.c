#include "tests/support/temp_dir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs in a child of a child, so that nobody has to wait for it, and in a session of its own, so
 * that no signal to the test's group reaches it. */
static void remove_when_closed(int descriptor, const char *path)
{
    if (setsid() < 0 || fork() != 0) {
        _exit(0);
    }
    const int nowhere = open("/dev/null", O_WRONLY);
    (void)dup2(descriptor, STDIN_FILENO);
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    (void)execl("/bin/sh", "sh", "-c", "cat; rm -rf -- \"$0\"", path, (char *)NULL);
    _exit(1);
}

void temp_dir_create(struct temp_dir *dir)
{
    const char *const parent = getenv("TMPDIR");
    (void)snprintf(dir->path, sizeof(dir->path), "%s/scenesync-test-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    cr_assert_not_null(mkdtemp(dir->path), "%s cannot be made", dir->path);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    dir->guard = ends[1];
    /* No program that the test starts may hold it open. */
    cr_assert_neq(fcntl(dir->guard, F_SETFD, FD_CLOEXEC), -1);
    const pid_t child = getenv("TEST_KEEP") != NULL ? -1 : fork();
    if (child == 0) {
        (void)close(dir->guard);
        remove_when_closed(ends[0], dir->path);
    }
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
    }
    (void)close(ends[0]);
}

void temp_dir_release(struct temp_dir *dir)
{
    (void)close(dir->guard);
}
