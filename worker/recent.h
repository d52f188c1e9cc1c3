/**
 * The latest results and dead letters, a few of each, for the status page.
 *
 * The cycle's thread notes them and never waits for a reader; at a high rate only some are noted,
 * those with conflicts or failures first. Texts are copied and cut.
 *
 * Lifetime: recent_create() .. recent_destroy(). Threading: each function says whose it is.
 */
#ifndef SCENESYNC_WORKER_RECENT_H
#define SCENESYNC_WORKER_RECENT_H

#include "protocol/result.h"

enum {
    RECENT_RESULTS = 50,
    RECENT_DEAD_LETTERS = 50,
    RECENT_CONFLICTS = 8, /* per result */
    RECENT_ID_BYTES = 72,
    RECENT_TEXT_BYTES = 240
};

struct recent_conflict {
    uint32_t index;
    enum conflict_reason reason;
    enum resolution resolution;
    bool is_resolved;
};

struct recent_result {
    uint64_t wall_ms; /* 0: the place is empty */
    char session_id[RECENT_ID_BYTES], batch_id[RECENT_ID_BYTES], client_id[RECENT_ID_BYTES];
    bool is_final, is_success;
    uint32_t attempts, synced_count, failed_count, pending_count, conflict_count;
    uint64_t scene_version;
    enum strategy strategy;
    char first_error[RECENT_TEXT_BYTES]; /* "" where nothing failed */
    struct recent_conflict conflicts[RECENT_CONFLICTS];
    uint32_t listed_conflicts;
};

struct recent_dead_letter {
    uint64_t wall_ms; /* 0: the place is empty */
    char source[RECENT_TEXT_BYTES];
    enum error_code code;
    char message[RECENT_TEXT_BYTES];
};

/** A copy of all, newest first, empty places behind. */
struct recent_view {
    struct recent_result results[RECENT_RESULTS];
    struct recent_dead_letter dead_letters[RECENT_DEAD_LETTERS];
};

struct recent;

/** Returns owned; NULL: out of memory. */
struct recent *recent_create(void);
void recent_destroy(struct recent *recent);

/** The cycle's thread. `recent` may be NULL: then nothing happens. */
void recent_note_result(struct recent *recent, const struct sync_result *result, uint64_t wall_ms);
void recent_note_dead_letter(struct recent *recent, const struct source *source,
                             enum error_code code, struct span message, uint64_t wall_ms);

/** Any thread. */
void recent_read(struct recent *recent, struct recent_view *out);

#endif
