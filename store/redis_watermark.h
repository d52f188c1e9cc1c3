/**
 * A watermark request as one Redis command, HMGET or a call of store/watermark.lua, and Redis's
 * reply as its result.
 *
 * Lifetime: what is found is copied into the request's arena; nothing is kept. Threading:
 * stateless. Cost: O(entries).
 */
#ifndef SCENESYNC_STORE_REDIS_WATERMARK_H
#define SCENESYNC_STORE_REDIS_WATERMARK_H

#include "store/redis_scripts.h"

/** Appends the command. */
void redis_watermark_encode(const struct watermark_request *request,
                            const struct redis_scripts *scripts, struct buffer *out);

/** Takes the reply, no error reply; returns the request's status, and sets request->error where
 * that is STORE_FAILED. */
enum store_status redis_watermark_take(struct watermark_request *request,
                                       const struct redisReply *reply);

/** Appends a call that writes nothing and answers with the replication id: it shows whether the key
 * and INFO can be used, and, once scripts->history is known, whether it still holds. */
void redis_watermark_add_check(const struct redis_scripts *scripts, struct buffer *out);

/** Takes its reply, no error reply, and keeps the id. False where it has another shape. */
__attribute__((warn_unused_result)) bool redis_watermark_take_check(struct redis_scripts *scripts,
                                                                    const struct redisReply *reply);

#endif
