/**
 * Which operations of an attempt go to the engine again.
 *
 * Left out are those that the store refused, not the rules (too many lost races, unreadable data, a
 * full scene: their results say so), and, in a scene whose beginning is not in the log, those on
 * elements of which nothing is known yet. There the results ground an element: an add or a remove
 * that was applied makes its state known whatever it was before. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_VERIFY_SELECT_H
#define SCENESYNC_WORKER_VERIFY_SELECT_H

#include "worker/verify_model.h"

struct verify_selection {
    struct batch batch; /* with the operations that are left */
    /* Original indexes of those left out that wait for another attempt. */
    uint32_t *pending;
    uint32_t pending_count;
    /* Operations on elements, of those left: without any the attempt changed nothing that could
     * be lost. */
    uint32_t change_count;
};

/** Notes and grounds elements in the model. Fails with ERROR_OUT_OF_MEMORY only. */
__attribute__((warn_unused_result)) bool verify_select(struct verify_model *model,
                                                       const struct verify_attempt *attempt,
                                                       const struct verify_context *context,
                                                       struct verify_selection *out,
                                                       struct error *error);

#endif
