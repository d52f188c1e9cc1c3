/**
 * Applying an operation to an element that has clocks, or under merge (protocol.md section 4, "per
 * property"): the part of apply.c that elements without clocks never come to.
 *
 * Lifetime, threading: as apply.h. Cost: reading, changing and writing the element's clocks.
 */
#ifndef SCENESYNC_STORE_APPLY_MERGE_H
#define SCENESYNC_STORE_APPLY_MERGE_H

#include "protocol/element_merge.h"
#include "store/apply.h"

/** Whether what is written to the element has to be noted in clocks: it has some, or gets some
 * because the batch's strategy is merge. */
static inline bool apply_keeps_clocks(const struct element *element,
                                      const struct apply_context *context)
{
    return context->strategy == STRATEGY_MERGE ||
           (element->presence == ELEMENT_PRESENT && element->clocks_bytes > 0);
}

/** A change with its time, after clamping. */
struct apply_change {
    const struct operation *operation;
    uint64_t timestamp_ms;
};

/**
 * Stores the document that is in context->scratch, an add's or a patched one, with its clocks: all
 * of the operation is written. Fails with ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool apply_put_with_clocks(struct scene *scene,
                                                               struct element *element,
                                                               const struct apply_change *change,
                                                               const struct apply_context *context,
                                                               struct error *error);

/** An operation that is merged; valid until the next one that comes to context->work. */
struct apply_merge {
    struct clocks clocks;
    struct element_edit edit; /* content: all of the operation */
    struct element_selection selection;
};

/** Looks which leaves of an add or update the element's clocks let through. Fails with
 * ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool apply_merge_select(const struct element *element,
                                                            const struct apply_change *change,
                                                            const struct apply_context *context,
                                                            struct apply_merge *out,
                                                            struct error *error);

/** Stores the element with the selected leaves, of which there is one at least. Fails as
 * element_patch() does. */
__attribute__((warn_unused_result)) bool
apply_merge_put(struct scene *scene, struct element *element, struct apply_merge *merge,
                const struct apply_context *context, struct error *error);

/** The add clock of a present element: a remove that is older is kept out. Fails with
 * ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool apply_add_clock(const struct element *element,
                                                         const struct apply_context *context,
                                                         uint64_t *add_ms, struct error *error);

#endif
