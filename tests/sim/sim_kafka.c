/* Topics, partitions and their records (sim_kafka.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tests/model/pool.h"
#include "tests/sim/sim_kafka_inside.h"

enum { NAME_BYTES = 32 };

#define ARENA_BYTES_MAX ((size_t)1 << 40)

void *sim_kafka_alloc(struct sim_kafka *kafka, size_t size)
{
    void *memory = arena_alloc(&kafka->arena, size);
    assert(memory != NULL);
    return memory;
}

struct span sim_kafka_copy(struct sim_kafka *kafka, struct span bytes)
{
    if (span_is_absent(bytes)) {
        return bytes;
    }
    uint8_t *copy = sim_kafka_alloc(kafka, bytes.size + 1);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    return span_make(copy, bytes.size);
}

/* --- Topics --- */

static void add_topic(struct sim_kafka *kafka, enum ledger_topic kind, uint32_t tier,
                      const char *format)
{
    struct rd_kafka_topic_s *topic = calloc(1, sizeof *topic);
    assert(topic != NULL && kafka->topic_count < SIM_TOPICS_MAX);
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s", format);
    if (tier > 0) {
        (void)snprintf(name, sizeof name, "scene.ops.retry-%u", (unsigned)tier);
    }
    topic->name = (const char *)sim_kafka_copy(kafka, span_of_text(name)).data;
    topic->kind = kind;
    topic->tier = tier;
    for (int32_t i = 0; i < kafka->options.partition_count; i++) {
        topic->partitions[i] = (struct sim_partition){.topic = topic, .number = i, .committed = -1};
    }
    kafka->topics[kafka->topic_count++] = topic;
}

struct sim_kafka *sim_kafka_create(struct sim_time *time, struct dice *dice,
                                   const struct sim_kafka_options *options,
                                   const struct sim_kafka_watch *watch)
{
    struct sim_kafka *kafka = calloc(1, sizeof *kafka);
    assert(kafka != NULL && options->partition_count <= SIM_PARTITIONS_MAX);
    kafka->time = time;
    kafka->dice = dice;
    kafka->options = *options;
    kafka->watch = *watch;
    arena_init(&kafka->arena, ARENA_BYTES_MAX);
    add_topic(kafka, LEDGER_OPS, 0, "scene.ops");
    for (uint32_t tier = 1; tier <= options->retries_max; tier++) {
        add_topic(kafka, LEDGER_RETRY, tier, "");
    }
    add_topic(kafka, LEDGER_RESULTS, 0, "scene.results");
    add_topic(kafka, LEDGER_DEAD, 0, "scene.ops.dlq");
    sim_group_start(kafka);
    return kafka;
}

void sim_kafka_destroy(struct sim_kafka *kafka)
{
    while (kafka->clients != NULL) { /* those that something was still on its way from */
        struct rd_kafka_s *client = kafka->clients;
        assert(client->is_destroyed);
        client->references = 1;
        sim_client_release(client);
    }
    for (size_t i = 0; i < kafka->member_count; i++) {
        free(kafka->members[i]);
    }
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            free(kafka->topics[i]->partitions[k].records);
        }
        free(kafka->topics[i]);
    }
    arena_deinit(&kafka->arena);
    free(kafka);
}

struct rd_kafka_topic_s *sim_kafka_topic(struct sim_kafka *kafka, const char *name)
{
    for (size_t i = 0; i < kafka->topic_count; i++) {
        if (strcmp(kafka->topics[i]->name, name) == 0) {
            return kafka->topics[i];
        }
    }
    return NULL;
}

struct sim_partition *sim_kafka_partition(struct sim_kafka *kafka, const char *topic,
                                          int32_t number)
{
    struct rd_kafka_topic_s *found = sim_kafka_topic(kafka, topic);
    return found != NULL && number >= 0 && number < kafka->options.partition_count
               ? &found->partitions[number]
               : NULL;
}

int32_t sim_kafka_partition_of_key(const struct sim_kafka *kafka, struct span key)
{
    uint64_t hash = key.size == 0 ? 0 : XXH3_64bits(key.data, key.size);
    return (int32_t)(hash % (uint64_t)kafka->options.partition_count);
}

const char *sim_topic_name(const struct rd_kafka_topic_s *topic)
{
    return topic->name;
}

