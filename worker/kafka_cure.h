/**
 * What an operator can do about a connection to Kafka that fails: librdkafka says what happened in
 * OpenSSL's and the broker's words.
 *
 * Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_KAFKA_CURE_H
#define SCENESYNC_WORKER_KAFKA_CURE_H

/**
 * One sentence, never NULL: "" where there is nothing to say. `reason` is what the error callback
 * got, `verify_error` OpenSSL's code of the last certificate that was not accepted (X509_V_ERR_…,
 * 0: none), `library_version` rd_kafka_version().
 */
const char *kafka_cure(const char *reason, int verify_error, int library_version);

#endif
