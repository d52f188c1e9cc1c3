/* librdkafka's consumer in the simulation: polls, rebalances, pauses, seeks, offset commits. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_kafka_inside.h"

enum {
    POLL_US = 15,
    FETCH_AGAIN_MS = 20, /* after a pause or a seek */
    PAUSE_LATE_MS = 3,   /* so long what was fetched before a pause may still come */
    NOT_STARTED_PER_MILLE = 100,
    COMMIT_TIMEOUT_MS = 3000
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t soon_ms(struct rd_kafka_s *client, uint32_t within_ms)
{
    return client->kafka->time->now_ms + soak_random_below(client->kafka->random, within_ms + 1);
}

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

/* --- Claims --- */

static struct sim_claim *find_claim(struct rd_kafka_s *client, const char *topic, int32_t number)
{
    const struct sim_partition *partition = sim_kafka_partition(client->kafka, topic, number);
    for (size_t i = 0; i < client->claim_count; i++) {
        if (client->claims[i].partition == partition) {
            return &client->claims[i];
        }
    }
    return NULL;
}

/* Whether it was paused when it was given up; forgets that. */
static bool take_left_paused(struct rd_kafka_s *client, const struct sim_partition *partition)
{
    for (size_t i = 0; i < client->left_paused_count; i++) {
        if (client->left_paused[i] == partition) {
            client->left_paused[i] = client->left_paused[--client->left_paused_count];
            return true;
        }
    }
    return false;
}

static void drop_claim(struct rd_kafka_s *client, size_t place)
{
    const struct sim_claim *claim = &client->claims[place];
    if (claim->is_paused) {
        client->left_paused[client->left_paused_count++] = claim->partition;
    }
    client->claims[place] = client->claims[--client->claim_count];
}

