/**
 * The properties: what must hold of every history (protocol.md sections 4, 5 and 8).
 *
 * Threading: one thread. Each check runs the history as often as it needs to, from nothing, and
 * depends on the history alone.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_PROPERTY_H
#define SCENESYNC_TESTS_PROPERTY_PROPERTY_H

#include "tests/property/history.h"
#include "tests/property/verdict.h"

struct property {
    const char *name, *meaning;
    struct history_traits traits;
    bool (*check)(const struct history *history, struct verdict *verdict);
};

/* properties.c: all of them, with their histories. */
const struct property *property_table(size_t *count);
/* NULL: none has this name. */
const struct property *property_find(const char *name);

/* follow.c: against the independent model, record by record. */
bool property_engine_is_model(const struct history *history, struct verdict *verdict);
bool property_resends_change_nothing(const struct history *history, struct verdict *verdict);
/* The first on a Redis, which is emptied before each history: set what empties it, and where it
 * is. */
void property_use_redis(const char *url, void (*empty)(void *context), void *context);

/* compare.c: one run against another of the same history. */
bool property_cuts_do_not_matter(const struct history *history, struct verdict *verdict);
bool property_redelivery_changes_nothing(const struct history *history, struct verdict *verdict);
bool property_death_tears_no_batch(const struct history *history, struct verdict *verdict);

/* watch.c: what is true of every step and every message. */
bool property_nothing_goes_back(const struct history *history, struct verdict *verdict);
bool property_counts_add_up(const struct history *history, struct verdict *verdict);
bool property_ledger_agrees(const struct history *history, struct verdict *verdict);

/* refuse.c: a scene whose data the store refuses. */
bool property_refusals_stay_alone(const struct history *history, struct verdict *verdict);

/* converge.c: merge. */
bool property_merge_converges(const struct history *history, struct verdict *verdict);

#endif
