/**
 * One connection to Redis: connects, sends bytes, takes replies apart. It knows no commands.
 *
 * With TLS where the address says so. Nothing blocks but the resolving of a host name. After a
 * function returned false the connection is of no use any more: close it. Lifetime: init .. deinit,
 * any number of open .. close between. Threading: one thread; with TLS, SIGPIPE must be ignored.
 * Cost: one system call per 64 KiB received and per socket buffer sent; with TLS, per 16 KiB.
 */
#ifndef SCENESYNC_STORE_REDIS_CONNECTION_H
#define SCENESYNC_STORE_REDIS_CONNECTION_H

#include "protocol/buffer.h"
#include "protocol/error.h"
#include "store/redis_store.h"

struct redisContext;
struct redisReply;
struct redis_tls;

struct redis_connection {
    struct redisContext *context; /* NULL: closed */
    struct redis_tls *tls;        /* NULL: none */
    bool awaits_input;            /* while opening: not that it can send */
    struct buffer output;         /* commands; what stands before `sent` is on its way */
    size_t sent;
    uint64_t queued_total, sent_total; /* bytes since open: places in the stream of commands */
};

enum { REDIS_OUTPUT_BYTES_MAX = 1 << 30 };

void redis_connection_init(struct redis_connection *connection);
void redis_connection_deinit(struct redis_connection *connection);

/** Starts to connect. `error` says why not. */
__attribute__((warn_unused_result)) bool redis_connection_open(struct redis_connection *connection,
                                                               const struct redis_address *address,
                                                               const struct redis_tls_files *files,
                                                               struct error *error);

/** Goes on with it, when the descriptor can be written to, or read where `awaits_input` says so.
 * `is_open` tells whether that was all of it. */
__attribute__((warn_unused_result)) bool
redis_connection_go_on_opening(struct redis_connection *connection, bool *is_open,
                               struct error *error);
void redis_connection_close(struct redis_connection *connection);

bool redis_connection_is_open(const struct redis_connection *connection);
int redis_connection_fd(const struct redis_connection *connection); /* -1: closed */

/**
 * Where to append commands: redis_connection_end_command() behind each. Where they did not fit it
 * takes them back and returns false, and the connection stays as it was before them.
 */
struct buffer *redis_connection_output(struct redis_connection *connection);
__attribute__((warn_unused_result)) bool
redis_connection_end_command(struct redis_connection *connection);

bool redis_connection_has_output(const struct redis_connection *connection);

/** Sends what the socket takes. */
__attribute__((warn_unused_result)) bool redis_connection_send(struct redis_connection *connection,
                                                               struct error *error);

/** Receives once, at most 64 KiB; `received` is 0 where there is nothing now. */
__attribute__((warn_unused_result)) bool
redis_connection_receive(struct redis_connection *connection, size_t *received,
                         struct error *error);

/** Takes the next complete reply, owned by the caller (freeReplyObject()), or NULL. */
__attribute__((warn_unused_result)) bool
redis_connection_next_reply(struct redis_connection *connection, struct redisReply **reply,
                            struct error *error);

#endif
