/**
 * One integration test's world: a Kafka broker, a Redis server, worker processes in one consumer
 * group, and eyes on all of it.
 *
 * Topics are kafka_name.h's, all with the same number of partitions. Everything is private to the
 * test: names or a broker of its own, free ports, a directory. Lifetime: world_create() ..
 * world_destroy(); whatever is read lives as long. Processes die with the test, also where it
 * crashes. Threading: one thread. Every wait has a deadline; what does not come in time ends the
 * running test and shows the workers' logs.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_WORLD_H
#define SCENESYNC_TESTS_SUPPORT_WORLD_H

#include "protocol/result.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/messages.h"
#include "tests/support/redis_server.h"
#include "tests/support/scene_view.h"
#include "tests/support/sent_batch.h"
#include "tests/support/worker_process.h"

enum { WORLD_WAIT_MS = 60000 };

struct world;

/** Topics with `partition_count` partitions, retry tiers 1 to `tier_count`, which is what
 * retry.max_retries is set to; no worker yet. */
struct world *world_create(int partition_count, uint32_t tier_count);
/** The same with a Redis server that is given more arguments, NULL-terminated. */
struct world *world_create_with(int partition_count, uint32_t tier_count,
                                const char *const *redis_arguments);

/** The same on a given broker, which the world takes. */
struct world *world_create_on(struct kafka_broker *broker, int partition_count, uint32_t tier_count,
                              const char *const *redis_arguments);

/** Ends the workers by SIGTERM; one that does not exit with 0 fails the test. NULL is allowed. */
void world_destroy(struct world *world);

struct kafka_broker *world_broker(struct world *world);
struct redis_server *world_redis(struct world *world);
const char *world_directory(const struct world *world);

/** "section.key=value" for the workers started from now on; the later wins. */
void world_set(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Workers started from now on are in another consumer group, one without committed offsets;
 * `group` as kafka_name() has it. */
void world_set_group(struct world *world, const char *group);

/** Starts one. Owned by the world. */
struct worker_process *world_start_worker(struct world *world);

/** Waits until the running workers hold all partitions between them, each its share. */
void world_await_assignment(struct world *world);

/** Sends a batch to the ops topic, keyed by its session_id. Returns its offset. */
int64_t world_send(struct world *world, int32_t partition, struct span message);

/** Waits until the group has nothing left to do, retries that are not due yet included. */
void world_settle(struct world *world);

/** Records of one topic, by partition and offset. */
struct record_list {
    const struct kafka_record *items;
    size_t count;
};
struct record_list world_records(struct world *world, const char *topic);
struct record_list world_await_records(struct world *world, const char *topic, size_t count);

/** Results with the records that they came in. */
struct result_list {
    struct sync_result *items;
    const struct kafka_record **records;
    size_t count;
};

/** The results of a batch in the order of publishing; of all batches where `batch_id` is NULL. */
struct result_list world_results(struct world *world, const char *batch_id);
struct result_list world_await_results(struct world *world, const char *batch_id, size_t count);

/** The only result of a batch, which must be. */
struct sync_result world_result(struct world *world, const char *batch_id);

/** The batch in a record of the ops, a retry or the dead-letter topic, which must be one. */
struct batch;
struct batch world_batch(struct world *world, struct span value, bool from_retry_topic);

struct scene_view world_scene(struct world *world, const char *session_id);

/** Runs a Redis command, which must not fail; integers and texts come back as text. */
const char *world_redis_command(struct world *world, const char *const *arguments);

/** A header's value as kept text; "" where the record has none of that name. */
const char *world_header(const struct kafka_record *record, const char *name);

/** The workers' logs on stderr, for a test that fails by its own judgement. */
void world_show_logs(struct world *world);

#endif
