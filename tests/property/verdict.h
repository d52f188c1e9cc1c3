/**
 * What a property says of a case: that it holds, or why not.
 *
 * Threading: plain data.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_VERDICT_H
#define SCENESYNC_TESTS_PROPERTY_VERDICT_H

#include <stdbool.h>

struct verdict {
    char reason[1000];
};

/** Writes the reason; always false. */
bool verdict_fails(struct verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
