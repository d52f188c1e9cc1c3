/**
 * Replies of Redis without a Redis: what hiredis makes of bytes.
 *
 * Lifetime: the caller's; freeReplyObject() ends it. Threading: stateless. Bytes that are no reply
 * end the test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_REDIS_REPLIES_H
#define SCENESYNC_TESTS_SUPPORT_REDIS_REPLIES_H

struct redisReply;

/** The reply that these bytes are, as they stand on the wire. */
struct redisReply *redis_reply_of(const char *wire);

#endif
