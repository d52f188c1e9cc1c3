/**
 * The checks of `scenesync doctor`, each against the live Kafka and Redis that the settings name.
 *
 * They change nothing but scratch keys in Redis, which they remove, and write no record. Threading:
 * one thread. Every check adds its findings and blocks for `timeout_ms` at most, unless it says
 * otherwise.
 */
#ifndef SCENESYNC_WORKER_DOCTOR_H
#define SCENESYNC_WORKER_DOCTOR_H

#include "store/redis_facts.h"
#include "worker/command_kafka.h"
#include "worker/topic_judge.h"

struct doctor {
    const struct settings *settings;
    struct clock *clock;
    int timeout_ms;
    struct findings *findings;
};

/** Adds a finding without a subject. `cure` NULL: nothing is to be done. */
void doctor_say(const struct doctor *doctor, enum finding_level level, const char *check,
                const char *cure, const char *format, ...) __attribute__((format(printf, 5, 6)));

/** What concerns the settings of the Kafka clients alone. */
void doctor_check_clients(const struct doctor *doctor);

/** Reaches Redis, asks it about itself, and runs the worker's own self test on it. Returns false
 * where it is not reached. */
__attribute__((warn_unused_result)) bool doctor_check_redis(const struct doctor *doctor);

/** What a Redis says about itself, judged; pure. */
void doctor_judge_redis(const struct doctor *doctor, const struct redis_facts *facts);

/** Topics as they were read, for the checks behind it. */
struct doctor_topics {
    size_t count;
    struct topic_plan plans[TOPIC_PLAN_COUNT_MAX];
    struct topic_state states[TOPIC_PLAN_COUNT_MAX];
    const char *names[TOPIC_PLAN_COUNT_MAX];
};

/** Reaches Kafka and judges every topic. Returns false where it is not reached. */
__attribute__((warn_unused_result)) bool doctor_check_topics(const struct doctor *doctor,
                                                             struct command_kafka *kafka,
                                                             struct doctor_topics *topics);

/** Who is in the consumer group. */
void doctor_check_group(const struct doctor *doctor, rd_kafka_t *client);

/**
 * The rights on topics and group, tried with requests that a broker refuses for another reason once
 * they are allowed: offsets committed for a partition that cannot be, records sent with an
 * impossible acknowledgement. `client` is a consumer of the group that has not joined it.
 */
void doctor_check_rights(const struct doctor *doctor, rd_kafka_t *client,
                         const struct doctor_topics *topics);

#endif
