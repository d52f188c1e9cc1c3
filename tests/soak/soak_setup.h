/**
 * One run's parameters: from the environment, and what the seed decides for the whole run.
 *
 * Lifetime: a plain value. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_SETUP_H
#define SCENESYNC_TESTS_SOAK_SETUP_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SOAK_PARTITIONS = 12,
    SOAK_SCENES = 200,
    SOAK_RETRIES = 3,
    SOAK_WORKERS = 3,
    SOAK_PATH_BYTES = 256
};

#define SOAK_GROUP "soak"
#define SOAK_TOPIC_OPS "scene.ops"
#define SOAK_TOPIC_RESULTS "scene.results"
#define SOAK_TOPIC_DEAD "scene.ops.dlq"
#define SOAK_TOPIC_RETRY_PREFIX "scene.ops.retry-"

struct soak_setup {
    uint64_t seed;
    int64_t duration_ms; /* of producing under faults */
    uint32_t batches_per_s;
    bool cooperative;    /* the assignor: cooperative-sticky or range */
    bool static_members; /* group.instance.id */
    bool small_dedupe;   /* batch records are evicted */
    bool fsync_always;   /* the store's file */
    bool no_cache;       /* every scene is read in every cycle */
    bool lossy;          /* faults that make the store forget take part, never with small_dedupe */
    bool tamper;         /* an element is taken out at the end: the run has to fail */
    const char *worker_log_level;
    char directory[SOAK_PATH_BYTES]; /* everything of the run is in it */
};

/**
 * Reads SOAK_SEED, SOAK_SECONDS and the others (tests/chaos has the list), makes the run's
 * directory. Ends the running test where something is wrong.
 */
struct soak_setup soak_setup_read(void);

/** The run is over: its directory is removed where nothing was found and SOAK_KEEP is not set, else
 * it is named. */
void soak_setup_release(const struct soak_setup *setup, bool is_good);

/** One line that says what the seed decided. Static. */
const char *soak_setup_text(const struct soak_setup *setup);

#endif
