/**
 * A Redis store on a test's server, and a look at what it wrote.
 *
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_REDIS_STORE_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_REDIS_STORE_FIXTURE_H

#include "protocol/buffer.h"
#include "store/redis_store.h"
#include "tests/support/redis_server.h"

enum { REDIS_FIXTURE_CONNECT_MS = 1000, REDIS_FIXTURE_COMMAND_MS = 2000 };

#define REDIS_FIXTURE_WATERMARK_KEY "scene:watermark:group"

/** Options for the server's port, the prefix "scene:", the group "group", the time-outs above and
 * the real clock. */
struct redis_store_options redis_fixture_options(const struct redis_server *server,
                                                 const struct store_retention *retention);

/** A store with these options. Returns owned. */
struct store *redis_fixture_create_store(const struct redis_server *server,
                                         const struct store_retention *retention);

/** "scene:{<session>}<suffix>". */
void redis_fixture_key(struct span session_id, const char *suffix, char out[128]);

/** Appends all that Redis has of a scene, in the format of memory_store_dump(). */
void redis_fixture_dump(struct redis_server *server, struct span session_id, struct buffer *out);

#endif
