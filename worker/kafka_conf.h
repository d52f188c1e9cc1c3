/**
 * librdkafka configurations from the settings, for every client of this program: the worker's
 * consumer and producer, and the command line's.
 *
 * What correctness depends on is fixed here and refused in settings.c (settings.md, `kafka.*`).
 * Included by Kafka-facing sources only. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_KAFKA_CONF_H
#define SCENESYNC_WORKER_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "worker/clock.h"
#include "worker/log_limit.h"
#include "worker/settings.h"

/**
 * A configuration for one client with the `kafka.*` settings applied on top of this program's
 * defaults. Returns owned (rd_kafka_new takes it), or NULL with a line in `message` that names the
 * key, its origin and librdkafka's reason.
 */
rd_kafka_conf_t *kafka_conf_create(const struct settings *settings, enum kafka_client client,
                                   char *message, size_t message_bytes);

/** Checks that librdkafka accepts every kafka.* setting, for both clients, before anything runs. */
__attribute__((warn_unused_result)) bool kafka_conf_check(const struct settings *settings,
                                                          char *message, size_t message_bytes);

/**
 * What a client's callbacks reach through librdkafka's one opaque pointer. Must stay where it is
 * until the client is destroyed.
 */
struct kafka_context {
    struct log *_Atomic log; /* NULL: nothing is logged */
    struct clock clock;
    const char *client; /* "consumer" or "producer", for the log */
    void *owner;
    struct log_limit limit;   /* of the polling thread */
    char reason[512];         /* of its last error; "" where there was none */
    _Atomic int verify_error; /* of the last certificate that OpenSSL did not accept */
};

/**
 * Routes the client's log lines and errors into context->log. Lines come from librdkafka's threads,
 * errors from the one that polls, at most once per error code and LOG_LIMIT_INTERVAL_MS.
 */
void kafka_conf_set_context(rd_kafka_conf_t *conf, struct kafka_context *context);

/** What can be done about context->reason; "" where that is not known. */
const char *kafka_context_cure(struct kafka_context *context);

/** Whether an event that may repeat is to be logged now; `subject` is a topic or "". */
bool kafka_context_may_log(struct kafka_context *context, rd_kafka_resp_err_t error,
                           const char *subject);

#endif
