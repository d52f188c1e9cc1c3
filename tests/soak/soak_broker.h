/**
 * The soak's Kafka: one real broker of its own (tests/kafka/broker), in the run's directory.
 *
 * Lifetime: soak_broker_start() .. soak_broker_stop(); it dies with the run at the latest.
 * Threading: one thread. Only starting and stopping wait. Failures of the helper end the running
 * test.
 */
#ifndef SCENESYNC_TESTS_SOAK_BROKER_H
#define SCENESYNC_TESTS_SOAK_BROKER_H

#include "tests/soak/soak_log.h"
#include "tests/soak/soak_setup.h"

struct soak_broker;

/** Started, with all topics. Returns owned. */
struct soak_broker *soak_broker_start(const struct soak_setup *setup, struct soak_log *log);
void soak_broker_stop(struct soak_broker *broker);

const char *soak_broker_bootstrap(const struct soak_broker *broker);

/** SIGKILL, SIGSTOP, SIGCONT or SIGTERM to the broker. */
void soak_broker_signal(struct soak_broker *broker, int signal);

/** Starts it again, without waiting for it. */
void soak_broker_restart(struct soak_broker *broker);

/** Whether it has been started again by now. */
bool soak_broker_is_up(struct soak_broker *broker);

#endif
