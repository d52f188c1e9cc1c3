/**
 * `scenesync doctor` and `scenesync topics` against a broker and a Redis of a test's own.
 *
 * Lifetime: doctor_fixture_start_on() .. doctor_fixture_stop(); texts live for the process.
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_DOCTOR_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_DOCTOR_FIXTURE_H

#include "tests/support/command.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/redis_server.h"

/** Takes the broker; starts a Redis with an append-only file. */
void doctor_fixture_start_on(struct kafka_broker *broker);
void doctor_fixture_stop(void);

/** "redis.password_file=<a file that holds the text>", for --set. */
const char *doctor_fixture_password(const char *text);

struct kafka_broker *doctor_fixture_broker(void);
struct redis_server *doctor_fixture_redis(void);

/** An administrator's client of the broker. Owned by the fixture. */
rd_kafka_t *doctor_fixture_admin(void);

/** Runs a command with the settings of this world; with others behind `--set` where there are. */
struct command_outcome doctor_fixture_run(struct command command);

/** It ended so, and has a line that begins so and has these words in it. */
void doctor_fixture_expect(struct command_outcome outcome, int exit_code, const char *begins,
                           const char *words);

#define DOCTOR(...) doctor_fixture_run((struct command){.arguments = {"doctor", __VA_ARGS__}})

#endif
