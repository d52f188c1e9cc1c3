/**
 * Makes a failing history small: drops steps and edits, simplifies what is left, as long as it
 * still fails. Deterministic.
 *
 * Threading: one thread. Cost: the check, up to SHRINK_CHECKS_MAX times.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_SHRINK_H
#define SCENESYNC_TESTS_PROPERTY_SHRINK_H

#include "tests/property/history.h"

enum { SHRINK_CHECKS_MAX = 4000 };

typedef bool (*shrink_fails)(void *context, const struct history *history);

/** Takes `history`, which fails; returns owned what is left of it, which fails too. */
struct history *shrink(struct history *history, shrink_fails fails, void *context);

#endif
