/**
 * `scenesync verify` against a world (world.h) of the test's own.
 *
 * Lifetime: a test makes `verify_world`, verify_fixture_end() destroys it; texts live for the
 * process. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_VERIFY_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_VERIFY_FIXTURE_H

#include "tests/support/command.h"
#include "tests/support/world.h"

/* How it ends. */
enum { OK = 0, DIFFERENT = 1, USAGE = 64, UNAVAILABLE = 69, INTERNAL = 70 };

extern struct world *verify_world;

void verify_fixture_end(void);

/** Runs it against the world's broker and store; options that are given win. */
struct command_outcome verify_fixture_run(struct command command);

#define VERIFY(...) verify_fixture_run((struct command){.arguments = {__VA_ARGS__}})

/** It ended so, and has these words in its output. */
void verify_fixture_expect(struct command_outcome outcome, int exit_code, const char *out);

/** Runs it with dedupe.max_batches=4 until nothing differs and it has this summary. */
void verify_fixture_await_equal(const char *summary);

/** A Redis command, to tamper with. */
void verify_fixture_redis(const char *const *arguments);

#define REDIS(...) verify_fixture_redis((const char *const[]){__VA_ARGS__, NULL})

#endif
