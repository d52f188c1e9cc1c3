/**
 * An element's document: what an add must look like, how it is completed, how a change is merged
 * into it (protocol.md section 3).
 *
 * Documents are MessagePack maps, kept as bytes: what an operation does not touch is copied as it
 * was received. All inputs have passed wire_check_structure() and wire_check_strict(). Threading:
 * stateless. Cost: O(bytes) for every level of nesting that changes go down to, also for maps with
 * very many keys (a hash index beyond 16); a patch takes up to 140 bytes of the arena per key of a
 * map of changes that has more than 6. Recursion is bounded by LIMITS_DEPTH_CEILING.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_H
#define SCENESYNC_PROTOCOL_ELEMENT_H

#include "protocol/buffer.h"
#include "protocol/limits.h"
#include "protocol/wire.h"

/**
 * Checks an add's element: `id`, `kind` with a str `type`, and the types of the known optional
 * fields (nil for an optional one means absent). Gives the normalised id in `id`. Fails with
 * ERROR_INVALID_OPERATION and a message that names the field and what was found.
 */
__attribute__((warn_unused_result)) bool element_check(struct span element,
                                                       const struct limits *limits,
                                                       struct arena *arena, struct span *id,
                                                       struct error *error);

/**
 * Appends the complete document of a checked add: `id` and `parent` as normalised text, numbers of
 * the transform clamped, defaults for what is missing or nil, everything else byte for byte in the
 * order received, defaults behind it in the order of protocol.md. Fails with
 * ERROR_ELEMENT_TOO_LARGE beyond limits->element_bytes_max (then `out` is as before the call), or
 * ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool element_complete(struct span element,
                                                          const struct limits *limits,
                                                          struct arena *arena, struct buffer *out,
                                                          struct error *error);

/** A stored document, and what is known of it. */
struct element_document {
    struct span bytes;
    bool has_checked_kind; /* made by the functions here: its kind is valid */
};

/**
 * Appends `document` with `changes` merged into it: RFC 7396 with the rules of protocol.md
 * section 3 on top (`id` ignored; invalid values of known fields ignored; numbers clamped; parent
 * ids normalised). Keys keep their place; new ones go to the end. A kind that is known to be valid
 * is looked at only where the changes name it. Fails with ERROR_INVALID_OPERATION where `kind.type`
 * would not be a str or `kind.data.content` would exceed limits->text_bytes_max, with
 * ERROR_ELEMENT_TOO_LARGE, or ERROR_OUT_OF_MEMORY; `out` is then as before the call.
 */
__attribute__((warn_unused_result)) bool
element_patch(struct element_document document, struct span changes, const struct limits *limits,
              struct arena *arena, struct buffer *out, struct error *error);

/** A stored document in its memory. */
struct element_room {
    uint8_t *bytes;
    size_t size, capacity;
    /* Where in it the transform begins, kept from one change to the next; 0: not known. It has to
     * become 0 with every change that is not element_patch_in_place()'s. */
    size_t transform_at;
};

/**
 * The same result as element_patch(), written over the document where it stands; false, and nothing
 * is changed but transform_at, where that does not go. It goes where the changes name one value
 * alone, for which there is room, or known numbers of the transform that are as long as those that
 * are there and come in the same order; not where a rule would have to be looked at that
 * element_patch() knows. The document's kind must be known to be valid. O(bytes up to the change,
 * or behind it).
 */
__attribute__((warn_unused_result)) bool
element_patch_in_place(struct element_room *room, struct span changes, const struct limits *limits);

/**
 * The same as element_patch() for an add that is merged into an element that is there (protocol.md
 * section 4, "per property"): what the add says explicitly is set, in its own way. A nil deletes
 * nothing but is a value (in a known optional field it says nothing), and an empty map takes the
 * place of what was there. `element` is a checked add's (element_check()), or a part of one.
 */
__attribute__((warn_unused_result)) bool
element_patch_with_add(struct element_document document, struct span element,
                       const struct limits *limits, struct arena *arena, struct buffer *out,
                       struct error *error);

#endif
