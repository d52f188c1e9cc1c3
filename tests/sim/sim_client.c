/* librdkafka's clients in the simulation: their life, their configuration, what they ask. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_kafka_inside.h"

/* Newer than 2.2, which the worker need not work around; no number of a real release. */
enum { VERSION = 0x02ffffff };

int rd_kafka_version(void)
{
    return VERSION;
}

/* --- Configuration --- */

rd_kafka_conf_t *rd_kafka_conf_new(void)
{
    rd_kafka_conf_t *conf = calloc(1, sizeof *conf);
    assert(conf != NULL);
    return conf;
}

void rd_kafka_conf_destroy(rd_kafka_conf_t *conf)
{
    free(conf);
}

/* What clients are set to is the simulation's own business. */
rd_kafka_conf_res_t rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                      char *reason, size_t reason_bytes)
{
    (void)conf;
    (void)name;
    (void)value;
    (void)reason;
    (void)reason_bytes;
    return RD_KAFKA_CONF_OK;
}

/* So none of them is refused, and no other is suggested. */
void rd_kafka_conf_properties_show(FILE *stream)
{
    (void)stream;
}

void rd_kafka_conf_set_opaque(rd_kafka_conf_t *conf, void *opaque)
{
    conf->opaque = opaque;
}

void rd_kafka_conf_set_log_cb(rd_kafka_conf_t *conf,
                              void (*log)(const rd_kafka_t *client, int level, const char *facility,
                                          const char *text))
{
    (void)conf;
    (void)log;
}

void rd_kafka_conf_set_error_cb(rd_kafka_conf_t *conf,
                                void (*tell)(rd_kafka_t *client, int error, const char *reason,
                                             void *opaque))
{
    (void)conf;
    (void)tell;
}

/* There is no TLS here. */
rd_kafka_conf_res_t rd_kafka_conf_set_ssl_cert_verify_cb(
    rd_kafka_conf_t *conf,
    int (*verify)(rd_kafka_t *client, const char *broker_name, int32_t broker_id, int *error,
                  int depth, const char *bytes, size_t size, char *message, size_t message_bytes,
                  void *opaque))
{
    (void)conf;
    (void)verify;
    return RD_KAFKA_CONF_INVALID;
}

void rd_kafka_conf_set_rebalance_cb(rd_kafka_conf_t *conf,
                                    void (*rebalance)(rd_kafka_t *client, rd_kafka_resp_err_t error,
                                                      rd_kafka_topic_partition_list_t *partitions,
                                                      void *opaque))
{
    conf->rebalance = rebalance;
}

void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf,
                                 void (*report)(rd_kafka_t *client,
                                                const rd_kafka_message_t *message, void *opaque))
{
    conf->report = report;
}

/* --- Life --- */

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *reason,
                         size_t reason_bytes)
{
    rd_kafka_t *client = calloc(1, sizeof *client);
    (void)reason;
    (void)reason_bytes;
    assert(client != NULL);
    client->process = sim_process_current();
    client->kafka = client->process->kafka;
    client->type = type;
    client->conf = *conf;
    client->references = 1;
    client->next = client->kafka->clients;
    client->kafka->clients = client;
    free(conf);
    return client;
}

void sim_client_release(struct rd_kafka_s *client)
{
    client->references--;
    if (client->references > 0) {
        return;
    }
    struct rd_kafka_s **link = &client->kafka->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    sim_commit_forget(client);
    sim_producer_forget(client);
    free(client);
}

void rd_kafka_destroy(rd_kafka_t *client)
{
    client->is_destroyed = true;
    client->is_closed = true;
    client->claim_count = 0;
    if (client->member != NULL) {
        client->member->client = NULL; /* its process died; the group finds out in time */
        client->member = NULL;
    }
    sim_client_release(client);
}

void rd_kafka_destroy_flags(rd_kafka_t *client, int flags)
{
    (void)flags;
    rd_kafka_destroy(client);
}

