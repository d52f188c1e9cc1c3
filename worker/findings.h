/**
 * What a command has found out about a deployment: one line for each check, as text or as JSON,
 * with how it stands, what was found and, where something is to be done, the cure.
 *
 *     ok    redis.persistence: append-only file, fsync everysec
 *     error topic.cleanup_policy scene.ops: compact drops ...; cure: kafka-configs.sh ...
 *
 * Lifetime: plain data. Threading: one thread. Lines are written as they come.
 */
#ifndef SCENESYNC_WORKER_FINDINGS_H
#define SCENESYNC_WORKER_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_ERROR };
enum { FINDING_LEVELS = 3, FINDING_TEXT_BYTES = 768 };

struct findings {
    FILE *out;    /* borrowed */
    bool is_json; /* an object per line */
    size_t counts[FINDING_LEVELS];
    bool failed; /* a line could not be written */
};

/** One check of one thing. */
struct finding {
    enum finding_level level;
    const char *check;   /* its name, always the same: "topic.retention" */
    const char *subject; /* "scene.ops"; NULL where there is but one */
    const char *cure;    /* what to do; NULL where nothing is to be done */
};

/** "ok", "warn", "error". Static. */
const char *finding_level_name(enum finding_level level);

/** Writes it with what was found (printf), cut at FINDING_TEXT_BYTES. Outside text cannot forge a
 * line. */
void findings_add(struct findings *findings, const struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
