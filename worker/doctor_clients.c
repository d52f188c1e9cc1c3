#include "worker/doctor.h"

#include <inttypes.h>
#include <stdlib.h>

#include "worker/kafka_conf.h"

/** What a client of ours would have for a property that is a number. */
static uint64_t property(const struct doctor *doctor, enum kafka_client client, const char *name)
{
    char text[64] = "";
    size_t size = sizeof text;
    rd_kafka_conf_t *conf = kafka_conf_create(doctor->settings, client, text, sizeof text);
    if (conf == NULL || rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK) {
        text[0] = '\0'; /* options_parse() has tried them all */
    }
    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return strtoull(text, NULL, 10);
}

/** A cycle that takes longer than the one ends by the other: the watchdog must be the first. */
static void check_poll_interval(const struct doctor *doctor)
{
    static const char check[] = "kafka.max_poll_interval";
    uint64_t interval_ms = property(doctor, KAFKA_CLIENT_CONSUMER, "max.poll.interval.ms");
    uint64_t session_ms = property(doctor, KAFKA_CLIENT_CONSUMER, "session.timeout.ms");
    uint64_t stall_ms = doctor->settings->stall_timeout_ms;
    uint64_t reply_ms = (uint64_t)doctor->settings->redis_connect_timeout_ms +
                        doctor->settings->redis_command_timeout_ms;
    if (interval_ms <= reply_ms) {
        doctor_say(doctor, FINDING_ERROR, check,
                   "raise kafka.consumer.max.poll.interval.ms, or lower the redis.*_timeout_ms",
                   "%" PRIu64 " ms, less than a cycle that waits for Redis may take (%" PRIu64
                   " ms): the group takes its partitions away",
                   interval_ms, reply_ms);
    } else if (stall_ms == 0 || interval_ms <= stall_ms) {
        doctor_say(doctor, FINDING_WARN, check,
                   "set worker.stall_timeout_ms below kafka.consumer.max.poll.interval.ms",
                   "%" PRIu64 " ms, worker.stall_timeout_ms %" PRIu64
                   ": a worker that hangs loses its partitions without a word of why",
                   interval_ms, stall_ms);
    } else {
        doctor_say(doctor, FINDING_OK, check, NULL,
                   "%" PRIu64 " ms, stall time-out %" PRIu64 " ms, session %" PRIu64 " ms",
                   interval_ms, stall_ms, session_ms);
    }
}

static void check_message_size(const struct doctor *doctor)
{
    static const char check[] = "kafka.message_max_bytes";
    static const char cure[] =
        "set kafka.producer.message.max.bytes to three times limits.max_message_bytes";
    uint64_t sent = topic_admin_message_bytes_max(doctor->settings);
    uint64_t limit = doctor->settings->limits.message_bytes_max;
    bool is_short = sent < 2 * limit;
    enum finding_level level = sent < limit ? FINDING_ERROR : FINDING_WARN;
    doctor_say(doctor, is_short ? level : FINDING_OK, check, is_short ? cure : NULL,
               "%" PRIu64 ", limits.max_message_bytes %" PRIu64 "%s", sent, limit,
               is_short ? ": a large batch cannot be sent to a retry topic or as a dead letter"
                        : "");
}

void doctor_check_clients(const struct doctor *doctor)
{
    check_poll_interval(doctor);
    check_message_size(doctor);
}