bool sim_kafka_end_process(struct sim_kafka *kafka, const struct sim_process *process)
{
    bool is_any = false;
    for (struct rd_kafka_s *client = kafka->clients; client != NULL;) {
        struct rd_kafka_s *next = client->next;
        if (!client->is_destroyed && client->process == process) {
            rd_kafka_destroy(client);
            is_any = true;
        }
        client = next;
    }
    return is_any;
}

void *rd_kafka_opaque(const rd_kafka_t *client)
{
    return client->conf.opaque;
}

rd_kafka_resp_err_t rd_kafka_fatal_error(rd_kafka_t *client, char *reason, size_t reason_bytes)
{
    if (client->fatal != RD_KAFKA_RESP_ERR_NO_ERROR && reason != NULL) {
        (void)snprintf(reason, reason_bytes, "a simulated fatal error");
    }
    return client->fatal;
}

/* --- The link to the broker --- */

uint64_t sim_client_link_ms(const struct rd_kafka_s *client)
{
    uint64_t away_ms = sim_time_later(client->kafka->down_until_ms,
                                      client->is_destroyed ? 0 : client->process->cut_until_ms);
    return sim_time_later(client->kafka->time->now_ms, away_ms);
}

bool sim_client_is_linked(const struct rd_kafka_s *client)
{
    return sim_client_link_ms(client) == client->kafka->time->now_ms;
}

/* --- Questions --- */

/* Waits for an answer. False: it did not come in time. */
static bool is_answered(rd_kafka_t *client, int timeout_ms)
{
    struct sim_kafka *kafka = client->kafka;
    struct sim_process *process = client->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    uint64_t answer_ms =
        sim_client_link_ms(client) + 1 + dice_below(kafka->dice, kafka->options.latency_ms_max + 1);
    bool is_failing = !process->is_dead && kafka->asks_failing > 0;
    kafka->asks_failing -= is_failing;
    bool is_late = is_failing || process->is_dead || answer_ms > deadline_ms;
    uint64_t until_ms = is_late ? deadline_ms : answer_ms;
    while (sim_process_now_ms(process) < until_ms) {
        sim_process_wait(process, until_ms);
    }
    return !is_late && !process->is_dead;
}

rd_kafka_resp_err_t rd_kafka_committed(rd_kafka_t *client,
                                       rd_kafka_topic_partition_list_t *partitions, int timeout_ms)
{
    if (!is_answered(client, timeout_ms)) {
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    for (int i = 0; i < partitions->cnt; i++) {
        rd_kafka_topic_partition_t *entry = &partitions->elems[i];
        const struct sim_partition *partition =
            sim_kafka_partition(client->kafka, entry->topic, entry->partition);
        bool is_known = partition != NULL && partition->committed >= 0;
        entry->offset = is_known ? partition->committed : RD_KAFKA_OFFSET_INVALID;
        entry->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_offsets_for_times(rd_kafka_t *client,
                                               rd_kafka_topic_partition_list_t *times,
                                               int timeout_ms)
{
    if (!is_answered(client, timeout_ms)) {
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    for (int i = 0; i < times->cnt; i++) {
        rd_kafka_topic_partition_t *entry = &times->elems[i];
        const struct sim_partition *partition =
            sim_kafka_partition(client->kafka, entry->topic, entry->partition);
        assert(partition != NULL);
        assert(entry->offset == RD_KAFKA_OFFSET_END || entry->offset == RD_KAFKA_OFFSET_BEGINNING);
        entry->offset = entry->offset == RD_KAFKA_OFFSET_END ? partition->count : 0;
        entry->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *client, const char *name,
                                     rd_kafka_topic_conf_t *conf)
{
    (void)conf;
    return sim_kafka_topic(client->kafka, name);
}

void rd_kafka_topic_destroy(rd_kafka_topic_t *topic)
{
    (void)topic;
}
