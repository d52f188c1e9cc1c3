/**
 * A Redis server, a store on it, and one scene to try the store with: what the tests of Redis's
 * faults share.
 *
 * Lifetime: open_trial(), or zeroed with a server and open_store() .. close_trial(). Must not move
 * while it is open. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_STORE_TRIAL_H
#define SCENESYNC_TESTS_SUPPORT_STORE_TRIAL_H

#include "tests/support/redis_store_fixture.h"
#include "tests/support/store_watch.h"

enum { TRIAL_TIMEOUT_MS = 200 };

struct trial {
    struct redis_server *server;
    struct store *store;
    struct store_watch watch;
    struct arena arena;
    uint64_t version; /* of the scene "s" */
};

/** The fixture's, with a short time-out, and the watch as observer. */
struct redis_store_options options_on(struct trial *trial);

void open_store(struct trial *trial, const struct redis_store_options *options);

/** A store that has come up on a server with more arguments. */
void open_trial(struct trial *trial, const char *const *arguments);

/** Ends the test where the store told more than the test awaited. */
void close_trial(struct trial *trial);

/** One element, to the scene's next version. */
struct scene_commit next_commit(struct trial *trial);
enum store_status try_commit(struct trial *trial);
void commit_works(struct trial *trial);

/** What Redis refuses for a while: unknown, not ready, the reason told, going on by itself. */
void expect_waiting(struct trial *trial, const char *reason);
void expect_recovery(struct trial *trial);

/** Writes or reads the watermark's entry of "t/0". `expected` NULL: nothing stands there. */
enum store_status try_mark(struct trial *trial, const char *expected, const char *value);
struct span find_mark(struct trial *trial);

/** The rights that store/README.md asks for, as arguments of ACL SETUSER. */
#define DOCUMENTED_RIGHTS                                                                          \
    "~scene:{*", "~scene:watermark:*", "+select", "+script|load", "+evalsha", "+info", "+multi",   \
        "+exec", "+del", "+exists", "+hget", "+hgetall", "+hkeys", "+hlen", "+hmget", "+hset",     \
        "+hdel", "+pexpire", "+rename", "+zadd", "+zcard", "+zrange", "+zrem"

/** Opens a store as the user "worker". */
void open_as_user(struct trial *trial, const char *password);

#endif
