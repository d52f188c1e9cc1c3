/**
 * What `scenesync verify` says: a line for each difference, a summary, and a bar on the terminal
 * while it works.
 *
 * Lines go to stdout, as text or as JSON; the bar to stderr, if that is a terminal, and it is gone
 * when the work is done. Lifetime: init .. deinit. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_VERIFY_REPORT_H
#define SCENESYNC_WORKER_VERIFY_REPORT_H

#include "protocol/buffer.h"
#include "worker/clock.h"
#include "worker/verify_diff.h"

enum verify_difference {
    VERIFY_MISSING,     /* the log makes it, the store does not have it */
    VERIFY_UNEXPECTED,  /* the store has it, nothing in the log explains it */
    VERIFY_DIFFERENT,   /* both have it; the fields say in what they differ */
    VERIFY_UNREADABLE,  /* what the store has is nothing that a worker writes */
    VERIFY_LOST_WRITES, /* the store is behind what was answered */
    VERIFY_DIFFERENCE_COUNT
};

struct verify_counts {
    uint64_t scenes, scenes_equal, scenes_different, scenes_not_judged;
    uint64_t differences;
    uint64_t elements, removed;   /* compared: those that are there, and tombstones */
    uint64_t elements_not_judged; /* their history is not in the log */
    uint64_t versions_not_judged; /* scenes whose versions could not be compared */
    uint64_t records;             /* read from Kafka */
};

struct verify_report {
    bool is_json;
    bool has_bar; /* stderr is a terminal */
    bool is_bar_shown;
    bool failed; /* stdout cannot be written to, or no memory for a line */
    struct clock clock;
    uint64_t begun_ms, bar_ms; /* monotonic */
    struct buffer line;
    struct verify_counts counts;
};

void verify_report_init(struct verify_report *report, bool is_json);
void verify_report_deinit(struct verify_report *report);

/** One difference, of an element or, where `element_id` is absent, of the scene. `reason` is of
 * VERIFY_UNREADABLE; NULL else. */
void verify_report_difference(struct verify_report *report, struct span session_id,
                              struct span element_id, enum verify_difference difference,
                              const struct verify_fields *fields, const char *reason);

/** The bar: how many of how many, and of what. Drawn about ten times a second. */
void verify_report_progress(struct verify_report *report, const char *what, uint64_t done,
                            uint64_t total);

/** Takes the bar off the terminal. */
void verify_report_clear(struct verify_report *report);

/** The last lines: how much was compared, and how it came out. */
void verify_report_summary(struct verify_report *report);

#endif
