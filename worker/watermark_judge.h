/**
 * Where the work on a partition starts, from what the store, Kafka and this worker know of it
 * (store.md section 4). A pure function. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_WATERMARK_JUDGE_H
#define SCENESYNC_WORKER_WATERMARK_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

/** Next offsets; -1: unknown. */
struct watermark_case {
    int64_t found;     /* what the watermark says */
    int64_t committed; /* what Kafka has committed */
    int64_t known;     /* what this worker had raised the watermark to itself */
    int64_t log_end;  /* of Kafka's log; needed where nothing is committed and something is found */
    bool is_accepted; /* lost writes are to be left lost */
};

struct watermark_judgement {
    bool is_lost; /* records from `lost_from` up to below `lost_until` left no trace */
    int64_t lost_from, lost_until;
    bool is_recreated;    /* the topic was made anew: what the watermark says is of the old one */
    int64_t start;        /* where to read; -1: from the beginning of what Kafka has */
    int64_t mark;         /* what the watermark is to say; at least 0 */
    int64_t replay_until; /* records below it are replayed; -1: none */
};

struct watermark_judgement watermark_judge(const struct watermark_case *partition);

#endif
