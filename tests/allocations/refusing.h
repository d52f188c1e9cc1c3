/**
 * Memory that is refused: the n-th allocation of a piece of work, for every n until the work comes
 * to its end without a refusal.
 *
 * Counted are malloc(), calloc(), realloc() and the arena's functions, as the product calls them.
 * Threading: one thread; a test's process of its own.
 */
#ifndef SCENESYNC_TESTS_ALLOCATIONS_REFUSING_H
#define SCENESYNC_TESTS_ALLOCATIONS_REFUSING_H

#include "protocol/error.h"

/** One piece of work that is tried again and again. */
struct trial {
    void (*prepare)(void *context); /* everything is as before the first try; nothing is refused */
    /* The work: false where it failed. Only this is refused memory. */
    bool (*work)(void *context, struct error *error);
    /* Demands what has to hold: `is_done` as work() said. Cleans up. Nothing is refused. */
    void (*verify)(void *context, bool is_done);
    void *context;
};

/**
 * Tries the work with its first allocation refused, its second, and so on, first that one alone,
 * then it and all behind it. Demands that what fails says ERROR_OUT_OF_MEMORY. Ends the test where
 * there are fewer than `least` allocations: then the trial does not try what it should.
 */
void refuse_each(const struct trial *trial, unsigned long least);

#endif
