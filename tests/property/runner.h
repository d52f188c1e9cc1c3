/**
 * Checks properties over random histories: says what holds, makes small what does not.
 *
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_RUNNER_H
#define SCENESYNC_TESTS_PROPERTY_RUNNER_H

#include "tests/property/property.h"

struct runner_options {
    const char *property; /* its name; NULL: all of the table */
    uint64_t seed;        /* of the first case; the next has one more */
    uint64_t cases;       /* of each property */
    bool only_asks;       /* ends at the first failure, and does not make it small */
};

/** A seed that is new every time. */
uint64_t runner_fresh_seed(void);

/**
 * Takes `--property NAME`, `--seed S`, `--cases N`, `--shrink yes|no`. False: there is no such, or
 * it has no such value, and that was printed.
 */
bool runner_take_arguments(const struct property *properties, size_t count, int argc, char **argv,
                           struct runner_options *options);

/** Checks them and prints what came of it, with what repeats it. False: one does not hold. */
bool runner_check(const struct property *properties, size_t count,
                  const struct runner_options *options);

#endif
