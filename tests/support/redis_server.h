/**
 * A Redis server of a test's own: on a free loopback port and a unix socket, in a directory of its
 * own, without persistence, dead at the latest when the test is.
 *
 * Lifetime: redis_server_start() .. redis_server_stop(). Threading: one thread. Every failure of
 * the helper itself ends the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_REDIS_SERVER_H
#define SCENESYNC_TESTS_SUPPORT_REDIS_SERVER_H

struct redisReply;
struct redis_server;

/** Returns owned, when it answers. */
struct redis_server *redis_server_start(void);

/** The same with more arguments for redis-server, NULL-terminated, borrowed: "--maxmemory", "3mb".
 */
struct redis_server *redis_server_start_with(const char *const *arguments);

/** NULL is allowed. */
void redis_server_stop(struct redis_server *server);

int redis_server_port(const struct redis_server *server);
const char *redis_server_url(const struct redis_server *server); /* "redis://127.0.0.1:…" */
const char *redis_server_socket_path(const struct redis_server *server); /* absolute */
const char *redis_server_directory(const struct redis_server *server);   /* where it saves */

/** SIGKILL: whatever it had in memory is lost. */
void redis_server_kill(struct redis_server *server);

/** Starts it again on the same port and directory. Does not wait for it to answer. */
void redis_server_launch(struct redis_server *server);

/** Waits until it answers PING, an error included. */
void redis_server_await(struct redis_server *server);

/** SIGSTOP and SIGCONT: connections stay, nothing is answered. */
void redis_server_pause(struct redis_server *server);
void redis_server_resume(struct redis_server *server);

/** For the helper's own commands, where the default user has a password. */
void redis_server_set_password(struct redis_server *server, const char *password);

/** Runs a command, given as texts with a NULL at the end. Returns the reply, owned
 * (freeReplyObject()); it may be an error. */
struct redisReply *redis_server_query(struct redis_server *server, const char *const *arguments);

/** The same where the reply does not matter, but must not be an error. */
void redis_server_run(struct redis_server *server, const char *const *arguments);

#define REDIS_RUN(server, ...)                                                                     \
    redis_server_run((server), (const char *const[]){__VA_ARGS__, (const char *)0})

#endif
