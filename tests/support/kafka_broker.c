#include "tests/support/kafka_broker.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/child_process.h"
#include "tests/support/kafka_admin.h"
#include "tests/support/kafka_process.h"
#include "tests/support/sent_batch.h"
#include "tests/support/unconst.h"

enum { CALL_TIMEOUT_MS = 30000, TOPICS_MAX = 64, POLL_MS = 10 };

struct kafka_broker {
    const char *bootstrap;
    rd_kafka_t *producer; /* connects like anybody else */
    /* A mock: */
    rd_kafka_t *host; /* carries the mock cluster */
    rd_kafka_mock_cluster_t *cluster;
    /* A real one: */
    struct kafka_process *process;  /* NULL: it is shared */
    const char *topics[TOPICS_MAX]; /* made on it */
    size_t topic_count;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[256];
    cr_assert_eq(rd_kafka_conf_set(conf, name, value, reason, sizeof reason), RD_KAFKA_CONF_OK,
                 "%s", reason);
}

static rd_kafka_t *create_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char reason[256];
    set(conf, "log_level", "3");
    rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof reason);
    cr_assert_not_null(client, "%s", reason);
    return client;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    int64_t *offset = message->_private;
    cr_assert_eq(message->err, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(message->err));
    *offset = message->offset;
}

static rd_kafka_t *create_producer(const char *bootstrap)
{
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "linger.ms", "0");
    set(conf, "message.max.bytes", "4000000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return create_client(RD_KAFKA_PRODUCER, conf);
}

static struct kafka_broker *create_broker(void)
{
    struct kafka_broker *const broker = calloc(1, sizeof(*broker));
    cr_assert_not_null(broker);
    return broker;
}

