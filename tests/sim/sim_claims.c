/* Which partitions a consumer reads, and from where: librdkafka's assignment, pauses, seeks. */
#include <assert.h>

#include "tests/sim/sim_kafka_inside.h"

enum {
    FETCH_AGAIN_MS = 20, /* after a pause or a seek */
    PAUSE_LATE_MS = 3,   /* so long what was fetched before a pause may still come */
    NOT_STARTED_PER_MILLE = 100
};

static uint64_t soon_ms(struct rd_kafka_s *client, uint32_t within_ms)
{
    return client->kafka->time->now_ms + dice_below(client->kafka->dice, within_ms + 1);
}

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
            .ready_ms =
                sim_client_link_ms(client) + dice_below(client->kafka->dice, FETCH_AGAIN_MS),
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
        } else if (dice_chance(client->kafka->dice, NOT_STARTED_PER_MILLE)) {
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
