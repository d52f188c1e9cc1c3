#include "tests/property/kafka.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/property/history.h"
#include "tests/property/kafka_inside.h"

enum { TEXT_BYTES_MAX = 1 << 16 };

bool doom_meets(struct doom *doom)
{
    if (doom->countdown == 0 || doom->is_dead) {
        return doom->is_dead;
    }
    doom->is_dead = --doom->countdown == 0;
    return doom->is_dead;
}

/* --- Topics --- */

static void add_topic(struct kafka *kafka, const char *name, uint32_t tier)
{
    for (int32_t number = 0; number < HISTORY_PARTITIONS; number++) {
        kafka->partitions =
            grown(kafka->partitions, kafka->partition_count + 1, sizeof(*kafka->partitions));
        struct partition *partition = &kafka->partitions[kafka->partition_count++];
        *partition = (struct partition){.tier = tier, .number = number, .committed = -1};
        (void)snprintf(partition->topic, sizeof(partition->topic), "%s", name);
    }
}

static void assign(struct kafka *kafka, const struct partition *partition)
{
    if (!assignment_add(&kafka->assignment, partition->topic, partition->tier, partition->number)) {
        abort();
    }
    assignment_find(&kafka->assignment, partition->topic, partition->number)->resting =
        kafka->needs_claims;
}

struct kafka *kafka_create(const struct kafka_options *options)
{
    struct kafka *kafka = calloc(1, sizeof(*kafka));
    if (kafka == NULL) {
        abort();
    }
    kafka->options = *options;
    kafka->source.kafka = kafka;
    kafka->sink.kafka = kafka;
    kafka->dice.state = options->cut_seed;
    buffer_init(&kafka->text, TEXT_BYTES_MAX);
    add_topic(kafka, options->settings->topic_ops, 0);
    for (uint32_t tier = 1; tier <= options->settings->retry_retries_max; tier++) {
        char name[TOPIC_BYTES_MAX];
        (void)snprintf(name, sizeof(name), "%s%u", options->settings->topic_retry_prefix,
                       (unsigned)tier);
        add_topic(kafka, name, tier);
    }
    assignment_init(&kafka->assignment);
    for (size_t i = 0; i < kafka->partition_count; i++) {
        assign(kafka, &kafka->partitions[i]);
    }
    return kafka;
}

void kafka_destroy(struct kafka *kafka)
{
    if (kafka == NULL) {
        return;
    }
    for (size_t i = 0; i < kafka->partition_count; i++) {
        free(kafka->partitions[i].places);
    }
    free(kafka->partitions);
    free(kafka->log.items);
    free(kafka->published.items);
    free(kafka->settled);
    assignment_deinit(&kafka->assignment);
    buffer_deinit(&kafka->text);
    pool_free(&kafka->pool);
    free(kafka);
}

struct record_source *kafka_source(struct kafka *kafka)
{
    return &kafka->source;
}

struct sink *kafka_sink(struct kafka *kafka)
{
    return &kafka->sink;
}

struct partition *kafka_find_partition(struct kafka *kafka, const char *topic, int32_t number)
{
    for (size_t i = 0; i < kafka->partition_count; i++) {
        struct partition *partition = &kafka->partitions[i];
        if (partition->number == number && strcmp(partition->topic, topic) == 0) {
            return partition;
        }
    }
    return NULL;
}

/* --- Records --- */

struct kafka_record *kafka_append(struct kafka *kafka, struct kafka_list *list, struct span key,
                                  struct span value)
{
    struct kafka_record *record = pool_alloc(&kafka->pool, sizeof(*record));
    record->record.key = pool_copy(&kafka->pool, key);
    record->record.value = pool_copy(&kafka->pool, value);
    record->record.headers = record->headers;
    list->items = grown(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = record;
    return record;
}

void kafka_add_header(struct kafka *kafka, struct kafka_record *record, const char *name,
                      struct span value)
{
    if (record->record.header_count == KAFKA_HEADERS_MAX) {
        abort();
    }
    const struct span copy = pool_copy(&kafka->pool, span_make(name, strlen(name) + 1));
    record->headers[record->record.header_count++] = (struct ledger_header){
        .name = (const char *)copy.data, .value = pool_copy(&kafka->pool, value)};
}

void kafka_place(struct kafka *kafka, struct kafka_record *record, struct partition *partition,
                 int64_t timestamp_ms)
{
    record->record.topic = partition->tier == 0 ? LEDGER_OPS : LEDGER_RETRY;
    record->record.topic_name = partition->topic;
    record->record.tier = partition->tier;
    record->record.partition = partition->number;
    record->record.offset = partition->count;
    record->record.timestamp_ms =
        kafka->options.is_stamped ? (int64_t)*kafka->options.now_ms : timestamp_ms;
    record->record.log_append_time = kafka->options.is_stamped;
    partition->places =
        grown(partition->places, (size_t)partition->count + 1, sizeof(*partition->places));
    partition->places[partition->count++] = kafka->log.count - 1;
}

void kafka_produce(struct kafka *kafka, int32_t partition, int64_t timestamp_ms, struct span key,
                   struct span value)
{
    struct kafka_record *record = kafka_append(kafka, &kafka->log, key, value);
    kafka_add_header(kafka, record, "traceparent", span_of_text("00-1"));
    kafka_place(kafka, record,
                kafka_find_partition(kafka, kafka->options.settings->topic_ops,
                                     partition % HISTORY_PARTITIONS),
                timestamp_ms);
}

size_t kafka_log_count(const struct kafka *kafka)
{
    return kafka->log.count;
}

const struct kafka_record *kafka_log_at(const struct kafka *kafka, size_t at)
{
    return kafka->log.items[at];
}

size_t kafka_published_count(const struct kafka *kafka)
{
    return kafka->published.count;
}

const struct kafka_record *kafka_published_at(const struct kafka *kafka, size_t at)
{
    return kafka->published.items[at];
}

size_t kafka_settled_count(const struct kafka *kafka)
{
    return kafka->settled_count;
}

size_t kafka_settled_at(const struct kafka *kafka, size_t at)
{
    return kafka->settled[at];
}

struct span kafka_header(const struct kafka_record *record, const char *name)
{
    for (size_t i = 0; i < record->record.header_count; i++) {
        if (strcmp(record->headers[i].name, name) == 0) {
            return record->headers[i].value;
        }
    }
    return (struct span){0};
}

/* --- Assignments --- */

void kafka_restart(struct kafka *kafka, uint32_t lost)
{
    assignment_deinit(&kafka->assignment);
    assignment_init(&kafka->assignment);
    kafka->sink = (struct sink){.kafka = kafka};
    kafka->open = 0;
    kafka->needs_claims = false;
    for (size_t i = 0; i < kafka->partition_count; i++) {
        struct partition *partition = &kafka->partitions[i];
        if (partition->committed >= 0) {
            partition->committed = partition->committed > lost ? partition->committed - lost : 0;
        }
        assign(kafka, partition);
    }
}

void kafka_assign_again(struct kafka *kafka, uint32_t tier, int32_t number, uint32_t back)
{
    for (size_t i = 0; i < kafka->partition_count; i++) {
        struct partition *partition = &kafka->partitions[i];
        if (partition->tier == tier && partition->number == number % HISTORY_PARTITIONS &&
            partition->committed >= 0) {
            partition->committed = partition->committed > back ? partition->committed - back : 0;
            assignment_remove(&kafka->assignment,
                              assignment_find(&kafka->assignment, partition->topic, number));
            assign(kafka, partition);
        }
    }
}
