/* store/commit.lua as another program calls it: wrong arguments are refused before anything is
 * written, right ones do what store/README.md says. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/redis_server.h"

enum { SCRIPT_BYTES_MAX = 65536, ARGUMENTS_MAX = 48, HEAD = 18 };

static const char *const keys[] = {"scene:{s}",         "scene:{s}:elements",
                                   "scene:{s}:tombstones", "scene:{s}:batches",
                                   "scene:{s}:batches.old", "scene:{s}:pending"};

/** The head of a commit of a new scene: one element, no record, one position. */
static const char *const head[HEAD] = {
    "0", "",  "1", "token", "1",     "1700000000000", "1",      "0",       "0",
    "0", "0", "1", "0",     "10000", "256",           "524288", "3600000", "",
};
static const char *const sections[] = {"a", "value", "at:t/0", "5 1700000000000"};

static const char *read_script(void)
{
    static char script[SCRIPT_BYTES_MAX];
    FILE *const file = fopen(SCENESYNC_COMMIT_LUA, "r");
    cr_assert_not_null(file, "%s", SCENESYNC_COMMIT_LUA);
    const size_t size = fread(script, 1, sizeof(script) - 1, file);
    cr_assert(size > 0 && size < sizeof(script) - 1);
    script[size] = '\0';
    (void)fclose(file);
    return script;
}

/** Runs the script; arguments end with NULL. Returns the reply, owned. */
static redisReply *run_script(struct redis_server *server, const char *key_count,
                              const char *const *arguments)
{
    const char *command[ARGUMENTS_MAX] = {"EVAL", read_script(), key_count};
    size_t count = 3;
    for (int i = 0; i < atoi_of(key_count); i++) {
        command[count++] = keys[i];
    }
    for (; *arguments != NULL; arguments++) {
        cr_assert_lt(count + 1, ARGUMENTS_MAX);
        command[count++] = *arguments;
    }
    command[count] = NULL;
    return redis_server_query(server, command);
}
