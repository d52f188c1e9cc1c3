/* librdkafka's offset commits: on their way to the group, and the replies, polled from a queue. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_kafka_inside.h"

enum { COMMIT_TIMEOUT_MS = 3000 };

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

void sim_commit_forget(struct rd_kafka_s *client)
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
        sim_process_wait(
            process, sim_time_earlier(deadline_ms, reply == NULL ? UINT64_MAX : reply->visible_ms));
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
