#include "tests/soak/soak_dump.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "tests/soak/soak_lag.h"
#include "worker/json_print.h"

enum { LINE_BYTES_MAX = 64 << 20, POLL_TIMEOUT_MS = 5000, PATH_BYTES = 512 };

static void write_value(struct json_writer *writer, struct span value)
{
    if (span_is_absent(value)) {
        json_write_null(writer);
    } else if (!json_print(value, writer)) {
        json_write_base64(writer, "", value);
    }
}

static struct span span_of(const void *data, size_t size)
{
    return data == NULL ? span_make(NULL, 0) : span_make(data, size);
}

static void write_headers(struct json_writer *writer, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    json_write_object_begin(writer);
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                           RD_KAFKA_RESP_ERR_NO_ERROR;
             i++) {
            json_write_key_text(writer, name);
            json_write_str(writer, span_make(value, size));
        }
    }
    json_write_object_end(writer);
}

static void write_record(FILE *file, struct buffer *line, const rd_kafka_message_t *message)
{
    struct json_writer writer = json_writer_of(line, false);
    buffer_clear(line);
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "partition");
    json_write_int(&writer, message->partition);
    json_write_key_text(&writer, "offset");
    json_write_int(&writer, message->offset);
    json_write_key_text(&writer, "timestamp");
    json_write_int(&writer, rd_kafka_message_timestamp(message, NULL));
    json_write_key_text(&writer, "key");
    if (message->key == NULL) {
        json_write_null(&writer);
    } else {
        json_write_str(&writer, span_make(message->key, message->key_len));
    }
    json_write_key_text(&writer, "headers");
    write_headers(&writer, message);
    json_write_key_text(&writer, "value");
    write_value(&writer, span_of(message->payload, message->len));
    json_write_object_end(&writer);
    (void)fwrite(line->data, 1, line->size, file);
    (void)fputc('\n', file);
}

static rd_kafka_t *create_reader(const char *bootstrap)
{
    static const char *const properties[][2] = {{"group.id", SOAK_GROUP "-dump"},
                                                {"enable.auto.commit", "false"},
                                                {"enable.partition.eof", "true"},
                                                {"log_level", "2"}};
    char reason[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, reason, sizeof(reason));
    for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++) {
        cr_assert_eq(
            rd_kafka_conf_set(conf, properties[i][0], properties[i][1], reason, sizeof(reason)),
            RD_KAFKA_CONF_OK, "%s", reason);
    }
    rd_kafka_t *const reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    cr_assert_not_null(reader, "%s", reason);
    return reader;
}

static void assign_all(rd_kafka_t *reader, const char *topic)
{
    rd_kafka_topic_partition_list_t *const list =
        rd_kafka_topic_partition_list_new(SOAK_PARTITIONS);
    for (int partition = 0; partition < SOAK_PARTITIONS; partition++) {
        rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    }
    cr_assert_eq(rd_kafka_assign(reader, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
}

static size_t dump_topic(rd_kafka_t *reader, const char *directory, const char *topic)
{
    char path[PATH_BYTES];
    struct buffer line;
    size_t count = 0;
    int ends = 0;
    (void)snprintf(path, sizeof(path), "%s/%s.jsonl", directory, topic);
    FILE *const file = fopen(path, "we");
    cr_assert_not_null(file, "%s cannot be written", path);
    buffer_init(&line, LINE_BYTES_MAX);
    assign_all(reader, topic);
    while (ends < SOAK_PARTITIONS) {
        rd_kafka_message_t *const message = rd_kafka_consumer_poll(reader, POLL_TIMEOUT_MS);
        if (message == NULL) {
            break;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            write_record(file, &line, message);
            count++;
        }
        ends += message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? 1 : 0;
        rd_kafka_message_destroy(message);
    }
    buffer_deinit(&line);
    (void)fclose(file);
    return count;
}

size_t soak_dump_topics(const char *bootstrap, const char *directory)
{
    char topic[SOAK_TOPIC_BYTES];
    rd_kafka_t *const reader = create_reader(bootstrap);
    size_t count = dump_topic(reader, directory, SOAK_TOPIC_RESULTS);
    count += dump_topic(reader, directory, SOAK_TOPIC_DEAD);
    for (int consumed = 0; consumed < SOAK_CONSUMED_TOPICS; consumed++) {
        soak_look_write_topic(consumed, topic);
        count += dump_topic(reader, directory, topic);
    }
    (void)rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return count;
}
