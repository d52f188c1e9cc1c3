/**
 * Checking scenes one by one: read the store, read the log up to where the scene stands, rebuild,
 * compare.
 *
 * The store is read first and the log after it, so that a live system is no difference: whatever a
 * scene was made of is in the log by then. Lifetime: init .. deinit; borrows its parts. Threading:
 * one thread. Memory: one scene, twice, and what the log keeps of it.
 */
#ifndef SCENESYNC_WORKER_VERIFY_CHECK_H
#define SCENESYNC_WORKER_VERIFY_CHECK_H

#include "store/redis_reader.h"
#include "worker/verify_reader.h"
#include "worker/verify_report.h"

struct verify_check {
    const struct settings *settings;
    struct verify_log *log;
    struct verify_reader *reader;
    struct redis_reader *store;
    struct verify_report *report;
    int timeout_ms;
    bool has_all_results;
    int result_wait_ms; /* left to wait for results that are under way */
    struct arena snapshot_arena, attempt_arena;
    struct buffer scratch;
};

void verify_check_init(struct verify_check *check);
void verify_check_deinit(struct verify_check *check);

/** Checks a scene. Returns EXIT_CODE_OK, whatever was found, or the exit code to end with, after
 * one line on stderr. */
__attribute__((warn_unused_result)) int verify_check_scene(struct verify_check *check,
                                                           struct span session_id);

/** Says on stderr why the store cannot be read. Returns the exit code. */
int verify_check_fail_store(const struct verify_check *check, enum redis_read outcome,
                            const struct error *error);

#endif