static void add_claims(struct rd_kafka_s *client, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct sim_partition *partition =
            sim_kafka_partition(client->kafka, list->elems[i].topic, list->elems[i].partition);
        assert(find_claim(client, list->elems[i].topic, list->elems[i].partition) == NULL);
        client->claims[client->claim_count++] = (struct sim_claim){
            .partition = partition,
            .position = -1,
            .ready_ms = sim_client_link_ms(client) +
                        soak_random_below(client->kafka->random, FETCH_AGAIN_MS),
            .is_paused = take_left_paused(client, partition),
        };
    }
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *client,
                                    const rd_kafka_topic_partition_list_t *partitions)
{
    while (client->claim_count > 0) {
        drop_claim(client, client->claim_count - 1);
    }
    if (partitions != NULL) {
        add_claims(client, partitions);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_error_t *rd_kafka_incremental_assign(rd_kafka_t *client,
                                              const rd_kafka_topic_partition_list_t *partitions)
{
    add_claims(client, partitions);
    return NULL;
}

rd_kafka_error_t *rd_kafka_incremental_unassign(rd_kafka_t *client,
                                                const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        const struct sim_claim *claim =
            find_claim(client, partitions->elems[i].topic, partitions->elems[i].partition);
        assert(claim != NULL);
        drop_claim(client, (size_t)(claim - client->claims));
    }
    return NULL;
}

const char *rd_kafka_rebalance_protocol(rd_kafka_t *client)
{
    if (client->is_closing) {
        return NULL;
    }
    return client->kafka->options.cooperative ? "COOPERATIVE" : "EAGER";
}

int rd_kafka_assignment_lost(rd_kafka_t *client)
{
    return client->is_lost;
}

static rd_kafka_resp_err_t set_paused(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list,
                                      bool is_paused)
{
    for (int i = 0; i < list->cnt; i++) {
        struct sim_claim *claim =
            find_claim(client, list->elems[i].topic, list->elems[i].partition);
        list->elems[i].err =
            claim != NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
        if (claim != NULL) {
            claim->is_paused = is_paused;
            claim->paused_ms = soon_ms(client, PAUSE_LATE_MS);
            claim->ready_ms = is_paused ? claim->ready_ms : soon_ms(client, FETCH_AGAIN_MS);
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_pause_partitions(rd_kafka_t *client,
                                              rd_kafka_topic_partition_list_t *partitions)
{
    return set_paused(client, partitions, true);
}

rd_kafka_resp_err_t rd_kafka_resume_partitions(rd_kafka_t *client,
                                               rd_kafka_topic_partition_list_t *partitions)
{
    return set_paused(client, partitions, false);
}

/* Of a partition just assigned, the client may not be ready yet. */
rd_kafka_error_t *rd_kafka_seek_partitions(rd_kafka_t *client,
                                           rd_kafka_topic_partition_list_t *partitions,
                                           int timeout_ms)
{
    (void)timeout_ms;
    for (int i = 0; i < partitions->cnt; i++) {
        rd_kafka_topic_partition_t *entry = &partitions->elems[i];
        struct sim_claim *claim = find_claim(client, entry->topic, entry->partition);
        if (claim == NULL || client->process->is_dead) {
            entry->err = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
        } else if (soak_random_chance(client->kafka->random, NOT_STARTED_PER_MILLE)) {
            entry->err = RD_KAFKA_RESP_ERR__STATE;
        } else {
            claim->position = entry->offset == RD_KAFKA_OFFSET_BEGINNING ? 0 : entry->offset;
            claim->ready_ms = soon_ms(client, FETCH_AGAIN_MS);
            claim->paused_ms = 0;
            claim->is_end_told = false;
            entry->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        }
    }
    return NULL;
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

/* librdkafka's messages are not const-correct. */
static void *lent(const void *data)
{
    union {
        const void *from;
        void *to;
    } pointer = {.from = data};
    return pointer.to;
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
    message->payload = lent(record->value.data);
    message->len = record->value.size;
    message->key = lent(record->key.data);
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
            client->next_claim = soak_random_chance(client->kafka->random, 100) ? place + 1 : place;
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
            until_ms = earlier(until_ms, claim->ready_ms);
        } else if (claim->position >= 0 && claim->position < claim->partition->count) {
            until_ms = earlier(until_ms, claim->partition->records[claim->position].visible_ms);
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
        sim_process_wait(process, earlier(deadline_ms, next_ms(client)));
    }
}

/* --- Commits --- */

static void push(struct rd_kafka_op_s **first, struct rd_kafka_op_s **last,
                 struct rd_kafka_op_s *commit)
{
    commit->next = NULL;
    if (*first == NULL) {
        *first = commit;
    } else {
        (*last)->next = commit;
    }
    *last = commit;
}

static void apply(struct rd_kafka_op_s *commit)
{
    struct sim_kafka *kafka = commit->client->kafka;
    for (int i = 0; i < commit->offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &commit->offsets->elems[i];
        sim_kafka_commit(kafka, sim_kafka_partition(kafka, entry->topic, entry->partition),
                         entry->offset);
    }
}

/* The first commit that is on its way arrives. Of a client that died meanwhile, too. */
static void arrive(void *context)
{
    struct rd_kafka_s *client = context;
    struct sim_kafka *kafka = client->kafka;
    struct rd_kafka_op_s *commit = client->first_commit;
    if (!sim_client_is_linked(client)) {
        sim_time_plan(kafka->time, sim_client_link_ms(client), arrive, client);
        return;
    }
    client->first_commit = commit->next;
    bool is_lost = kafka->commits_lost > 0;
    kafka->commits_lost -= is_lost;
    bool is_member = false;
    for (size_t m = 0; m < kafka->member_count; m++) {
        is_member = is_member || (kafka->members[m] == commit->member &&
                                  kafka->members[m]->generation == commit->generation);
    }
    if (is_lost) {
        commit->error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    } else if (!is_member) {
        commit->error = RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
    } else {
        apply(commit);
        is_lost = kafka->commit_replies_lost > 0;
        kafka->commit_replies_lost -= is_lost;
        commit->error = is_lost ? RD_KAFKA_RESP_ERR__TIMED_OUT : RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    commit->visible_ms =
        is_lost ? kafka->time->now_ms + COMMIT_TIMEOUT_MS : sim_kafka_soon_ms(kafka);
    push(&client->first_reply, &client->last_reply, commit);
    if (!client->is_destroyed) {
        sim_process_wake(client->process, commit->visible_ms);
    }
    sim_client_release(client);
}

rd_kafka_resp_err_t
rd_kafka_commit_queue(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *offsets,
                      rd_kafka_queue_t *queue,
                      void (*callback)(rd_kafka_t *client, rd_kafka_resp_err_t error,
                                       rd_kafka_topic_partition_list_t *offsets, void *opaque),
                      void *opaque)
{
    (void)queue;
    (void)callback;
    (void)opaque;
    if (client->process->is_dead) {
        return RD_KAFKA_RESP_ERR__DESTROY;
    }
    struct sim_kafka *kafka = client->kafka;
    struct rd_kafka_op_s *commit = calloc(1, sizeof *commit);
    assert(commit != NULL);
    commit->client = client;
    commit->member = client->member;
    commit->generation = client->member == NULL ? 0 : client->member->generation;
    commit->offsets = rd_kafka_topic_partition_list_new(offsets->cnt);
    for (int i = 0; i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &offsets->elems[i];
        rd_kafka_topic_partition_list_add(commit->offsets, entry->topic, entry->partition)->offset =
            entry->offset;
    }
    uint64_t at_ms = sim_kafka_soon_ms(kafka);
    client->commit_arrives_ms =
        at_ms > client->commit_arrives_ms ? at_ms : client->commit_arrives_ms;
    push(&client->first_commit, &client->last_commit, commit);
    client->references++;
    sim_time_plan(kafka->time, client->commit_arrives_ms, arrive, client);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void drop_commits(struct rd_kafka_op_s *first)
{
    while (first != NULL) {
        struct rd_kafka_op_s *next = first->next;
        rd_kafka_event_destroy(first);
        first = next;
    }
}

void sim_consumer_forget(struct rd_kafka_s *client)
{
    drop_commits(client->first_commit);
    drop_commits(client->first_reply);
}

rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *client)
{
    rd_kafka_queue_t *queue = calloc(1, sizeof *queue);
    assert(queue != NULL);
    queue->client = client;
    return queue;
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
    free(queue);
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    struct rd_kafka_s *client = queue->client;
    struct sim_process *process = client->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    for (;;) {
        struct rd_kafka_op_s *reply = client->first_reply;
        uint64_t now_ms = sim_process_now_ms(process);
        if (!process->is_dead && reply != NULL && reply->visible_ms <= now_ms) {
            client->first_reply = reply->next;
            return reply;
        }
        if (now_ms >= deadline_ms) {
            return NULL;
        }
        sim_process_wait(process,
                         earlier(deadline_ms, reply == NULL ? UINT64_MAX : reply->visible_ms));
    }
}

rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *event)
{
    (void)event;
    return RD_KAFKA_EVENT_OFFSET_COMMIT;
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    return event->error;
}

rd_kafka_topic_partition_list_t *rd_kafka_event_topic_partition_list(rd_kafka_event_t *event)
{
    return event->offsets;
}

void rd_kafka_event_destroy(rd_kafka_event_t *event)
{
    rd_kafka_topic_partition_list_destroy(event->offsets);
    free(event);
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
