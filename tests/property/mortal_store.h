/**
 * A store whose process may die at any request: what was asked before takes effect, the request it
 * dies with does or does not, what comes after does not, and no answer is heard.
 *
 * Lifetime: mortal_store_create() .. store_destroy(), which leaves the store within alone. The
 * doom is borrowed. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_MORTAL_STORE_H
#define SCENESYNC_TESTS_PROPERTY_MORTAL_STORE_H

#include "store/store.h"
#include "tests/property/kafka.h"

/** Returns owned. Out of memory aborts. */
struct store *mortal_store_create(struct store *within, struct doom *doom);

#endif
