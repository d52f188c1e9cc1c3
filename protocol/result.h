/**
 * SyncResult (protocol.md section 5): what became of a batch, as a struct, as bytes and back.
 *
 * The same entries stand in the retry section (retry.h) and in the store's batch records, there
 * with bodies left out or only marked. Lifetime: spans and arrays are views (payload, arena).
 * Threading: plain data, stateless functions.
 */
#ifndef SCENESYNC_PROTOCOL_RESULT_H
#define SCENESYNC_PROTOCOL_RESULT_H

#include "protocol/buffer.h"
#include "protocol/vocabulary.h"
#include "protocol/wire.h"

/** An operation's bytes inside an entry. */
enum body_kind {
    BODY_ABSENT,  /* no `operation` key: it stands elsewhere, or was left out for size */
    BODY_NIL,     /* `operation: nil`: it was not well-formed */
    BODY_PRESENT, /* `operation: <raw>` */
    BODY_MARKED   /* decoded from a record: was present, to be refilled from the batch at hand */
};

struct body {
    enum body_kind kind;
    struct span raw; /* BODY_PRESENT */
};

struct conflict_entry {
    uint32_t index; /* the operation's place in the original batch */
    enum conflict_reason reason;
    uint64_t stale_local_ms, stale_remote_ms; /* CONFLICT_STALE_TIMESTAMP */
    enum resolution resolution;
    bool resolved; /* false only while the operation is pending */
    struct local_state local;
    /* RESOLUTION_MERGE: the JSON Pointers of the properties that were written, and of those that
     * were kept: MessagePack arrays of str. Both absent otherwise, and where they were left out for
     * size. */
    struct span applied, kept;
    struct body body;
};

struct failure_entry {
    uint32_t index;
    enum error_code code;
    struct span message; /* `error`: a sentence; absent where it was left out for size */
    bool retryable;
    bool pending; /* not on the wire: requeued, so not failed for good */
    struct body body;
};

struct sync_result {
    struct span session_id, batch_id;
    struct span client_id; /* absent where the batch had none */
    bool final;
    uint32_t attempts; /* made so far, 1 for the first */
    enum strategy strategy;
    uint32_t synced_count, failed_count, pending_count, clamped_count;
    /* conflict_count on the wire: entries may be truncated, this is not. */
    uint32_t conflict_count;
    struct conflict_entry *conflicts; /* ascending by index */
    uint32_t conflict_entry_count;
    struct failure_entry *failures; /* ascending by index; pending ones too */
    uint32_t failure_entry_count;
    uint64_t scene_version;
    uint64_t *attempt_versions; /* one per attempt; on the wire where there were several */
    uint32_t attempt_version_count;
    uint64_t next_attempt_at_ms; /* where not final */
    uint64_t duration_ms, timestamp_ms;
    struct source source;       /* of the first delivery */
    enum error_code error_code; /* ERROR_NONE, or why the batch was refused whole */
    struct span error_message;
    bool truncated;
};

/** protocol.md section 5: nothing failed, nothing pending, no `error_code`. */
bool sync_result_is_success(const struct sync_result *result);

enum body_encoding {
    BODIES_AS_THEY_ARE, /* the wire */
    BODIES_MARKED       /* a batch record: `true` in the place of the bytes */
};

/**
 * Appends the result's map, keys in the order of protocol.md section 5. Beyond `bytes_max` bodies,
 * texts and entries are left out in the order of section 5 until it fits, and `truncated` is set
 * in the bytes; the struct stays as it is. What does not fit even without any entry is written
 * without entries. bytes_max 0: no limit. Failure to allocate, or the buffer's own cap, sticks in
 * `out`. Deterministic: equal structs give equal bytes.
 */
void sync_result_encode(const struct sync_result *result, enum body_encoding bodies,
                        size_t bytes_max, struct buffer *out);

/**
 * Reads a SyncResult map back (structurally checked bytes): a record's, or one from the results
 * topic. Arrays go to the arena. Keys that are not there give zeros, empty arrays, absent spans;
 * the first attempt's `attempt_versions`, which is not on the wire, is made from `scene_version`.
 * A body given as `true` becomes BODY_MARKED. `failure.pending` is set for retryable failures of a
 * result that is not final. Fails with ERROR_INVALID_VALUE and the key's name, or
 * ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool sync_result_decode(struct span raw, struct arena *arena,
                                                            struct sync_result *out,
                                                            struct error *error);

/** The arrays of entries alone, as they also stand in the retry section. */
void conflict_entries_encode(const struct conflict_entry *entries, uint32_t count,
                             enum body_encoding bodies, struct buffer *out);
void failure_entries_encode(const struct failure_entry *entries, uint32_t count,
                            enum body_encoding bodies, struct buffer *out);
__attribute__((warn_unused_result)) bool
conflict_entries_decode(struct span raw, struct arena *arena, struct conflict_entry **entries,
                        uint32_t *count, struct error *error);
__attribute__((warn_unused_result)) bool
failure_entries_decode(struct span raw, struct arena *arena, struct failure_entry **entries,
                       uint32_t *count, struct error *error);

/** `{topic, partition, offset}`. */
void source_encode(const struct source *source, struct buffer *out);
__attribute__((warn_unused_result)) bool source_decode(struct span raw, struct source *out,
                                                       struct error *error);

#endif
