/**
 * The table of section 4: what an operation meets, and what becomes of it.
 *
 * Inside the model only. Pure functions of their arguments. Threading: stateless.
 */
#ifndef SCENESYNC_TESTS_MODEL_DECIDE_H
#define SCENESYNC_TESTS_MODEL_DECIDE_H

#include "tests/model/model.h"

/** What this very attempt did to an element, which some rules ask for. */
struct model_note {
    uint64_t version_before; /* this batch */
    bool is_added_here, is_removed_here;
};

/** An element as an operation meets it. */
struct model_met {
    const struct model_element *element; /* NULL: unknown */
    const struct model_note *note;       /* NULL: untouched so far */
};

enum model_action {
    MODEL_APPLY,
    MODEL_MERGE_LEAVES, /* those whose clocks allow it; where none does: keep local */
    MODEL_KEEP_LOCAL,
    MODEL_NOT_FOUND
};

struct model_decision {
    enum model_action action;
    const char *reason; /* NULL: no conflict */
};

/** NULL and tombstones are not. */
bool model_is_present(const struct model_element *element);

/** `t_ms`: the operation's timestamp after clamping. */
struct model_decision model_decide(const struct model_run *run,
                                   const struct model_operation *operation,
                                   const struct model_met *met, uint64_t t_ms);

#endif
