/**
 * What a store tells its observer, kept in order, for tests that wait for it.
 *
 * Lifetime: plain data, must not move while a store tells it. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_STORE_WATCH_H
#define SCENESYNC_TESTS_SUPPORT_STORE_WATCH_H

#include "store/store.h"

enum { WATCH_EVENTS_MAX = 64, WATCH_DETAIL_BYTES_MAX = 256 };

struct store_watch {
    size_t count, seen;
    enum store_event events[WATCH_EVENTS_MAX];
    char details[WATCH_EVENTS_MAX][WATCH_DETAIL_BYTES_MAX];
};

struct store_observer store_watch_observer(struct store_watch *watch);

/** Polls until the store has told this event, with `text` in its detail, after those already
 * awaited; ends the test where it tells another one or nothing in time. */
void await_event(struct store *store, struct store_watch *watch, enum store_event event,
                 const char *text);

#endif
