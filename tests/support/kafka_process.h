/**
 * A real Kafka broker of a test's own: tests/kafka/broker, in a directory that is gone with the
 * test, as is the broker.
 *
 * Lifetime: kafka_process_start() .. kafka_process_stop(). Threading: one thread. Cost: some 4 s
 * and 400 MB. Every failure fails the running test, and shows what the broker said.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_KAFKA_PROCESS_H
#define SCENESYNC_TESTS_SUPPORT_KAFKA_PROCESS_H

struct kafka_process;

/** Returns owned, serving. */
struct kafka_process *kafka_process_start(void);
void kafka_process_stop(struct kafka_process *process);

/** "host:port", the same over restarts. Lives as long as the process. */
const char *kafka_process_address(const struct kafka_process *process);

/** SIGSTOP: connections stay, nobody answers. */
void kafka_process_pause(struct kafka_process *process);
void kafka_process_resume(struct kafka_process *process);

/** SIGKILL: what it had not written to disk stays with the system, as after a crash of the process
 * alone. */
void kafka_process_kill(struct kafka_process *process);

/** Starts it again on its data, and waits until it serves: up to 10 s after kafka_process_kill().
 * One that runs is shut down first. */
void kafka_process_restart(struct kafka_process *process);

/** Starts it again with more lines in its server.properties. */
void kafka_process_configure(struct kafka_process *process, const char *properties);

#endif
