/**
 * One element "a" under the strategy merge, for tests of what is written to it, kept and noted.
 *
 * Lifetime: merge_fixture_begin() .. merge_fixture_end(), which suites take as .init and .fini.
 * Threading: one thread. Expectations end the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_MERGE_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_MERGE_FIXTURE_H

#include "tests/support/apply_fixture.h"

extern struct apply_fixture merge_fixture;

void merge_fixture_begin(void);
void merge_fixture_end(void);

/* What an add of add() says: all that has a default, so that there are no clocks but the add's. */
#define SAID                                                                                       \
    "'id':'a','kind':{'type':'T'},'transform':{'x':1,'y':2,'width':3,'height':4,'rotation':5,"     \
    "'z_index':6},'interactive':true,'selected':false,'parent':'p'"

/** Applies an operation, given as JSON; under another strategy. */
struct outcome apply(const char *json);
struct outcome apply_by(enum strategy strategy, const char *json);

/** Adds the element with more members, "'n':1"; "" for none. */
struct outcome add(const char *members, unsigned time_ms);

/** Changes members; `changes` as `members`. */
struct outcome update(const char *changes, unsigned time_ms);
const char *update_text(const char *changes, unsigned time_ms);

/** An update of `n` and `m` to one value, made on a version of the element. */
const char *update_on(int value, int time_ms, int base_version);

/** The clocks in their stored form. */
void expect_clocks(const char *json);

/** The document, byte for byte: what add() said, and these members behind it. */
void expect_members(const char *members);

/** Synced, with a conflict that was merged; the lists as JSON. */
void expect_merged(struct outcome outcome, const char *applied, const char *kept);

/** Failed for good, with a conflict that kept what was there. */
void expect_kept(struct outcome outcome, enum error_code code);

/** Synced without a conflict. */
void expect_plain(struct outcome outcome);

#endif
