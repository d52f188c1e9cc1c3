/*
 * The consumer group's coordinator: who is in it, who has which partitions, and what has to be
 * given up before it can be somebody else's.
 *
 * A rebalance begins with every change of the members. Eager: everybody gives up all it has; once
 * all did, all is shared out. Cooperative: everybody gives up what it has too much of; once all
 * did, what is free is shared out. Who does not come by in time is thrown out, and learns of that
 * when it next gets through: until then it goes on with what it has.
 */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_kafka_inside.h"

enum { TICK_MS = 250, HEARTBEAT_MS = 300, JOIN_MS = 100 };

static bool is_consumed_topic(const struct rd_kafka_topic_s *topic)
{
    return topic->kind == LEDGER_OPS || topic->kind == LEDGER_RETRY;
}

static void order(struct sim_kafka *kafka, struct sim_member *member, enum sim_order what)
{
    member->order = what;
    member->order_ms = kafka->time->now_ms + dice_below(kafka->dice, HEARTBEAT_MS);
    if (member->client != NULL) {
        sim_process_wake(member->client->process, member->order_ms);
    }
}

/* --- Shares --- */

static size_t owned_count(const struct sim_kafka *kafka, const struct sim_member *member)
{
    size_t count = 0;
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            count += kafka->topics[i]->partitions[k].owner == member;
        }
    }
    return count;
}

static void give(struct sim_partition *partition, struct sim_member *member)
{
    partition->owner = member;
    member->ordered[member->ordered_count++] = partition;
}

/* By ranges of partition numbers, so that a retry partition goes with its ops partition. Who comes
 * first changes, so that partitions move. */
static void share_by_range(struct sim_kafka *kafka)
{
    size_t count = kafka->member_count;
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            size_t place = (size_t)k * count / (size_t)kafka->options.partition_count;
            if (is_consumed_topic(kafka->topics[i])) {
                give(&kafka->topics[i]->partitions[k],
                     kafka->members[(place + kafka->generation) % count]);
            }
        }
    }
}

static void share_what_is_free(struct sim_kafka *kafka)
{
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            struct sim_partition *partition = &kafka->topics[i]->partitions[k];
            if (!is_consumed_topic(partition->topic) || partition->owner != NULL) {
                continue;
            }
            struct sim_member *least = kafka->members[0];
            for (size_t m = 1; m < kafka->member_count; m++) {
                if (owned_count(kafka, kafka->members[m]) < owned_count(kafka, least)) {
                    least = kafka->members[m];
                }
            }
            give(partition, least);
        }
    }
}

/* What a member has beyond its share, and now and then one more. */
static void list_surplus(struct sim_kafka *kafka, struct sim_member *member)
{
    size_t total = (size_t)kafka->options.partition_count * (1 + kafka->options.retries_max);
    size_t share = (total + kafka->member_count - 1) / kafka->member_count;
    size_t owned = owned_count(kafka, member);
    size_t surplus = owned > share ? owned - share : 0;
    surplus += surplus < owned && dice_chance(kafka->dice, 500);
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            struct sim_partition *partition = &kafka->topics[i]->partitions[k];
            if (partition->owner == member && member->ordered_count < surplus) {
                member->ordered[member->ordered_count++] = partition;
            }
        }
    }
}

/* --- Rebalances --- */

static void complete(struct sim_kafka *kafka)
{
    kafka->is_rebalancing = false;
    kafka->generation++;
    for (size_t m = 0; m < kafka->member_count; m++) {
        kafka->members[m]->ordered_count = 0;
        kafka->members[m]->generation = kafka->generation;
    }
    if (kafka->options.cooperative) {
        share_what_is_free(kafka);
    } else {
        share_by_range(kafka);
    }
    for (size_t m = 0; m < kafka->member_count; m++) {
        order(kafka, kafka->members[m], SIM_ORDER_ASSIGN);
    }
}

static void try_to_complete(struct sim_kafka *kafka)
{
    bool is_complete = kafka->is_rebalancing && kafka->member_count > 0;
    for (size_t m = 0; m < kafka->member_count; m++) {
        is_complete = is_complete && kafka->members[m]->has_joined;
    }
    if (is_complete) {
        complete(kafka);
    }
}

/* An assignment that its member has not heard of yet is void. */
static void take_back_unheard(struct sim_member *member)
{
    for (size_t i = 0; member->order == SIM_ORDER_ASSIGN && i < member->ordered_count; i++) {
        member->ordered[i]->owner = NULL;
    }
    member->order = SIM_ORDER_NONE;
    member->ordered_count = 0;
}

