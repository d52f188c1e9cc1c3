/**
 * The records of a pretended history (ledger_history.h), as its parts add them to the topics.
 *
 * Lifetime: the history's. Threading: one thread. What does not fit aborts.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_LEDGER_HISTORY_RECORDS_H
#define SCENESYNC_TESTS_SUPPORT_LEDGER_HISTORY_RECORDS_H

#include "tests/support/ledger_history.h"

/** How far the history's time goes on with each record. */
enum { HISTORY_TICK_MS = 10 };

/** Aborts where it is not so, and says what is wrong with the history. */
void history_must(bool condition, const char *what);

/** The next record of its partition, still without key, value and headers. `tier` 0: not a retry
 * topic. */
struct history_record *history_add_record(struct history *history, enum ledger_topic topic,
                                          uint32_t tier, int32_t partition);

void history_add_header(struct history_record *record, const char *name, struct span value);

/** Those of the record it comes from, with or without the workers' own. */
void history_copy_headers(struct history_record *to, const struct history_record *from,
                          bool with_own);

/** "scene.ops/0/17", kept. */
struct span history_place_of(const struct history_record *record);

#endif
