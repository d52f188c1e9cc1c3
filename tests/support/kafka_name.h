/**
 * Names of topics and groups in a test's process: plain where it has a Kafka of its own, with a
 * prefix where many processes share one.
 *
 * SCENESYNC_TEST_KAFKA in the environment ("host:port") names a shared broker; tests/run sets it.
 * Criterion runs each test in a process of its own, so a name per process is one per test.
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_KAFKA_NAME_H
#define SCENESYNC_TESTS_SUPPORT_KAFKA_NAME_H

/** The shared broker's address, or NULL: every test has its own. */
const char *kafka_shared_address(void);

/** `name` as this process has to call it; the same answer every time. Lives for the process. */
const char *kafka_name(const char *name);

#define TOPIC_OPS kafka_name("scene.ops")
#define TOPIC_RESULTS kafka_name("scene.results")
#define TOPIC_DEAD kafka_name("scene.ops.dlq")
#define TOPIC_RETRY_PREFIX kafka_name("scene.ops.retry-")
#define TOPIC_RETRY_1 kafka_name("scene.ops.retry-1")
#define TOPIC_RETRY_2 kafka_name("scene.ops.retry-2")
#define TOPIC_RETRY_3 kafka_name("scene.ops.retry-3")
#define GROUP kafka_name("scenesync")

#endif
