/**
 * Commands to Redis, written out beforehand and sent with many in flight: the fastest that a client
 * can be, so that what is measured is Redis. For commands with an answer of one line, as HSET's is.
 *
 * Lifetime: redis_calls_init() .. redis_calls_deinit(). Threading: one thread each.
 */
#ifndef SCENESYNC_TESTS_BENCH_REDIS_PIPE_H
#define SCENESYNC_TESTS_BENCH_REDIS_PIPE_H

#include "protocol/buffer.h"

/** Commands as they go over the wire. */
struct redis_calls {
    struct buffer bytes;
    size_t *ends; /* where each command ends in `bytes` */
    size_t count, capacity;
};

void redis_calls_init(struct redis_calls *calls);
void redis_calls_deinit(struct redis_calls *calls);
void redis_calls_clear(struct redis_calls *calls);

/** Begins a command; `argument_count` arguments must follow, its name being the first. */
void redis_calls_begin(struct redis_calls *calls, size_t argument_count);
void redis_calls_argument(struct redis_calls *calls, struct span argument);
/** An argument that was encoded into a buffer; that one's lack of memory becomes the commands' own.
 */
void redis_calls_value(struct redis_calls *calls, const struct buffer *value);
void redis_calls_text(struct redis_calls *calls, const char *text);

/** Ends it. A lack of memory sticks in `bytes.failed`. */
void redis_calls_end(struct redis_calls *calls);

/** Connects to unix:///path or redis://address:port (numbers). -1, with a line on stderr, if not.
 */
int redis_pipe_open(const char *url);

/** Sends all of them, never more than `window` without an answer, and reads the answers. False,
 * with a line on stderr, after the first error. */
__attribute__((warn_unused_result)) bool redis_pipe_run(int socket, const struct redis_calls *calls,
                                                        size_t window);

#endif