enum ledger_topic sim_topic_kind(const struct rd_kafka_topic_s *topic)
{
    return topic->kind;
}

uint32_t sim_topic_tier(const struct rd_kafka_topic_s *topic)
{
    return topic->tier;
}

/* --- Records --- */

uint64_t sim_kafka_soon_ms(struct sim_kafka *kafka)
{
    return kafka->time->now_ms + dice_below(kafka->dice, kafka->options.latency_ms_max + 1);
}

struct rd_kafka_headers_s *sim_kafka_headers(struct sim_kafka *kafka)
{
    struct rd_kafka_headers_s *headers = sim_kafka_alloc(kafka, sizeof *headers);
    headers->count = 0;
    return headers;
}

void sim_headers_add(struct sim_kafka *kafka, struct rd_kafka_headers_s *headers, struct span name,
                     struct span value)
{
    assert(headers->count < SIM_HEADERS_MAX);
    headers->items[headers->count++] = (struct sim_header){
        .name = (const char *)sim_kafka_copy(kafka, name).data,
        .value = sim_kafka_copy(kafka, value),
    };
}

struct span sim_record_header(const struct sim_record *record, const char *name)
{
    for (size_t i = record->headers == NULL ? 0 : record->headers->count; i > 0; i--) {
        if (strcmp(record->headers->items[i - 1].name, name) == 0) {
            return record->headers->items[i - 1].value;
        }
    }
    return (struct span){0};
}

/* Whoever reads it will see it. */
static void wake_readers(struct sim_kafka *kafka, const struct sim_partition *partition,
                         uint64_t at_ms)
{
    for (struct rd_kafka_s *client = kafka->clients; client != NULL; client = client->next) {
        for (size_t i = 0; !client->is_destroyed && i < client->claim_count; i++) {
            if (client->claims[i].partition == partition) {
                sim_process_wake(client->process, at_ms);
            }
        }
    }
}

struct sim_partition *sim_kafka_append(struct sim_kafka *kafka, struct rd_kafka_topic_s *topic,
                                       int32_t number, const struct sim_record *record)
{
    struct sim_partition *partition = &topic->partitions[number];
    if (partition->count == partition->room) {
        partition->room = partition->room * 2 + 64;
        partition->records =
            grown(partition->records, (size_t)partition->room, sizeof *partition->records);
    }
    struct sim_record *kept = &partition->records[partition->count++];
    *kept = *record;
    kept->visible_ms = sim_kafka_soon_ms(kafka);
    if (partition->count > 1 && kept[-1].visible_ms > kept->visible_ms) {
        kept->visible_ms = kept[-1].visible_ms;
    }
    if (kafka->options.log_append_time || topic->kind != LEDGER_OPS) {
        kept->timestamp_ms = (int64_t)SIM_START_S * 1000 + (int64_t)kafka->time->now_ms;
    }
    kafka->watch.appended(kafka->watch.context, partition, partition->count - 1);
    wake_readers(kafka, partition, kept->visible_ms);
    return partition;
}

void sim_kafka_send(struct sim_kafka *kafka, const char *topic, int32_t partition, struct span key,
                    struct span value, int64_t timestamp_ms, const char *header)
{
    struct sim_record record = {
        .timestamp_ms = timestamp_ms,
        .key = sim_kafka_copy(kafka, key),
        .value = sim_kafka_copy(kafka, value),
    };
    if (header != NULL) {
        record.headers = sim_kafka_headers(kafka);
        sim_headers_add(kafka, record.headers, span_of_text(header), span_of_text("1"));
    }
    (void)sim_kafka_append(kafka, sim_kafka_topic(kafka, topic),
                           partition >= 0 ? partition : sim_kafka_partition_of_key(kafka, key),
                           &record);
}

void sim_kafka_commit(struct sim_kafka *kafka, struct sim_partition *partition, int64_t offset)
{
    int64_t from = partition->committed < 0 ? 0 : partition->committed;
    assert(offset <= partition->count);
    partition->committed = offset;
    if (offset > from) {
        kafka->watch.committed(kafka->watch.context, partition, from, offset);
    }
}

/* --- What others look at --- */

static bool is_read_by_group(const struct rd_kafka_topic_s *topic)
{
    return topic->kind == LEDGER_OPS || topic->kind == LEDGER_RETRY;
}

static bool is_consumed(const struct sim_partition *partition)
{
    return !is_read_by_group(partition->topic) || partition->count == 0 ||
           partition->committed == partition->count;
}

