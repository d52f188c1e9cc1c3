#include "worker/command_kafka.h"

#include <inttypes.h>

#include "worker/commands.h"
#include "worker/interrupt.h"

enum { MESSAGE_BYTES_MAX = 512, METADATA_TIMEOUT_MS = 1000, RETRY_INTERVAL_MS = 100 };

int command_kafka_open(struct command_kafka *kafka, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                       const struct settings *settings, const char *message)
{
    if (conf == NULL) {
        (void)fprintf(stderr, "scenesync: %s\n", message);
        return EXIT_CODE_CONFIG;
    }
    /* A broker that is away is what the command itself reports. */
    enum log_level level = settings->log_level == LOG_DEBUG ? LOG_DEBUG : LOG_ERROR;
    *kafka =
        (struct command_kafka){.servers = settings_kafka_property(settings, "bootstrap.servers")};
    kafka->context.clock = clock_system();
    kafka->context.client = type == RD_KAFKA_CONSUMER ? "consumer" : "producer";
    kafka->context.log = log_create(level, settings->log_format, NULL);
    if (kafka->context.log == NULL) {
        rd_kafka_conf_destroy(conf);
        (void)fputs("scenesync: out of memory\n", stderr);
        return EXIT_CODE_INTERNAL;
    }
    kafka_conf_set_context(conf, &kafka->context);
    char reason[MESSAGE_BYTES_MAX];
    kafka->client = rd_kafka_new(type, conf, reason, sizeof reason);
    if (kafka->client == NULL) {
        rd_kafka_conf_destroy(conf);
        log_destroy(kafka->context.log);
        (void)fprintf(stderr, "scenesync: kafka: %s\n", reason);
        return EXIT_CODE_CONFIG;
    }
    return EXIT_CODE_OK;
}

void command_kafka_close(struct command_kafka *kafka)
{
    rd_kafka_destroy(kafka->client);
    log_destroy(kafka->context.log);
}

/** Asks the brokers once. Gives the number of partitions where they know the topic. */
static rd_kafka_resp_err_t ask_partition_count(rd_kafka_t *client, rd_kafka_topic_t *topic,
                                               int32_t *count)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, METADATA_TIMEOUT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return error;
    }
    error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (metadata->topic_cnt == 1) {
        error = metadata->topics[0].err;
        *count = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR && *count == 0
               ? RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
               : error;
}

const char *command_kafka_reason(struct command_kafka *kafka, rd_kafka_resp_err_t error)
{
    (void)rd_kafka_poll(kafka->client, 0); /* errors wait until somebody polls */
    bool is_known = error < RD_KAFKA_RESP_ERR_UNKNOWN && kafka->context.reason[0] != '\0';
    return is_known ? kafka->context.reason : rd_kafka_err2str(error);
}

const char *command_kafka_cure(struct command_kafka *kafka, const char *otherwise)
{
    const char *cure = kafka_context_cure(&kafka->context);
    return cure[0] != '\0' ? cure : otherwise;
}

static int fail_unavailable(struct command_kafka *kafka, const char *topic, uint64_t timeout_ms,
                            rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        (void)fprintf(stderr,
                      "scenesync: topic %s does not exist at %s (waited %" PRIu64
                      " ms); create it, or correct topics.ops or --topic\n",
                      topic, kafka->servers, timeout_ms);
    } else if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        (void)fprintf(stderr,
                      "scenesync: topic %s may not be used by this client at %s; grant it what "
                      "deploy/kafka/acls.sh has for this command\n",
                      topic, kafka->servers);
    } else {
        const char *reason = command_kafka_reason(kafka, error);
        (void)fprintf(stderr,
                      "scenesync: topic %s cannot be reached at %s within %" PRIu64 " ms: %s; %s\n",
                      topic, kafka->servers, timeout_ms, reason,
                      command_kafka_cure(kafka, "check kafka.bootstrap.servers and the broker"));
    }
    return EXIT_CODE_UNAVAILABLE;
}

int command_kafka_wait_for_topic(struct command_kafka *kafka, const char *topic,
                                 uint64_t timeout_ms, int32_t *partition_count)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka->client, topic, NULL);
    if (handle == NULL) {
        return fail_unavailable(kafka, topic, 0, rd_kafka_last_error());
    }
    const struct clock *clock = &kafka->context.clock;
    uint64_t deadline_ms = clock_monotonic_ms(clock) + timeout_ms;
    rd_kafka_resp_err_t error = ask_partition_count(kafka->client, handle, partition_count);
    while (error != RD_KAFKA_RESP_ERR_NO_ERROR && interrupt_count() == 0 &&
           clock_monotonic_ms(clock) < deadline_ms) {
        (void)rd_kafka_poll(kafka->client, RETRY_INTERVAL_MS);
        error = ask_partition_count(kafka->client, handle, partition_count);
    }
    rd_kafka_topic_destroy(handle);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return EXIT_CODE_OK;
    }
    return interrupt_count() > 0 ? EXIT_CODE_FAILED
                                 : fail_unavailable(kafka, topic, timeout_ms, error);
}

int command_kafka_check_right(struct command_kafka *kafka, const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka->client, topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_last_error();
    int32_t partition_count = 0;
    if (handle != NULL) {
        error = ask_partition_count(kafka->client, handle, &partition_count);
        rd_kafka_topic_destroy(handle);
    }
    return error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
               ? fail_unavailable(kafka, topic, 0, error)
               : EXIT_CODE_OK;
}
