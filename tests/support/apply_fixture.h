/**
 * The scene and context that tests of apply_operation() work on, made anew before each test.
 *
 * Lifetime: apply_fixture_begin() .. apply_fixture_end(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_APPLY_FIXTURE_H
#define SCENESYNC_TESTS_APPLY_FIXTURE_H

#include "store/apply.h"

/* What stands in the store before every test: the scene at version 5; the elements that a test
 * loads were written by version 4 at time 100. */
enum { SCENE_VERSION = 5, LOCAL_VERSION = 4, LOCAL_MS = 100 };

struct apply_fixture {
    struct scene *scene;
    struct limits limits;
    struct apply_context context;
    struct arena work;
    size_t list_bytes;
};

/** Makes an empty scene in which a batch has begun; ends what was there. */
void apply_fixture_begin(struct apply_fixture *fixture);
void apply_fixture_end(struct apply_fixture *fixture);

/** Applies an operation given as JSON; an element that is not loaded is unknown. */
struct outcome apply_fixture_apply(struct apply_fixture *fixture, const char *json);

/** Fails the test where the outcome's sentence does not start with `start`. */
void outcome_expect_says(struct outcome outcome, const char *start);

#endif
