/**
 * Kafka as the simulation has it: topics in memory, one consumer group, and clients that see of it
 * what a network lets them see, and when.
 *
 * The clients are librdkafka's functions, as many of them as the worker calls, defined in
 * sim_client.c, sim_consumer.c, sim_producer.c and sim_list.c: the simulator is linked with these
 * in librdkafka's place, so that the worker's own sources run as they are (source*.c, sink*.c and
 * kafka_conf.c, too). Faithful where correctness depends on it: order within a partition, an
 * idempotent producer's missing duplicates, eager and cooperative rebalances, generations that
 * fence offset commits, callbacks inside of polls only, a pause that comes too late for what is
 * fetched already.
 *
 * Lifetime: sim_kafka_create() .. sim_kafka_destroy(), after all its clients. Threading: one
 * thread. Memory: every record ever appended is kept.
 */
#ifndef SCENESYNC_TESTS_SIM_KAFKA_H
#define SCENESYNC_TESTS_SIM_KAFKA_H

#include "protocol/arena.h"
#include "tests/ledger/ledger.h"
#include "tests/sim/sim_process.h"

enum { SIM_PARTITIONS_MAX = 16, SIM_TOPICS_MAX = 12 };

struct rd_kafka_headers_s; /* sim_kafka_inside.h */
struct rd_kafka_topic_s;
struct sim_member;

struct sim_record {
    int64_t timestamp_ms;
    uint64_t visible_ms; /* to consumers, from then on */
    struct span key, value;
    struct rd_kafka_headers_s *headers; /* NULL: none */
};

struct sim_partition {
    struct rd_kafka_topic_s *topic;
    int32_t number;
    struct sim_record *records; /* by offset */
    int64_t count, room;
    int64_t committed; /* by the group; -1: nothing */
    const struct sim_member *owner;
};

/** What is told of it, as it happens. */
struct sim_kafka_watch {
    void *context;
    void (*appended)(void *context, const struct sim_partition *partition, int64_t offset);
    void (*committed)(void *context, const struct sim_partition *partition, int64_t from,
                      int64_t to);
};

struct sim_kafka_options {
    int32_t partition_count; /* of every topic */
    uint32_t retries_max;
    bool log_append_time; /* the ops topic stamps its records */
    bool cooperative;
    uint32_t latency_ms_max;
    uint32_t session_ms, rebalance_ms;
    bool auto_commit; /* a deliberate bug: what is delivered counts as committed */
};

struct sim_kafka;

struct sim_kafka *sim_kafka_create(struct sim_time *time, struct dice *dice,
                                   const struct sim_kafka_options *options,
                                   const struct sim_kafka_watch *watch);
void sim_kafka_destroy(struct sim_kafka *kafka);

/** A record of somebody else's; `partition` -1: by its key. Bytes are copied. */
void sim_kafka_send(struct sim_kafka *kafka, const char *topic, int32_t partition, struct span key,
                    struct span value, int64_t timestamp_ms, const char *header);

/** The process is over: whether it left clients behind, which are ended then. */
bool sim_kafka_end_process(struct sim_kafka *kafka, const struct sim_process *process);

/** Whether all that is to be consumed is committed. */
bool sim_kafka_is_consumed(const struct sim_kafka *kafka);

/** Records in all topics. */
uint64_t sim_kafka_record_count(const struct sim_kafka *kafka);

/** What the ledger wants to see. */
void sim_kafka_tell(const struct sim_kafka *kafka, struct ledger *ledger);

/** A number that says what stands in all topics. */
uint64_t sim_kafka_digest(const struct sim_kafka *kafka);

/** One line for each partition that is not consumed, for findings. */
void sim_kafka_print_rest(const struct sim_kafka *kafka, FILE *out);

const char *sim_topic_name(const struct rd_kafka_topic_s *topic);
enum ledger_topic sim_topic_kind(const struct rd_kafka_topic_s *topic);
uint32_t sim_topic_tier(const struct rd_kafka_topic_s *topic);
/** A header's value; absent: it has none of this name. */
struct span sim_record_header(const struct sim_record *record, const char *name);

/* --- Faults --- */

void sim_kafka_set_down(struct sim_kafka *kafka, uint64_t until_ms);
/** Something in the group changed: it shares its partitions out anew. */
void sim_kafka_rebalance(struct sim_kafka *kafka);
/** So many of the next commits do not arrive; or their replies do not. */
void sim_kafka_lose_commits(struct sim_kafka *kafka, unsigned requests, unsigned replies);
void sim_kafka_fail_sends(struct sim_kafka *kafka, unsigned count);
/** The next questions of a client are not answered in time. */
void sim_kafka_fail_asks(struct sim_kafka *kafka, unsigned count);
/** The process's producer meets an error that it cannot go on after. */
void sim_kafka_end_producer(struct sim_kafka *kafka, const struct sim_process *process);
void sim_kafka_mend(struct sim_kafka *kafka);

#endif
