/**
 * Whether a topic is as the workers need it: a pure function of what its brokers say and what the
 * settings demand, for `scenesync topics` and `scenesync doctor`.
 *
 * Threading: stateless. Cost: some lines of text.
 */
#ifndef SCENESYNC_WORKER_TOPIC_JUDGE_H
#define SCENESYNC_WORKER_TOPIC_JUDGE_H

#include "worker/findings.h"
#include "worker/topic_admin.h"

/** What topics are held against. */
struct topic_rules {
    const struct settings *settings;
    uint64_t message_bytes_max;  /* the largest that the worker's producer sends */
    int32_t ops_partition_count; /* 0: not known */
    int broker_count;            /* on a single one there is but one replica */
};

/**
 * Judges an existing topic: partitions, replicas, and its entries where they are known. With
 * `is_brief` what is well is not mentioned.
 */
void topic_judge(const struct topic_rules *rules, const struct topic_plan *plan,
                 const struct topic_state *state, bool is_brief, struct findings *findings);

#endif
