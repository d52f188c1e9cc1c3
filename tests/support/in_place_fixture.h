/**
 * A stored document that is changed in place, with element_patch() as the oracle: where the one
 * takes a change, it leaves the bytes that the other makes; where it leaves one, every byte.
 *
 * Lifetime: in_place_make() .. in_place_destroy(), a test's. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_IN_PLACE_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_IN_PLACE_FIXTURE_H

#include "protocol/element.h"

struct in_place {
    struct arena arena;
    struct buffer copied;     /* what in_place_copy() made */
    struct limits limits;     /* the default ones, until a test has others */
    struct element_room room; /* its bytes end with its allocation */
};

extern struct in_place in_place;

void in_place_make(void);
void in_place_destroy(void);

/** Stores a document in a room that has so many bytes more than it needs. */
void in_place_store(struct span document, size_t spare);
struct span in_place_stored(void);

/** The document with the changes merged in, as a copy; false where that fails. */
bool in_place_copy(struct span changes);

/** Changes the stored document in place, if that goes, and compares it with the copy. */
bool in_place_change(struct span changes);

#endif
