/**
 * The parts of the simulated Kafka to one another: the topics (sim_kafka.c), the group
 * (sim_group.c), librdkafka's functions (sim_client.c, sim_consumer.c, sim_claims.c, sim_commit.c,
 * sim_producer.c, sim_list.c). Nobody else includes this.
 *
 * librdkafka's opaque structs are defined here. A client outlives its destruction until what is on
 * its way to the broker has arrived there. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SIM_KAFKA_INSIDE_H
#define SCENESYNC_TESTS_SIM_KAFKA_INSIDE_H

#include <librdkafka/rdkafka.h>

#include "tests/sim/sim_kafka.h"

enum {
    SIM_HEADERS_MAX = 16,
    SIM_CLAIMS_MAX = SIM_PARTITIONS_MAX * SIM_TOPICS_MAX,
    SIM_MEMBERS_MAX = 64 /* those that died and are not missed yet among them */
};

struct sim_header {
    const char *name;
    struct span value;
};

struct rd_kafka_headers_s { /* lives in the arena */
    size_t count;
    struct sim_header items[SIM_HEADERS_MAX];
};

struct rd_kafka_topic_s {
    const char *name;
    enum ledger_topic kind;
    uint32_t tier;
    struct sim_partition partitions[SIM_PARTITIONS_MAX];
};

/** What the group wants of a member, told in its polls. */
enum sim_order { SIM_ORDER_NONE, SIM_ORDER_REVOKE, SIM_ORDER_ASSIGN };

struct sim_member {
    struct rd_kafka_s *client; /* NULL: gone without a word */
    uint64_t generation;
    uint64_t seen_ms;
    bool has_joined; /* the rebalance under way */
    enum sim_order order;
    uint64_t order_ms;
    struct sim_partition *ordered[SIM_CLAIMS_MAX];
    size_t ordered_count;
};

struct sim_kafka {
    struct sim_time *time;
    struct dice *dice;
    struct sim_kafka_options options;
    struct sim_kafka_watch watch;
    struct arena arena; /* records, headers */
    struct rd_kafka_topic_s *topics[SIM_TOPICS_MAX];
    size_t topic_count;
    struct rd_kafka_s *clients;
    uint64_t down_until_ms;
    unsigned commits_lost, commit_replies_lost, sends_failing, asks_failing;
    /* the group */
    struct sim_member *members[SIM_MEMBERS_MAX];
    size_t member_count;
    uint64_t generation, rebalance_until_ms;
    bool is_rebalancing;
};

/** A partition that a consumer was told to read. */
struct sim_claim {
    struct sim_partition *partition;
    int64_t position;  /* -1: not known yet */
    uint64_t ready_ms; /* nothing of it is fetched before */
    bool is_paused, is_end_told;
    uint64_t paused_ms; /* until then what was fetched still comes */
};

/** A message on its way to the broker, or the report on it on its way back. */
struct sim_sending {
    struct sim_sending *next;
    struct rd_kafka_topic_s *topic;
    int32_t partition;
    struct span key, value;
    struct rd_kafka_headers_s *headers;
    void *opaque;
    bool is_lost, is_unreported;
    uint64_t leaves_ms;  /* the client */
    uint64_t visible_ms; /* the report, from then on */
    rd_kafka_resp_err_t error;
};

struct sim_sendings {
    struct sim_sending *first, *last;
};

/** A commit on its way, then the reply. */
struct rd_kafka_op_s {
    struct rd_kafka_op_s *next;
    struct rd_kafka_s *client;
    const struct sim_member *member;
    uint64_t generation;
    rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_resp_err_t error;
    uint64_t visible_ms;
};

struct rd_kafka_conf_s {
    void *opaque;
    void (*rebalance)(rd_kafka_t *client, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque);
    void (*report)(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque);
};

struct rd_kafka_queue_s {
    struct rd_kafka_s *client;
};

struct rd_kafka_s {
    struct rd_kafka_s *next;
    struct sim_kafka *kafka;
    struct sim_process *process;
    rd_kafka_type_t type;
    struct rd_kafka_conf_s conf;
    bool is_destroyed;
    size_t references; /* itself, and what is on its way */
    rd_kafka_resp_err_t fatal;
    /* a consumer's */
    struct sim_member *member; /* NULL: not in the group */
    bool is_subscribed, is_lost, is_closing, is_closed;
    struct sim_claim claims[SIM_CLAIMS_MAX];
    size_t claim_count, next_claim;
    /* librdkafka keeps a pause over a rebalance. */
    const struct sim_partition *left_paused[SIM_CLAIMS_MAX];
    size_t left_paused_count;
    uint64_t commit_arrives_ms;
    struct rd_kafka_op_s *first_commit, *last_commit; /* on their way */
    struct rd_kafka_op_s *first_reply, *last_reply;
    /* a producer's */
    struct sim_sendings sent, reports;
    uint64_t send_arrives_ms, report_visible_ms;
};

/* --- sim_kafka.c --- */

/** Now, and a while that the network takes. */
uint64_t sim_kafka_soon_ms(struct sim_kafka *kafka);
struct rd_kafka_topic_s *sim_kafka_topic(struct sim_kafka *kafka, const char *name);
struct sim_partition *sim_kafka_partition(struct sim_kafka *kafka, const char *topic,
                                          int32_t number);
int32_t sim_kafka_partition_of_key(const struct sim_kafka *kafka, struct span key);
struct sim_partition *sim_kafka_append(struct sim_kafka *kafka, struct rd_kafka_topic_s *topic,
                                       int32_t number, const struct sim_record *record);
void sim_kafka_commit(struct sim_kafka *kafka, struct sim_partition *partition, int64_t offset);
void *sim_kafka_alloc(struct sim_kafka *kafka, size_t size);
struct span sim_kafka_copy(struct sim_kafka *kafka, struct span bytes);
struct rd_kafka_headers_s *sim_kafka_headers(struct sim_kafka *kafka);
void sim_headers_add(struct sim_kafka *kafka, struct rd_kafka_headers_s *headers, struct span name,
                     struct span value);

/* --- sim_client.c --- */

/** Nothing goes from this client to the broker, or back, before. */
uint64_t sim_client_link_ms(const struct rd_kafka_s *client);
bool sim_client_is_linked(const struct rd_kafka_s *client);
void sim_client_release(struct rd_kafka_s *client);
rd_kafka_error_t *sim_error(rd_kafka_resp_err_t code);

/* --- sim_commit.c --- */

/** Commits that are on their way arrive, but for the client there is no answer any more. */
void sim_commit_forget(struct rd_kafka_s *client);

/* --- sim_producer.c --- */

void sim_producer_forget(struct rd_kafka_s *client);

/* --- sim_group.c --- */

/** It becomes a member, with the next rebalance. */
void sim_group_join(struct sim_kafka *kafka, struct rd_kafka_s *client);
/** It says so itself. */
void sim_group_leave(struct sim_kafka *kafka, struct rd_kafka_s *client);
/** It dropped what it was told to: it waits for its share. */
void sim_group_revoked(struct sim_kafka *kafka, struct rd_kafka_s *client);
void sim_group_change(struct sim_kafka *kafka);
/** Begins to look after silent members. */
void sim_group_start(struct sim_kafka *kafka);

#endif
