/**
 * A Kafka client for a command that runs once: made from the settings, quiet unless log.level is
 * debug, with a bounded wait for the topic.
 *
 * Lifetime: command_kafka_open() .. command_kafka_close(). Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_COMMAND_KAFKA_H
#define SCENESYNC_WORKER_COMMAND_KAFKA_H

#include "worker/kafka_conf.h"

struct command_kafka {
    rd_kafka_t *client;
    struct kafka_context context; /* `owner` is the command's, for its callbacks */
    const char *servers;          /* kafka.bootstrap.servers, for messages */
};

/**
 * Makes the client; `conf` is from kafka_conf_create() and taken in any case, NULL included (with
 * its reason in `message`). Returns EXIT_CODE_OK or the exit code, after one line on stderr.
 */
__attribute__((warn_unused_result)) int
command_kafka_open(struct command_kafka *kafka, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                   const struct settings *settings, const char *message);
void command_kafka_close(struct command_kafka *kafka);

/**
 * Waits until the brokers know the topic. Returns EXIT_CODE_OK and the number of its partitions,
 * or EXIT_CODE_UNAVAILABLE after one line on stderr, or EXIT_CODE_FAILED where interrupted.
 */
__attribute__((warn_unused_result)) int command_kafka_wait_for_topic(struct command_kafka *kafka,
                                                                     const char *topic,
                                                                     uint64_t timeout_ms,
                                                                     int32_t *partition_count);

/**
 * Asks once whether this client may use a topic, for commands that take what they see for all there
 * is: Kafka hides what it does not let see. One that does not exist is fine. Returns EXIT_CODE_OK,
 * or EXIT_CODE_UNAVAILABLE with a line on stderr.
 */
int command_kafka_check_right(struct command_kafka *kafka, const char *topic);

/**
 * Why a question came back with `error`: what librdkafka has told of the connection, where the
 * error is its own and says only that nobody answered. A view, good until the client is polled.
 */
const char *command_kafka_reason(struct command_kafka *kafka, rd_kafka_resp_err_t error);

/** What can be done about that; `otherwise` where it is not known. */
const char *command_kafka_cure(struct command_kafka *kafka, const char *otherwise);

#endif
