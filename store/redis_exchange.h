/**
 * A blocking connection to Redis for tools that read: commands out, their replies back, and the
 * whole tried again while Redis is away.
 *
 * Lifetime: redis_exchange_init() .. redis_exchange_deinit(); borrows the options' texts.
 * Threading: one thread; SIGPIPE must be ignored. Cost: a round trip per run.
 */
#ifndef SCENESYNC_STORE_REDIS_EXCHANGE_H
#define SCENESYNC_STORE_REDIS_EXCHANGE_H

#include "protocol/buffer.h"
#include "store/redis_store.h"

enum redis_read {
    REDIS_READ_DONE,
    REDIS_READ_REFUSED,     /* this request can never work; others can */
    REDIS_READ_UNAVAILABLE, /* not now; the error says what Redis said last, and the cure */
    REDIS_READ_NO_MEMORY
};

enum { REDIS_EXCHANGE_REPLIES_MAX = 4, REDIS_EXCHANGE_COMMAND_BYTES_MAX = 64 * 1024 };

struct redisContext;
struct redisReply;
struct redis_tls;

struct redis_exchange {
    struct redis_store_options options;
    struct redisContext *connection; /* NULL: to be opened */
    struct redis_tls *tls;           /* NULL: none */
    struct buffer commands;          /* filled by the caller (redis_command.h) */
};

void redis_exchange_init(struct redis_exchange *exchange,
                         const struct redis_store_options *options);
void redis_exchange_deinit(struct redis_exchange *exchange);

/** Replies, owned. */
struct redis_replies {
    struct redisReply *items[REDIS_EXCHANGE_REPLIES_MAX];
    size_t count;
};
void redis_replies_free(struct redis_replies *replies);

/**
 * Sends what stands in `commands` and reads `count` replies, one at least. An error reply among
 * them is the outcome. The caller frees the replies, whatever came of it.
 */
__attribute__((warn_unused_result)) enum redis_read
redis_exchange_run(struct redis_exchange *exchange, size_t count, struct redis_replies *replies,
                   struct error *error);

/** What an error reply means; the error gets its words and the cure. */
enum redis_read redis_exchange_judge(const struct redisReply *reply, struct error *error);

/** Sets the error; returns REDIS_READ_NO_MEMORY. */
enum redis_read redis_exchange_no_memory(struct error *error);

/** The bytes of a string or an error; absent for anything else. */
struct span redis_reply_span(const struct redisReply *reply);

/** One try at something, on an open connection. */
typedef enum redis_read (*redis_step)(struct redis_exchange *exchange, void *context,
                                      struct error *error);

/** Connects where needed and takes the step, again and again while the outcome is
 * REDIS_READ_UNAVAILABLE and `timeout_ms` is not over. */
__attribute__((warn_unused_result)) enum redis_read
redis_exchange_try(struct redis_exchange *exchange, int timeout_ms, redis_step step, void *context,
                   struct error *error);

#endif
