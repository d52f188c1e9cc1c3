/**
 * One operation of a batch: both spellings of protocol.md section 3, decoded and checked as far as
 * that needs no stored state.
 *
 * Lifetime: spans view the batch's payload or the arena; both must outlive the operation.
 * Threading: stateless. A broken operation is not an error of the batch: it decodes to
 * OPERATION_INVALID with its reason, and the rest of the batch goes on.
 */
#ifndef SCENESYNC_PROTOCOL_OPERATION_H
#define SCENESYNC_PROTOCOL_OPERATION_H

#include "protocol/limits.h"
#include "protocol/wire.h"

enum operation_kind {
    OPERATION_INVALID,
    OPERATION_ADD,
    OPERATION_UPDATE,
    OPERATION_REMOVE,
    OPERATION_INTERACTION
};

struct operation {
    enum operation_kind kind;
    uint32_t index;        /* its place in the original batch, also on a retry */
    struct span raw;       /* the operation exactly as received */
    bool well_formed;      /* passed wire_check_strict(): may be echoed in results */
    struct span id;        /* element id, normalised text; absent for INTERACTION and INVALID */
    uint64_t timestamp_ms; /* as sent, before clamping */
    bool has_timestamp;    /* false only for INVALID ones whose timestamp could not be read */
    bool has_base_version;
    uint64_t base_version;
    struct span document;       /* ADD: the element; UPDATE: the changes; views of checked maps */
    const char *invalid_reason; /* INVALID: one sentence, NUL-terminated, in the arena */
};

/** "add", "update", "remove", "interaction", "invalid". Static. */
const char *operation_kind_name(enum operation_kind kind);

/**
 * Decodes the operation in `raw` (structurally checked). Fails only with ERROR_OUT_OF_MEMORY;
 * everything that is wrong with the operation itself gives OPERATION_INVALID.
 */
__attribute__((warn_unused_result)) bool
operation_decode(struct span raw, uint32_t index, const struct limits *limits, struct arena *arena,
                 struct operation *out, struct error *error);

/** What all operations of a batch are decoded with. */
struct operation_context {
    const struct limits *limits;
    struct arena *arena;
    bool is_strict; /* they are known to pass wire_check_strict() */
};

/** The same for the value at the cursor, which then stands behind it, also where it is invalid. */
__attribute__((warn_unused_result)) bool
operation_decode_next(struct wire_cursor *cursor, uint32_t index,
                      const struct operation_context *context, struct operation *out,
                      struct error *error);

#endif