bool sim_kafka_is_consumed(const struct sim_kafka *kafka)
{
    bool is_all = true;
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            is_all = is_all && is_consumed(&kafka->topics[i]->partitions[k]);
        }
    }
    return is_all;
}

void sim_kafka_print_rest(const struct sim_kafka *kafka, FILE *out)
{
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            const struct sim_partition *partition = &kafka->topics[i]->partitions[k];
            if (!is_consumed(partition)) {
                (void)fprintf(out, "  %s/%d: committed %lld of %lld, %s\n", kafka->topics[i]->name,
                              (int)k, (long long)partition->committed, (long long)partition->count,
                              partition->owner == NULL ? "nobody's" : "owned");
            }
        }
    }
}

uint64_t sim_kafka_record_count(const struct sim_kafka *kafka)
{
    uint64_t count = 0;
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            count += (uint64_t)kafka->topics[i]->partitions[k].count;
        }
    }
    return count;
}

static void tell_record(const struct sim_kafka *kafka, struct ledger *ledger,
                        const struct sim_partition *partition, int64_t offset)
{
    const struct sim_record *record = &partition->records[offset];
    struct ledger_header headers[SIM_HEADERS_MAX];
    struct ledger_record told = {
        .topic = partition->topic->kind,
        .topic_name = partition->topic->name,
        .tier = partition->topic->tier,
        .partition = partition->number,
        .offset = offset,
        .timestamp_ms = record->timestamp_ms,
        .log_append_time = kafka->options.log_append_time || partition->topic->kind != LEDGER_OPS,
        .key = record->key,
        .value = record->value,
        .headers = headers,
        .header_count = record->headers == NULL ? 0 : record->headers->count,
    };
    for (size_t i = 0; i < told.header_count; i++) {
        headers[i] = (struct ledger_header){.name = record->headers->items[i].name,
                                            .value = record->headers->items[i].value};
    }
    ledger_add_record(ledger, &told);
}

void sim_kafka_tell(const struct sim_kafka *kafka, struct ledger *ledger)
{
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            for (int64_t n = 0; n < kafka->topics[i]->partitions[k].count; n++) {
                tell_record(kafka, ledger, &kafka->topics[i]->partitions[k], n);
            }
        }
    }
}

uint64_t sim_kafka_digest(const struct sim_kafka *kafka)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < kafka->topic_count; i++) {
        for (int32_t k = 0; k < kafka->options.partition_count; k++) {
            const struct sim_partition *partition = &kafka->topics[i]->partitions[k];
            for (int64_t n = 0; n < partition->count; n++) {
                struct span value = partition->records[n].value;
                digest = XXH3_64bits_withSeed(value.size == 0 ? "" : (const char *)value.data,
                                              value.size, digest + (uint64_t)k + i);
            }
        }
    }
    return digest;
}

/* --- Faults --- */

void sim_kafka_set_down(struct sim_kafka *kafka, uint64_t until_ms)
{
    kafka->down_until_ms = until_ms;
}

void sim_kafka_rebalance(struct sim_kafka *kafka)
{
    if (kafka->member_count > 0) {
        sim_group_change(kafka);
    }
}

void sim_kafka_lose_commits(struct sim_kafka *kafka, unsigned requests, unsigned replies)
{
    kafka->commits_lost = requests;
    kafka->commit_replies_lost = replies;
}

void sim_kafka_fail_sends(struct sim_kafka *kafka, unsigned count)
{
    kafka->sends_failing = count;
}

void sim_kafka_fail_asks(struct sim_kafka *kafka, unsigned count)
{
    kafka->asks_failing = count;
}

void sim_kafka_end_producer(struct sim_kafka *kafka, const struct sim_process *process)
{
    for (struct rd_kafka_s *client = kafka->clients; client != NULL; client = client->next) {
        if (client->type == RD_KAFKA_PRODUCER && !client->is_destroyed &&
            client->process == process) {
            client->fatal = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
            sim_process_wake(client->process, kafka->time->now_ms);
        }
    }
}

void sim_kafka_mend(struct sim_kafka *kafka)
{
    kafka->down_until_ms = 0;
    kafka->commits_lost = kafka->commit_replies_lost = 0;
    kafka->sends_failing = kafka->asks_failing = 0;
}
