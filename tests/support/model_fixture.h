/**
 * A scene of the independent model (tests/model) and batches that run on it, for the tests that
 * hold the model against protocol.md.
 *
 * Lifetime: model_fixture_begin() .. model_fixture_end(), which suites take as .init and .fini.
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_MODEL_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_MODEL_FIXTURE_H

#include "tests/model/model.h"

/* When a batch's first record arrived, and the one that is applied. */
enum { ARRIVAL_MS = 1000000, RECORD_MS = 5000 };

struct model_fixture {
    struct model_settings settings; /* the default ones, until a test has others */
    struct model_scene scene;
    struct pool pool;
};

extern struct model_fixture model_fixture;

void model_fixture_begin(void);
void model_fixture_end(void);

struct batch_run {
    struct model_batch batch;
    struct model_run run; /* ended by model_run_free() */
};

/** Begins a batch of operations, a JSON array (messages.h); makes one attempt; all that there can
 * be. */
void begin_batch(struct batch_run *it, enum model_strategy strategy, const char *operations);
void attempt_batch(struct batch_run *it);
void exhaust_batch(struct batch_run *it);

/** One attempt of a batch; what became of its last operation. */
struct model_verdict apply_batch(enum model_strategy strategy, const char *operations);

/** "ok" is synced without, "remote" with a conflict, "merge" merged; else the code, "+" in front:
 * pending. Until the next call. */
const char *outcome_of(const struct model_verdict *verdict);

/** A batch that a test starts from, with all its attempts; by default of last_write_wins. */
void given_by(enum model_strategy strategy, const char *operations);
void given(const char *operations);

/** The element of this id, which must be known. */
const struct model_element *element(const char *id);
void expect_document(const char *id, const char *json);

#endif
