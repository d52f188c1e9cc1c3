/* librdkafka's idempotent producer in the simulation: in order, each message once, unless the
 * producer itself is given up. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_kafka_inside.h"

enum {
    POLL_US = 10,
    LINGER_MS = 2,
    /* Of a producer that ends: what left it arrives so often. */
    ARRIVES_PER_MILLE = 500
};

static void push(struct sim_sendings *list, struct sim_sending *sending)
{
    sending->next = NULL;
    if (list->first == NULL) {
        list->first = sending;
    } else {
        list->last->next = sending;
    }
    list->last = sending;
}

static struct sim_sending *pop(struct sim_sendings *list)
{
    struct sim_sending *first = list->first;
    list->first = first->next;
    return first;
}

static void drop_all(struct sim_sendings *list)
{
    while (list->first != NULL) {
        free(pop(list));
    }
}

void sim_producer_forget(struct rd_kafka_s *client)
{
    drop_all(&client->sent);
    drop_all(&client->reports);
}

static void report(struct rd_kafka_s *client, struct sim_sending *sending, uint64_t at_ms)
{
    client->report_visible_ms = sim_time_later(client->report_visible_ms, at_ms);
    sending->visible_ms = client->report_visible_ms;
    push(&client->reports, sending);
    sim_process_wake(client->process, sending->visible_ms);
}

static void append(struct sim_kafka *kafka, const struct sim_sending *sending)
{
    const struct sim_record record = {
        .key = sending->key, .value = sending->value, .headers = sending->headers};
    int32_t number = sending->partition >= 0 ? sending->partition
                                             : sim_kafka_partition_of_key(kafka, sending->key);
    (void)sim_kafka_append(kafka, sending->topic, number, &record);
}

/* The first message that is on its way arrives; the others keep their order behind it. */
static void arrive(void *context)
{
    struct rd_kafka_s *client = context;
    struct sim_kafka *kafka = client->kafka;
    if (!sim_client_is_linked(client)) {
        sim_time_plan(kafka->time, sim_client_link_ms(client), arrive, client);
        return;
    }
    struct sim_sending *sending = pop(&client->sent);
    bool is_failing = !sending->is_lost && kafka->sends_failing > 0;
    kafka->sends_failing -= is_failing;
    if (is_failing) {
        sending->error = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    } else if (!sending->is_lost) {
        append(kafka, sending);
    }
    if (sending->is_unreported || client->is_destroyed) {
        free(sending);
    } else {
        report(client, sending, sim_kafka_soon_ms(kafka));
    }
    sim_client_release(client);
}

static struct sim_sending *read_arguments(struct sim_kafka *kafka, const rd_kafka_vu_t *arguments,
                                          size_t count)
{
    struct sim_sending *sending = calloc(1, sizeof *sending);
    assert(sending != NULL);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_vu_t *argument = &arguments[i];
        if (argument->vtype == RD_KAFKA_VTYPE_TOPIC) {
            sending->topic = sim_kafka_topic(kafka, argument->u.cstr);
        } else if (argument->vtype == RD_KAFKA_VTYPE_PARTITION) {
            sending->partition = argument->u.i32;
        } else if (argument->vtype == RD_KAFKA_VTYPE_KEY) {
            sending->key =
                sim_kafka_copy(kafka, span_make(argument->u.mem.ptr, argument->u.mem.size));
        } else if (argument->vtype == RD_KAFKA_VTYPE_VALUE) {
            sending->value =
                sim_kafka_copy(kafka, span_make(argument->u.mem.ptr, argument->u.mem.size));
        } else if (argument->vtype == RD_KAFKA_VTYPE_HEADERS) {
            sending->headers = argument->u.headers;
        } else if (argument->vtype == RD_KAFKA_VTYPE_OPAQUE) {
            sending->opaque = argument->u.ptr;
        } else {
            assert(argument->vtype == RD_KAFKA_VTYPE_MSGFLAGS);
        }
    }
    assert(sending->topic != NULL);
    return sending;
}

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *client, const rd_kafka_vu_t *arguments,
                                     size_t count)
{
    struct sim_kafka *kafka = client->kafka;
    sim_process_spend(client->process, POLL_US);
    if (client->fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return sim_error(RD_KAFKA_RESP_ERR__FATAL);
    }
    if (client->process->is_dead) {
        return sim_error(RD_KAFKA_RESP_ERR__QUEUE_FULL);
    }
    struct sim_sending *sending = read_arguments(kafka, arguments, count);
    sending->leaves_ms = kafka->time->now_ms + dice_below(kafka->dice, LINGER_MS + 1);
    uint64_t travel_ms = dice_below(kafka->dice, kafka->options.latency_ms_max + 1);
    client->send_arrives_ms =
        sim_time_later(client->send_arrives_ms, sending->leaves_ms + travel_ms);
    push(&client->sent, sending);
    client->references++;
    sim_time_plan(kafka->time, client->send_arrives_ms, arrive, client);
    return NULL;
}