static void start_mock(struct kafka_broker *broker, int broker_count)
{
    broker->host = create_client(RD_KAFKA_PRODUCER, rd_kafka_conf_new());
    broker->cluster = rd_kafka_mock_cluster_new(broker->host, broker_count);
    cr_assert_not_null(broker->cluster);
    broker->bootstrap = rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

struct kafka_broker *kafka_broker_start(void)
{
    struct kafka_broker *const broker = create_broker();
    broker->bootstrap = kafka_shared_address();
    if (broker->bootstrap == NULL) {
        start_mock(broker, 1);
    }
    broker->producer = create_producer(broker->bootstrap);
    return broker;
}

struct kafka_broker *kafka_broker_start_cluster(int broker_count)
{
    struct kafka_broker *const broker = create_broker();
    start_mock(broker, broker_count);
    broker->producer = create_producer(broker->bootstrap);
    return broker;
}

struct kafka_broker *kafka_broker_start_private(void)
{
    struct kafka_broker *const broker = create_broker();
    broker->process = kafka_process_start();
    broker->bootstrap = kafka_process_address(broker->process);
    broker->producer = create_producer(broker->bootstrap);
    return broker;
}

void kafka_broker_stop(struct kafka_broker *broker)
{
    if (broker->cluster == NULL && broker->process == NULL) {
        kafka_admin_delete_topics(broker->producer, broker->topics, broker->topic_count);
    }
    rd_kafka_destroy(broker->producer);
    if (broker->cluster != NULL) {
        rd_kafka_mock_cluster_destroy(broker->cluster);
        rd_kafka_destroy(broker->host);
    }
    if (broker->process != NULL) {
        kafka_process_stop(broker->process);
    }
    free(broker);
}

const char *kafka_broker_bootstrap(const struct kafka_broker *broker)
{
    return broker->bootstrap;
}

/* How many partitions the broker says that a topic has, all of them with a leader; otherwise 0.
 * Asking spares the producer its wait of a second for a topic that is new to it. */
static int partition_count_of(rd_kafka_t *client, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *const handle = rd_kafka_topic_new(client, topic, NULL);
    cr_assert_not_null(handle);
    cr_assert_eq(rd_kafka_metadata(client, 0, handle, &metadata, CALL_TIMEOUT_MS),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    const struct rd_kafka_metadata_topic *const told = &metadata->topics[0];
    int count = told->err == RD_KAFKA_RESP_ERR_NO_ERROR ? told->partition_cnt : 0;
    for (int i = 0; i < told->partition_cnt; i++) {
        count = told->partitions[i].err == RD_KAFKA_RESP_ERR_NO_ERROR ? count : 0;
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return count;
}

static void create_on_mock(struct kafka_broker *broker, const char *topic, int partition_count)
{
    const rd_kafka_resp_err_t error =
        rd_kafka_mock_topic_create(broker->cluster, topic, partition_count, 1);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s", topic, rd_kafka_err2str(error));
}

/* The limit is what workers send at most (README.md), which is more than a broker's default. */
static void create_on_real(struct kafka_broker *broker, const char *topic, int partition_count,
                           const char *timestamp_type)
{
    const struct kafka_entry entries[] = {{"max.message.bytes", "3145728"},
                                          {"message.timestamp.type", timestamp_type}};
    cr_assert_lt(broker->topic_count, (size_t)TOPICS_MAX);
    kafka_admin_create_topic(broker->producer, topic, partition_count, entries, 2);
    broker->topics[broker->topic_count++] = text_of_format("%s", topic);
}

static void create_topic(struct kafka_broker *broker, const char *topic, int partition_count,
                         const char *timestamp_type)
{
    if (broker->cluster != NULL) {
        create_on_mock(broker, topic, partition_count);
    } else {
        create_on_real(broker, topic, partition_count, timestamp_type);
    }
    const uint64_t deadline_ms = monotonic_ms() + CALL_TIMEOUT_MS;
    while (partition_count_of(broker->producer, topic) != partition_count) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "%s has no leaders in time", topic);
        sleep_ms(POLL_MS);
    }
}

void kafka_broker_create_topic(struct kafka_broker *broker, const char *topic, int partition_count)
{
    create_topic(broker, topic, partition_count, "CreateTime");
}

void kafka_broker_create_stamped_topic(struct kafka_broker *broker, const char *topic,
                                       int partition_count)
{
    create_topic(broker, topic, partition_count, "LogAppendTime");
}

void kafka_broker_create_topics(struct kafka_broker *broker, const struct settings *settings,
                                uint32_t retry_count, int partition_count)
{
    kafka_broker_create_stamped_topic(broker, settings->topic_ops, partition_count);
    kafka_broker_create_topic(broker, settings->topic_results, partition_count);
    kafka_broker_create_topic(broker, settings->topic_dead_letter, partition_count);
    for (uint32_t tier = 1; tier <= retry_count; tier++) {
        kafka_broker_create_topic(
            broker, text_of_format("%s%u", settings->topic_retry_prefix, (unsigned)tier),
            partition_count);
    }
}

int64_t kafka_broker_produce(struct kafka_broker *broker, const char *topic, int32_t partition,
                             struct span key, struct span value,
                             const struct record_header *headers, size_t header_count)
{
    int64_t offset = -1;
    rd_kafka_headers_t *copies = rd_kafka_headers_new(header_count);
    for (size_t i = 0; i < header_count; i++) {
        rd_kafka_header_add(copies, headers[i].name, -1, headers[i].value.data,
                            (ssize_t)headers[i].value.size);
    }
    rd_kafka_resp_err_t error = rd_kafka_producev(
        broker->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY(unconst(key.data), key.size),
        RD_KAFKA_V_VALUE(unconst(value.data), value.size), RD_KAFKA_V_HEADERS(copies),
        RD_KAFKA_V_OPAQUE(&offset), RD_KAFKA_V_END);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s", topic, rd_kafka_err2str(error));
    cr_assert_eq(rd_kafka_flush(broker->producer, CALL_TIMEOUT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    return offset;
}

int64_t kafka_broker_produce_text(struct kafka_broker *broker, const char *topic, int32_t partition,
                                  const char *key, const char *value)
{
    struct span no_key = {0};
    return kafka_broker_produce(broker, topic, partition, key != NULL ? span_of_text(key) : no_key,
                                span_of_text(value), NULL, 0);
}

/** A consumer that is in no group and starts at the first offset of each partition. */
static rd_kafka_t *create_reader(struct kafka_broker *broker, const char *group)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", kafka_broker_bootstrap(broker));
    set(conf, "group.id", group);
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "fetch.wait.max.ms", "10");
    rd_kafka_t *reader = create_client(RD_KAFKA_CONSUMER, conf);
    (void)rd_kafka_poll_set_consumer(reader);
    return reader;
}

static int by_place(const void *a, const void *b)
{
    const struct kafka_record *left = a;
    const struct kafka_record *right = b;
    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static void assign_from_start(rd_kafka_t *reader, const char *topic, int partition_count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partition_count);
    for (int32_t number = 0; number < partition_count; number++) {
        rd_kafka_topic_partition_list_add(list, topic, number)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    cr_assert_eq(rd_kafka_assign(reader, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
}

static struct span copy_of(const void *data, size_t size)
{
    if (data == NULL) {
        return (struct span){0};
    }
    uint8_t *copy = malloc(size + 1);
    cr_assert_not_null(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return span_make(copy, size);
}

static struct kafka_record take_record(rd_kafka_message_t *message)
{
    cr_assert_eq(message->err, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_message_errstr(message));
    struct kafka_record record = {.partition = message->partition,
                                  .offset = message->offset,
                                  .key = copy_of(message->key, message->key_len),
                                  .value = copy_of(message->payload, message->len)};
    (void)rd_kafka_message_detach_headers(message, &record.headers);
    return record;
}

struct kafka_record *kafka_broker_read(struct kafka_broker *broker, const char *topic,
                                       size_t *count)
{
    rd_kafka_t *reader = create_reader(broker, "test-reader");
    int open_count = partition_count_of(reader, topic);
    assign_from_start(reader, topic, open_count);
    struct kafka_record *records = calloc(KAFKA_READ_RECORDS_MAX, sizeof *records);
    cr_assert_not_null(records);
    *count = 0;
    while (open_count > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, CALL_TIMEOUT_MS);
        cr_assert_not_null(message, "no record and no end of %s in time", topic);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            open_count--;
        } else {
            cr_assert_lt(*count, (size_t)KAFKA_READ_RECORDS_MAX);
            records[*count] = take_record(message);
            (*count)++;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    qsort(records, *count, sizeof *records, by_place);
    return records;
}

void kafka_records_free(struct kafka_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(unconst(records[i].key.data));
        free(unconst(records[i].value.data));
        if (records[i].headers != NULL) {
            rd_kafka_headers_destroy(records[i].headers);
        }
    }
    free(records);
}

struct span kafka_record_header(const struct kafka_record *record, const char *name)
{
    const void *value = NULL;
    size_t size = 0;
    if (record->headers == NULL || rd_kafka_header_get_last(record->headers, name, &value, &size) !=
                                       RD_KAFKA_RESP_ERR_NO_ERROR) {
        return (struct span){0};
    }
    return span_make(value, size);
}

int64_t kafka_broker_committed(struct kafka_broker *broker, const char *group, const char *topic,
                               int32_t partition)
{
    rd_kafka_t *reader = create_reader(broker, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t error = rd_kafka_committed(reader, list, CALL_TIMEOUT_MS);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(error));
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return offset;
}

void kafka_broker_limit_topic(struct kafka_broker *broker, const char *topic, int batch_bytes_max)
{
    cr_assert_null(broker->cluster, "a mock has no limits: the test belongs into a file "
                                    "test_..._real.c, which needs SCENESYNC_TEST_KAFKA");
    const struct kafka_entry limit = {"max.message.bytes", text_of_format("%d", batch_bytes_max)};
    kafka_admin_set_topic(broker->producer, topic, &limit, 1);
}

static struct kafka_process *own_process(const struct kafka_broker *broker)
{
    cr_assert_not_null(broker->process, "this is done to a test's own broker only");
    return broker->process;
}

void kafka_broker_pause(struct kafka_broker *broker)
{
    kafka_process_pause(own_process(broker));
}

void kafka_broker_resume(struct kafka_broker *broker)
{
    kafka_process_resume(own_process(broker));
}

void kafka_broker_kill(struct kafka_broker *broker)
{
    kafka_process_kill(own_process(broker));
}

void kafka_broker_restart(struct kafka_broker *broker)
{
    kafka_process_restart(own_process(broker));
}

void kafka_broker_configure(struct kafka_broker *broker, const char *properties)
{
    kafka_process_configure(own_process(broker), properties);
}

static rd_kafka_mock_cluster_t *own_mock(const struct kafka_broker *broker)
{
    cr_assert_not_null(broker->cluster, "only a mock can do this: the test belongs into a file "
                                        "test_..._mock.c, which runs without SCENESYNC_TEST_KAFKA");
    return broker->cluster;
}

void kafka_broker_set_up(struct kafka_broker *broker, bool up)
{
    kafka_broker_set_one_up(broker, -1, up);
}

void kafka_broker_set_one_up(struct kafka_broker *broker, int32_t number, bool up)
{
    const rd_kafka_resp_err_t error = up ? rd_kafka_mock_broker_set_up(own_mock(broker), number)
                                         : rd_kafka_mock_broker_set_down(own_mock(broker), number);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(error));
}

void kafka_broker_set_leader(struct kafka_broker *broker, const char *topic, int32_t partition,
                             int32_t number)
{
    const rd_kafka_resp_err_t error =
        rd_kafka_mock_partition_set_leader(own_mock(broker), topic, partition, number);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(error));
}

void kafka_broker_set_coordinator(struct kafka_broker *broker, const char *group, int32_t number)
{
    const rd_kafka_resp_err_t error =
        rd_kafka_mock_coordinator_set(own_mock(broker), "group", group, number);
    cr_assert_eq(error, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(error));
}

void kafka_broker_hide_topic(struct kafka_broker *broker, const char *topic, bool hidden)
{
    rd_kafka_mock_topic_set_error(own_mock(broker), topic,
                                  hidden ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                                         : RD_KAFKA_RESP_ERR_NO_ERROR);
}

void kafka_broker_fail_requests(struct kafka_broker *broker, int16_t api_key,
                                rd_kafka_resp_err_t error, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_mock_push_request_errors(own_mock(broker), api_key, 1, error);
    }
}
