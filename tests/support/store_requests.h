/**
 * Requests of tests: made from texts, run to their end.
 *
 * Lifetime: what is made here lives in the fixture's arena. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_STORE_REQUESTS_H
#define SCENESYNC_TESTS_SUPPORT_STORE_REQUESTS_H

#include "store/store.h"

enum { REQUEST_WAIT_MS = 20000 };

/** Polls until the request is complete or the time is over, which ends the test. */
enum store_status run_load(struct store *store, struct scene_load *load);
enum store_status run_commit(struct store *store, struct scene_commit *commit);
enum store_status run_watermark(struct store *store, struct watermark_request *request);

/** Waits until the store is ready; ends the test where that takes too long. */
void await_ready(struct store *store);

struct store_token token_of(const char *text);
const char *token_text(const struct store_token *token);

/** Formatted text in the arena. */
struct span text_in(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** "[version, timestamp, nil]", a tombstone's value. */
struct span tombstone_value(struct arena *arena);

/** A checked commit from `version - 1` to `version`; tokens are "t<version>", none at 0. */
struct scene_commit commit_to(const char *session, uint64_t version, struct arena *arena);

/** A record whose value starts with "<attempt> t/0 <offset>\n". */
struct record_write record_of(struct arena *arena, const char *field, uint32_t attempt,
                              int64_t offset, bool pending);

/** The value recorded for a field, absent where there is none. */
struct span find_record(struct store *store, const char *session, const char *field,
                        struct arena *arena);

/** The value stored for an element, absent where there is none. */
struct span find_element(struct store *store, const char *session, const char *id,
                         struct arena *arena);

#endif
