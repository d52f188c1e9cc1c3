/**
 * Commands to a Redis server that may be in a bad way: nothing here asserts, every wait is short.
 *
 * Each call has a connection of its own, past the proxy. Lifetime: nothing is kept. Threading: one
 * thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_REDIS_H
#define SCENESYNC_TESTS_SOAK_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

struct redis_server;

/** Connected, or NULL. */
redisContext *soak_redis_connect(const struct redis_server *server);

/** The reply, owned; NULL where none came in time. `arguments` end with NULL. */
redisReply *soak_redis_query(const struct redis_server *server, const char *const *arguments);

/** Whether it answered, and not with an error. */
bool soak_redis_run(const struct redis_server *server, const char *const *arguments);

#define SOAK_REDIS_RUN(server, ...)                                                                \
    soak_redis_run((server), (const char *const[]){__VA_ARGS__, (const char *)0})

/** Whether it serves: with its data in memory, and no script in the way. */
bool soak_redis_serves(const struct redis_server *server);

/** Whether it is a replica that has all its primary sent so far. */
bool soak_redis_follows(const struct redis_server *server);

#endif
