/* librdkafka's values in the simulation: partition lists, headers, errors, messages. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/pool.h"
#include "tests/sim/sim_kafka_inside.h"

struct rd_kafka_error_s {
    rd_kafka_resp_err_t code;
};

/* --- Errors --- */

rd_kafka_error_t *sim_error(rd_kafka_resp_err_t code)
{
    rd_kafka_error_t *error = calloc(1, sizeof *error);
    assert(error != NULL);
    error->code = code;
    return error;
}

rd_kafka_resp_err_t rd_kafka_error_code(const rd_kafka_error_t *error)
{
    return error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : error->code;
}

void rd_kafka_error_destroy(rd_kafka_error_t *error)
{
    free(error);
}

const char *rd_kafka_err2name(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? "NO_ERROR" : "SIMULATED";
}

const char *rd_kafka_err2str(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? "success" : "a simulated error";
}

/* --- Lists --- */

rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_new(int size)
{
    rd_kafka_topic_partition_list_t *list = calloc(1, sizeof *list);
    assert(list != NULL);
    list->size = size > 0 ? size : 1;
    list->elems = grown(NULL, (size_t)list->size, sizeof *list->elems);
    return list;
}

void rd_kafka_topic_partition_list_destroy(rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        free(list->elems[i].topic);
    }
    free(list->elems);
    free(list);
}

rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_add(rd_kafka_topic_partition_list_t *list,
                                                              const char *topic, int32_t partition)
{
    if (list->cnt == list->size) {
        list->size *= 2;
        list->elems = grown(list->elems, (size_t)list->size, sizeof *list->elems);
    }
    rd_kafka_topic_partition_t *entry = &list->elems[list->cnt++];
    size_t bytes = strlen(topic) + 1;
    *entry = (rd_kafka_topic_partition_t){
        .topic = grown(NULL, bytes, 1), .partition = partition, .offset = RD_KAFKA_OFFSET_INVALID};
    memcpy(entry->topic, topic, bytes);
    return entry;
}

int rd_kafka_topic_partition_list_del_by_idx(rd_kafka_topic_partition_list_t *list, int index)
{
    if (index < 0 || index >= list->cnt) {
        return 0;
    }
    free(list->elems[index].topic);
    list->cnt--;
    memmove(list->elems + index, list->elems + index + 1,
            (size_t)(list->cnt - index) * sizeof *list->elems);
    return 1;
}

/* --- Headers --- */

/* They live in the simulation's arena: whoever sends them need not give them back. */
rd_kafka_headers_t *rd_kafka_headers_new(size_t initial_count)
{
    (void)initial_count;
    return sim_kafka_headers(sim_process_current()->kafka);
}

void rd_kafka_headers_destroy(rd_kafka_headers_t *headers)
{
    (void)headers;
}

rd_kafka_resp_err_t rd_kafka_header_add(rd_kafka_headers_t *headers, const char *name,
                                        ssize_t name_size, const void *value, ssize_t value_size)
{
    assert(name_size == -1 && value_size >= 0);
    sim_headers_add(sim_process_current()->kafka, headers, span_of_text(name),
                    span_make(value, (size_t)value_size));
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

size_t rd_kafka_header_cnt(const rd_kafka_headers_t *headers)
{
    return headers->count;
}

rd_kafka_resp_err_t rd_kafka_header_get_all(const rd_kafka_headers_t *headers, size_t index,
                                            const char **name, const void **value, size_t *size)
{
    if (index >= headers->count) {
        return RD_KAFKA_RESP_ERR__NOENT;
    }
    *name = headers->items[index].name;
    *value = headers->items[index].value.data;
    *size = headers->items[index].value.size;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_header_get_last(const rd_kafka_headers_t *headers, const char *name,
                                             const void **value, size_t *size)
{
    for (size_t i = headers->count; i > 0; i--) {
        if (strcmp(headers->items[i - 1].name, name) == 0) {
            *value = headers->items[i - 1].value.data;
            *size = headers->items[i - 1].value.size;
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
    }
    return RD_KAFKA_RESP_ERR__NOENT;
}

/* --- Messages --- */

static const struct sim_record *record_of(const rd_kafka_message_t *message)
{
    return &message->rkt->partitions[message->partition].records[message->offset];
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message,
                                             rd_kafka_headers_t **headers)
{
    if (record_of(message)->headers == NULL) {
        return RD_KAFKA_RESP_ERR__NOENT;
    }
    *headers = record_of(message)->headers;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message,
                                   rd_kafka_timestamp_type_t *type)
{
    if (type != NULL) {
        const struct sim_kafka *kafka = sim_process_current()->kafka;
        bool is_stamped = kafka->options.log_append_time || message->rkt->kind != LEDGER_OPS;
        *type = is_stamped ? RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME : RD_KAFKA_TIMESTAMP_CREATE_TIME;
    }
    return record_of(message)->timestamp_ms;
}

void rd_kafka_message_destroy(rd_kafka_message_t *message)
{
    free(message);
}

const char *rd_kafka_message_errstr(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : "a simulated error";
}

const char *rd_kafka_topic_name(const rd_kafka_topic_t *topic)
{
    return topic->name;
}
