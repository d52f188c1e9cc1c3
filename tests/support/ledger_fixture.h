/**
 * A history that is true (ledger_history.h), to change one thing in, and what the ledger says then.
 *
 * Scene s1: elements, a tombstone, every kind of conflict, a batch that runs out of retries, a
 * resend, a used name, a record that is no batch. Scene s2: a batch that needs its retry.
 * Lifetime: ledger_fixture_begin() .. ledger_fixture_end(), which suites take as .init and .fini.
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_LEDGER_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_LEDGER_FIXTURE_H

#include "tests/support/ledger_history.h"

extern struct history told;

void ledger_fixture_begin(void);
void ledger_fixture_end(void);

/** The ledger says so, in these words, and nothing passes. */
void expect_lost(const char *words);
void expect_doubled(const char *words);
void expect_differing(const char *words);

/** Changes bytes that must be there; given as JSON (messages.h), and as they are. */
void replace(struct span *bytes, const char *from, const char *to);
void replace_text(struct span *bytes, const char *from, const char *to);

/** The first result of a batch after those of this number of attempts. */
struct history_record *result_of(const char *batch_id, uint64_t attempts);

/** Publishes a record once more, behind all others; gives the copy. */
struct history_record *publish_copy(const struct history_record *original);

struct history_field *element_of(const char *session_id, const char *id);

#endif
