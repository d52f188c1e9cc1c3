/* librdkafka's consumer in the simulation: its polls, in which rebalances and records come, and its
 * end. What it reads is in sim_claims.c, what it commits in sim_commit.c. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_kafka_inside.h"
#include "tests/support/unconst.h"

enum { POLL_US = 15 };

rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *client)
{
    (void)client;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The ops topic and all retry topics, whatever the names are. */
rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *client,
                                       const rd_kafka_topic_partition_list_t *topics)
{
    (void)topics;
    client->is_subscribed = true;
    sim_group_join(client->kafka, client);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- What the group wants --- */

static rd_kafka_topic_partition_list_t *list_all(const struct rd_kafka_s *client)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)client->claim_count);
    for (size_t i = 0; i < client->claim_count; i++) {
        const struct sim_partition *partition = client->claims[i].partition;
        (void)rd_kafka_topic_partition_list_add(list, partition->topic->name, partition->number);
    }
    return list;
}

static rd_kafka_topic_partition_list_t *list_ordered(const struct sim_member *member)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)member->ordered_count);
    for (size_t i = 0; i < member->ordered_count; i++) {
        (void)rd_kafka_topic_partition_list_add(list, member->ordered[i]->topic->name,
                                                member->ordered[i]->number);
    }
    return list;
}

/* Calls back; takes the list. */
static void tell(struct rd_kafka_s *client, rd_kafka_resp_err_t event,
                 rd_kafka_topic_partition_list_t *list)
{
    client->conf.rebalance(client, event, list, client->conf.opaque);
    rd_kafka_topic_partition_list_destroy(list);
}

static void lose_all(struct rd_kafka_s *client)
{
    if (client->claim_count > 0) {
        tell(client, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, list_all(client));
    }
    client->claim_count = 0;
    client->is_lost = false;
    sim_group_join(client->kafka, client);
}

/* Does what the group wants, in callbacks; they may wait, and much may change meanwhile. */
static void obey(struct rd_kafka_s *client)
{
    struct sim_kafka *kafka = client->kafka;
    struct sim_member *member = client->member;
    if (client->process->is_dead || !sim_client_is_linked(client)) {
        return;
    }
    if (client->is_lost) {
        lose_all(client);
        return;
    }
    if (member == NULL || member->order == SIM_ORDER_NONE ||
        member->order_ms > kafka->time->now_ms) {
        return;
    }
    enum sim_order order = member->order;
    bool is_all = order == SIM_ORDER_REVOKE && !kafka->options.cooperative;
    rd_kafka_topic_partition_list_t *list = is_all ? list_all(client) : list_ordered(member);
    member->order = SIM_ORDER_NONE;
    member->ordered_count = 0;
    if (order == SIM_ORDER_ASSIGN) {
        tell(client, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
        return;
    }
    tell(client, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, list);
    if (!client->process->is_dead) {
        sim_group_revoked(kafka, client);
    }
}
/* --- Records --- */

static rd_kafka_message_t *make_message(const struct sim_claim *claim, rd_kafka_resp_err_t error)
{
    rd_kafka_message_t *message = calloc(1, sizeof *message);
    assert(message != NULL);
    message->err = error;
    message->rkt = claim->partition->topic;
    message->partition = claim->partition->number;
    message->offset = claim->position;
    return message;
}

static bool is_open(const struct rd_kafka_s *client, const struct sim_claim *claim)
{
    uint64_t now_ms = client->kafka->time->now_ms;
    return claim->ready_ms <= now_ms && (!claim->is_paused || now_ms < claim->paused_ms);
}

static rd_kafka_message_t *take_of(struct rd_kafka_s *client, struct sim_claim *claim)
{
    struct sim_partition *partition = claim->partition;
    if (!is_open(client, claim)) {
        return NULL;
    }
    if (claim->position < 0 || claim->position > partition->count) {
        claim->position = partition->committed < 0 ? 0 : partition->committed;
    }
    if (claim->position == partition->count) {
        bool is_news = !claim->is_end_told;
        claim->is_end_told = true;
        return is_news ? make_message(claim, RD_KAFKA_RESP_ERR__PARTITION_EOF) : NULL;
    }
    const struct sim_record *record = &partition->records[claim->position];
    if (record->visible_ms > client->kafka->time->now_ms) {
        return NULL;
    }
    rd_kafka_message_t *message = make_message(claim, RD_KAFKA_RESP_ERR_NO_ERROR);
    message->payload = unconst(record->value.data);
    message->len = record->value.size;
    message->key = unconst(record->key.data);
    message->key_len = record->key.size;
    claim->position++;
    claim->is_end_told = false;
    if (client->kafka->options.auto_commit) {
        sim_kafka_commit(client->kafka, partition, claim->position);
    }
    return message;
}

static rd_kafka_message_t *take(struct rd_kafka_s *client)
{
    if (!sim_client_is_linked(client)) {
        return NULL;
    }
    for (size_t i = 0; i < client->claim_count; i++) {
        size_t place = (client->next_claim + i) % client->claim_count;
        rd_kafka_message_t *message = take_of(client, &client->claims[place]);
        if (message != NULL) {
            client->next_claim = dice_chance(client->kafka->dice, 100) ? place + 1 : place;
            return message;
        }
    }
    return NULL;
}

/* When there is something to be seen next, as far as is known. */
static uint64_t next_ms(const struct rd_kafka_s *client)
{
    uint64_t now_ms = client->kafka->time->now_ms;
    uint64_t until_ms = UINT64_MAX;
    if (!sim_client_is_linked(client)) {
        return sim_client_link_ms(client);
    }
    if (client->member != NULL && client->member->order != SIM_ORDER_NONE) {
        until_ms = client->member->order_ms;
    }
    for (size_t i = 0; i < client->claim_count; i++) {
        const struct sim_claim *claim = &client->claims[i];
        if (claim->is_paused) {
            continue;
        }
        if (claim->ready_ms > now_ms) {
            until_ms = sim_time_earlier(until_ms, claim->ready_ms);
        } else if (claim->position >= 0 && claim->position < claim->partition->count) {
            until_ms =
                sim_time_earlier(until_ms, claim->partition->records[claim->position].visible_ms);
        }
    }
    return until_ms;
}

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *client, int timeout_ms)
{
    struct sim_process *process = client->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    sim_process_spend(process, POLL_US);
    for (;;) {
        obey(client);
        rd_kafka_message_t *message = process->is_dead ? NULL : take(client);
        if (message != NULL || sim_process_now_ms(process) >= deadline_ms) {
            return message;
        }
        sim_process_wait(process, sim_time_earlier(deadline_ms, next_ms(client)));
    }
}
/* --- Leaving --- */

rd_kafka_error_t *rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    (void)queue;
    client->is_closing = true;
    return NULL;
}

int rd_kafka_consumer_closed(rd_kafka_t *client)
{
    return client->is_closed || client->process->is_dead;
}

/* Of a consumer that is closing: the revocation, then nothing. */
ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms,
                                     rd_kafka_message_t **messages, size_t count_max)
{
    struct rd_kafka_s *client = queue->client;
    (void)messages;
    (void)count_max;
    if (!client->process->is_dead && sim_client_is_linked(client)) {
        tell(client, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, list_all(client));
        if (!client->process->is_dead) {
            sim_group_leave(client->kafka, client);
            client->is_closed = true;
        }
        return 0;
    }
    sim_process_wait(client->process, sim_process_now_ms(client->process) + (uint64_t)timeout_ms);
    return 0;
}