/* --- Reports --- */

/* Gives the reports that are there. */
static int serve(struct rd_kafka_s *client)
{
    int count = 0;
    while (client->reports.first != NULL &&
           client->reports.first->visible_ms <= sim_process_now_ms(client->process)) {
        struct sim_sending *sending = pop(&client->reports);
        rd_kafka_message_t message = {
            .err = sending->error,
            .rkt = sending->topic,
            .partition = sending->partition,
            ._private = sending->opaque,
        };
        free(sending);
        client->conf.report(client, &message, client->conf.opaque);
        count++;
    }
    return count;
}

static uint64_t report_ms(const struct rd_kafka_s *client)
{
    return client->reports.first == NULL ? UINT64_MAX : client->reports.first->visible_ms;
}

int rd_kafka_poll(rd_kafka_t *client, int timeout_ms)
{
    struct sim_process *process = client->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    sim_process_spend(process, POLL_US);
    for (;;) {
        int count = process->is_dead ? 0 : serve(client);
        bool is_over = client->fatal != RD_KAFKA_RESP_ERR_NO_ERROR ||
                       sim_process_now_ms(process) >= deadline_ms;
        if (count > 0 || is_over) {
            return count;
        }
        uint64_t next_ms = report_ms(client);
        sim_process_wait(process, next_ms < deadline_ms ? next_ms : deadline_ms);
    }
}

rd_kafka_resp_err_t rd_kafka_flush(rd_kafka_t *client, int timeout_ms)
{
    struct sim_process *process = client->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    for (;;) {
        (void)serve(client);
        if (client->reports.first == NULL) {
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
        if (sim_process_now_ms(process) >= deadline_ms) {
            return RD_KAFKA_RESP_ERR__TIMED_OUT;
        }
        sim_process_wait(process,
                         report_ms(client) < deadline_ms ? report_ms(client) : deadline_ms);
    }
}

/* What has left arrives or not: nobody will be told. What has not is nobody's any more. */
rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *client, int flags)
{
    struct sim_kafka *kafka = client->kafka;
    (void)flags;
    for (struct sim_sending *report = client->reports.first; report != NULL;
         report = report->next) {
        report->error = RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
        report->visible_ms = 0;
    }
    for (struct sim_sending *sending = client->sent.first; sending != NULL;
         sending = sending->next) {
        if (sending->is_unreported) {
            continue;
        }
        bool has_left = sending->leaves_ms <= kafka->time->now_ms;
        sending->is_lost = !has_left || !dice_chance(kafka->dice, ARRIVES_PER_MILLE);
        sending->is_unreported = true;
        struct sim_sending *purged = calloc(1, sizeof *purged);
        assert(purged != NULL);
        *purged = *sending;
        purged->error =
            has_left ? RD_KAFKA_RESP_ERR__PURGE_INFLIGHT : RD_KAFKA_RESP_ERR__PURGE_QUEUE;
        purged->visible_ms = 0;
        push(&client->reports, purged);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
