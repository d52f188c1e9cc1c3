/**
 * A scene at version 5 and the default context, for tests of process_batch(); whatever result
 * comes of it is checked for what holds of all.
 *
 * Lifetime: process_fixture_begin() .. process_fixture_end(), which suites take as .init and .fini.
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_PROCESS_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_PROCESS_FIXTURE_H

#include "store/process.h"

struct process_fixture {
    struct scene *scene;
    struct process_context context;
};

extern struct process_fixture process_fixture;

void process_fixture_begin(void);
void process_fixture_end(void);

/** Applies the batch to the scene; its result is sound. */
struct sync_result process(const struct batch *batch);

/** What holds of every result of a batch of so many operations. */
void expect_sound(const struct sync_result *result, uint32_t operation_count);

void expect_body(struct body body, const char *json);

#endif
