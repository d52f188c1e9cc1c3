/**
 * The Redis store: scenes under `<prefix>{<session>}…` and a group's watermark under
 * `<prefix>watermark:<group>` (store/README.md); every commit is one call of store/commit.lua,
 * every write of the watermark one of store/watermark.lua, everything pipelined over one
 * connection.
 *
 * It never blocks but to resolve a host name: connecting, sending and receiving happen in
 * store_poll(). It reconnects by itself, with exponential backoff and jitter, resolving the name
 * again. What Redis refuses for a while (LOADING, OOM, MISCONF, NOREPLICAS, NOPERM …) makes it not
 * ready, and completes the requests concerned as STORE_UNKNOWN; WRONGTYPE and the script's own
 * refusals are STORE_FAILED. Before any work, on every new connection and after every such
 * refusal, it tries the scripts out: commits on scratch keys, which it removes, the watermark
 * without a change to it. Threading: one thread.
 */
#ifndef SCENESYNC_STORE_REDIS_STORE_H
#define SCENESYNC_STORE_REDIS_STORE_H

#include "store/fault_point.h"
#include "store/store.h"

enum { REDIS_ADDRESS_TEXT_BYTES_MAX = 256 };

/** Where and who: parsed from `redis.url` by redis_address_parse(). */
struct redis_address {
    bool is_unix, is_tls;
    char host_or_path[REDIS_ADDRESS_TEXT_BYTES_MAX];
    int port;
    int database;
    char username[REDIS_ADDRESS_TEXT_BYTES_MAX]; /* empty: none */
};

/** What rediss:// takes beside the address (redis_tls.h); PEM files, read for each connection. */
struct redis_tls_files {
    const char *ca;                /* whom to trust; NULL: whom the system trusts */
    const char *certificate, *key; /* ours, both or neither */
};

/**
 * Reads `redis://[user@]host[:port][/db]` (IPv6 hosts in brackets), the same with `rediss://`,
 * which is TLS, or `unix:///path[?db=0]`. Fails with ERROR_INVALID_VALUE, saying what is allowed; a
 * password in the URL is refused with the cure (redis.password, redis.password_file).
 */
__attribute__((warn_unused_result)) bool
redis_address_parse(const char *url, struct redis_address *out, struct error *error);

struct redis_store_options {
    struct redis_address address;
    const char *username, *password; /* NULL: none; copied */
    struct redis_tls_files tls;      /* copied */
    const char *key_prefix;          /* copied */
    const char *group; /* whose watermark it is; NULL: requests and marks are bugs; copied */
    int connect_timeout_ms, command_timeout_ms;
    struct store_retention retention;
    struct store_observer observer;
    uint64_t (*monotonic_ms)(void *context); /* the clock of backoff and timeouts */
    void *clock_context;
    uint64_t jitter_seed;
    const struct fault_hook *faults; /* NULL: none; borrowed */
};

/** Makes the store; connects in the first polls. Returns owned, or NULL when out of memory. */
struct store *redis_store_create(const struct redis_store_options *options);

/** From the next connection on it is somebody else, or has another password; NULL: none. The open
 * connection goes on. Returns false, with everything as it was, when out of memory. */
__attribute__((warn_unused_result)) bool
redis_store_set_credentials(struct store *store, const char *username, const char *password);

/** The version of hiredis that this was built with, e.g. "0.14.1". Static; thread-safe. */
const char *redis_store_library_version(void);

/**
 * Reads one whole scene, for `scenesync scene` and the worker's page: every element's id and raw
 * value, in no order. All of one version, as far as everybody who changes the scene raises it: what
 * changes meanwhile is read again, a few times. Polls until done; `timeout_ms` is for the store to
 * get ready. Values go to the arena, which is emptied first. A scene that is too large for it costs
 * little more memory (redis_scene_read.h), and a moment. Fails with ERROR_STORE_ERROR, saying why,
 * or ERROR_OUT_OF_MEMORY.
 */
struct scene_dump {
    uint64_t version;
    int64_t updated_at_ms;
    struct span *ids, *values;
    size_t count;
};
__attribute__((warn_unused_result)) bool
redis_store_read_scene(struct store *store, struct span session_id, int timeout_ms,
                       struct arena *arena, struct scene_dump *out, struct error *error);

#endif