void sim_group_change(struct sim_kafka *kafka)
{
    kafka->is_rebalancing = kafka->member_count > 0;
    kafka->rebalance_until_ms = kafka->time->now_ms + kafka->options.rebalance_ms;
    for (size_t m = 0; m < kafka->member_count; m++) {
        take_back_unheard(kafka->members[m]);
    }
    for (size_t m = 0; m < kafka->member_count; m++) {
        struct sim_member *member = kafka->members[m];
        bool must_revoke = member->client == NULL || member->client->claim_count > 0;
        if (kafka->options.cooperative) {
            list_surplus(kafka, member);
            must_revoke = member->client == NULL || member->ordered_count > 0;
        }
        member->has_joined = !must_revoke;
        if (must_revoke) {
            order(kafka, member, SIM_ORDER_REVOKE);
        }
    }
    try_to_complete(kafka);
}

void sim_group_revoked(struct sim_kafka *kafka, struct rd_kafka_s *client)
{
    struct sim_member *member = client->member;
    if (member == NULL) {
        return; /* too late */
    }
    bool is_given_up = false;
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            struct sim_partition *partition = &kafka->topics[i]->partitions[k];
            bool is_claimed = false;
            for (size_t c = 0; c < client->claim_count; c++) {
                is_claimed = is_claimed || client->claims[c].partition == partition;
            }
            if (partition->owner == member && !is_claimed) {
                partition->owner = NULL;
                is_given_up = true;
            }
        }
    }
    if (is_given_up && !kafka->is_rebalancing) {
        sim_group_change(kafka); /* of a rebalance that another one has overtaken: joins again */
        return;
    }
    member->ordered_count = 0;
    member->has_joined = true;
    try_to_complete(kafka);
}

/* --- Members --- */

static void remove_member(struct sim_kafka *kafka, struct sim_member *member)
{
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            if (kafka->topics[i]->partitions[k].owner == member) {
                kafka->topics[i]->partitions[k].owner = NULL;
            }
        }
    }
    for (size_t m = 0; m < kafka->member_count; m++) {
        if (kafka->members[m] == member) {
            kafka->members[m] = kafka->members[--kafka->member_count];
            break;
        }
    }
    if (member->client != NULL) {
        member->client->member = NULL;
    }
    free(member);
}

static void throw_out(struct sim_kafka *kafka, struct sim_member *member)
{
    if (member->client != NULL) {
        member->client->is_lost = true;
        sim_process_wake(member->client->process, kafka->time->now_ms);
    }
    remove_member(kafka, member);
    sim_group_change(kafka);
}

static void join_now(void *context)
{
    struct rd_kafka_s *client = context;
    struct sim_kafka *kafka = client->kafka;
    if (!client->is_destroyed && !client->process->is_dead && client->member == NULL &&
        !client->is_closing) {
        struct sim_member *member = calloc(1, sizeof *member);
        assert(member != NULL && kafka->member_count < SIM_MEMBERS_MAX);
        member->client = client;
        member->seen_ms = kafka->time->now_ms;
        client->member = member;
        kafka->members[kafka->member_count++] = member;
        sim_group_change(kafka);
    }
    sim_client_release(client);
}

void sim_group_join(struct sim_kafka *kafka, struct rd_kafka_s *client)
{
    client->references++;
    uint64_t at_ms = sim_client_link_ms(client) + dice_below(kafka->dice, JOIN_MS);
    sim_time_plan(kafka->time, at_ms, join_now, client);
}

void sim_group_leave(struct sim_kafka *kafka, struct rd_kafka_s *client)
{
    if (client->member != NULL) {
        remove_member(kafka, client->member);
        sim_group_change(kafka);
    }
}

/* --- Silence --- */

static bool is_heard(const struct sim_kafka *kafka, const struct sim_member *member)
{
    const struct rd_kafka_s *client = member->client;
    return client != NULL && !client->process->is_dead &&
           client->process->stopped_until_ms <= kafka->time->now_ms &&
           client->process->cut_until_ms <= kafka->time->now_ms;
}

/* A coordinator that is away counts no silence. */
static void tick(void *context)
{
    struct sim_kafka *kafka = context;
    uint64_t now_ms = kafka->time->now_ms;
    bool is_down = kafka->down_until_ms > now_ms;
    for (size_t m = kafka->member_count; m > 0; m--) {
        struct sim_member *member = kafka->members[m - 1];
        if (is_down || is_heard(kafka, member)) {
            member->seen_ms = now_ms;
        } else if (now_ms - member->seen_ms >= kafka->options.session_ms) {
            throw_out(kafka, member);
        }
    }
    if (!is_down && kafka->is_rebalancing && now_ms >= kafka->rebalance_until_ms) {
        for (size_t m = 0; m < kafka->member_count; m++) {
            if (!kafka->members[m]->has_joined) {
                throw_out(kafka, kafka->members[m]); /* which begins the next one */
                break;
            }
        }
    }
    sim_time_plan(kafka->time, now_ms + TICK_MS, tick, kafka);
}

void sim_group_start(struct sim_kafka *kafka)
{
    sim_time_plan(kafka->time, kafka->time->now_ms + TICK_MS, tick, kafka);
}
