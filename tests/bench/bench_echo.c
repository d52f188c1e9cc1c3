/* The floor of latency: consumes a topic and produces what it got to another, and that is all. Its
 * clients are configured as the worker's are, by the worker's own code, from the same settings. */
#include <stdio.h>
#include <stdlib.h>

#include "worker/clock.h"
#include "worker/interrupt.h"
#include "worker/kafka_conf.h"
#include "worker/options.h"

static const char help[] =
    "Usage: bench_echo [options]\n"
    "\n"
    "Copies every record of topics.ops to topics.results, key and value, until SIGTERM. Takes the\n"
    "worker's settings.\n"
    "\n"
    "Options:\n";

enum { POLL_MS = 100, COMMIT_MS = 100, FLUSH_MS = 10000, FULL_WAIT_MS = 1 };

static rd_kafka_t *create_client(const struct settings *settings, enum kafka_client client)
{
    char message[512] = "";
    rd_kafka_conf_t *conf = kafka_conf_create(settings, client, message, sizeof message);
    rd_kafka_t *created = NULL;
    if (conf != NULL) {
        created =
            rd_kafka_new(client == KAFKA_CLIENT_CONSUMER ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
                         conf, message, sizeof message);
        if (created == NULL) {
            rd_kafka_conf_destroy(conf);
        }
    }
    if (created == NULL) {
        (void)fprintf(stderr, "bench: %s\n", message);
    }
    return created;
}

static bool subscribe(rd_kafka_t *consumer, const char *topic)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    (void)rd_kafka_poll_set_consumer(consumer);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/** Produces a copy of the record, and marks it to be committed. */
static void echo(rd_kafka_t *producer, const char *topic, const rd_kafka_message_t *message)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__QUEUE_FULL;
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        error = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                  RD_KAFKA_V_KEY(message->key, message->key_len),
                                  RD_KAFKA_V_VALUE(message->payload, message->len), RD_KAFKA_V_END);
        (void)rd_kafka_poll(producer, error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? FULL_WAIT_MS : 0);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)fprintf(stderr, "bench: cannot produce: %s\n", rd_kafka_err2str(error));
    }
    (void)rd_kafka_offset_store(message->rkt, message->partition, message->offset);
}

static void echo_until_interrupted(rd_kafka_t *consumer, rd_kafka_t *producer, const char *topic)
{
    struct clock clock = clock_system();
    uint64_t commit_due_ms = 0;
    while (interrupt_count() == 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            echo(producer, topic, message);
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
        (void)rd_kafka_poll(producer, 0);
        uint64_t now_ms = clock_monotonic_ms(&clock);
        if (now_ms >= commit_due_ms) {
            (void)rd_kafka_commit(consumer, NULL, 1);
            commit_due_ms = now_ms + COMMIT_MS;
        }
    }
}

static int run(const struct settings *settings)
{
    rd_kafka_t *producer = create_client(settings, KAFKA_CLIENT_PRODUCER);
    rd_kafka_t *consumer = create_client(settings, KAFKA_CLIENT_CONSUMER);
    bool ready = producer != NULL && consumer != NULL && subscribe(consumer, settings->topic_ops);
    if (ready) {
        echo_until_interrupted(consumer, producer, settings->topic_results);
        (void)rd_kafka_flush(producer, FLUSH_MS);
        (void)rd_kafka_consumer_close(consumer);
    }
    if (consumer != NULL) {
        rd_kafka_destroy(consumer);
    }
    if (producer != NULL) {
        rd_kafka_destroy(producer);
    }
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const struct command_spec spec = {.name = "bench_echo", .help = help};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    interrupt_install();
    code = run(&options.settings);
    options_deinit(&options);
    return code;
}
