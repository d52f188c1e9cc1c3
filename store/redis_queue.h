/**
 * The requests whose replies are awaited, oldest first: Redis answers in order.
 *
 * Lifetime: init .. deinit; the requests are the callers'. Threading: one thread. Cost: O(1); grows
 * to what was in flight at most, and stays there.
 */
#ifndef SCENESYNC_STORE_REDIS_QUEUE_H
#define SCENESYNC_STORE_REDIS_QUEUE_H

#include "store/redis_request.h"

struct redis_queue {
    struct redis_request *requests; /* a ring */
    size_t capacity, first, count;
};

enum { REDIS_QUEUE_COUNT_MAX = 1 << 20 };

void redis_queue_init(struct redis_queue *queue);
void redis_queue_deinit(struct redis_queue *queue);

/** Makes room for one more. False when out of memory, and beyond REDIS_QUEUE_COUNT_MAX. */
__attribute__((warn_unused_result)) bool redis_queue_reserve(struct redis_queue *queue);

/** Appends; there must be room. */
void redis_queue_push(struct redis_queue *queue, const struct redis_request *request);

/** The oldest, or NULL. Valid until the next push. */
struct redis_request *redis_queue_first(struct redis_queue *queue);

/** Takes the oldest out; there must be one. */
struct redis_request redis_queue_pop(struct redis_queue *queue);

#endif
