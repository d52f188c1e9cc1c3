/**
 * A place in an element, as a chain of keys, and its JSON Pointer (RFC 6901).
 *
 * Walkers hold one node per level on their stack, so that going down costs nothing for the length
 * of the keys above; the pointer's text is written where somebody keeps it, and no sooner.
 *
 * Lifetime: nodes view the maps whose keys they name. Threading: stateless. Cost: as said.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_PATH_H
#define SCENESYNC_PROTOCOL_ELEMENT_PATH_H

#include "protocol/arena.h"

struct element_path {
    const struct element_path *above; /* NULL: the key is one of the element's own */
    struct span key;
    size_t pointer_bytes; /* of the JSON Pointer to here */
};

/** The node below `above` (NULL: the element itself). O(key). */
struct element_path element_path_make(const struct element_path *above, struct span key);

/** Writes the pointer: path->pointer_bytes bytes. O(bytes). */
void element_path_write(const struct element_path *path, uint8_t *pointer);

/** The pointer in the arena; an absent span where that is exhausted. */
__attribute__((warn_unused_result)) struct span
element_path_pointer(const struct element_path *path, struct arena *arena);

/**
 * Where the path stands to a pointer that is known to begin with the pointer above the path, by the
 * order of element_pointer_compare(): 0 where the pointer is the path's or leads on below it,
 * negative where the path comes before it, positive where behind. O(key).
 */
int element_path_compare(const struct element_path *path, struct span pointer);

/**
 * Orders pointers so that what is below a place stands right behind it: byte by byte, and the '/'
 * before every other byte.
 */
int element_pointer_compare(struct span a, struct span b);

#endif
