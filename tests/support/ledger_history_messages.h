/**
 * What the worker of a pretended history (ledger_history.h) publishes: results, requeues and dead
 * letters, as the model explains them.
 *
 * Lifetime: the history's. Threading: one thread. What does not fit aborts.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_LEDGER_HISTORY_MESSAGES_H
#define SCENESYNC_TESTS_SUPPORT_LEDGER_HISTORY_MESSAGES_H

#include "tests/support/ledger_history.h"

/** Of the batch's latest attempt. */
void history_publish_result(struct history *history, struct history_batch *batch);

/** What waits for the batch's next attempt. */
void history_requeue(struct history *history, struct history_batch *batch);

/** The dead letter of the operations that ran out of retries, if any did; `from` brought their last
 * attempt. */
void history_bury(struct history *history, struct history_batch *batch,
                  const struct history_record *from);

/** The dead letter of a record that is refused whole, and the result that says so where it has a
 * session_id. `batch`: what could be read of it. */
void history_refuse(struct history *history, const struct history_record *sent,
                    const struct model_batch *batch, const char *code);

/** "3,17" of those that wait, or that ran out of retries. */
struct span history_indexes_of(const struct model_run *run, bool exhausted);

#endif
