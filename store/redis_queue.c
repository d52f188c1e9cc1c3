#include "store/redis_queue.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

void redis_queue_init(struct redis_queue *queue)
{
    *queue = (struct redis_queue){0};
}

void redis_queue_deinit(struct redis_queue *queue)
{
    free(queue->requests);
    redis_queue_init(queue);
}

bool redis_queue_reserve(struct redis_queue *queue)
{
    assert(queue->count <= queue->capacity);
    if (queue->count < queue->capacity) {
        return true;
    }
    size_t capacity = queue->capacity > 0 ? queue->capacity * 2 : CAPACITY_MIN;
    struct redis_request *requests = NULL;
    if (capacity <= REDIS_QUEUE_COUNT_MAX) {
        requests = malloc(capacity * sizeof *requests);
    }
    if (requests == NULL) {
        return false;
    }
    for (size_t i = 0; i < queue->count; i++) {
        requests[i] = queue->requests[(queue->first + i) % queue->capacity];
    }
    free(queue->requests);
    queue->requests = requests;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

void redis_queue_push(struct redis_queue *queue, const struct redis_request *request)
{
    assert(queue->count < queue->capacity);
    queue->requests[(queue->first + queue->count) % queue->capacity] = *request;
    queue->count++;
}

struct redis_request *redis_queue_first(struct redis_queue *queue)
{
    return queue->count > 0 ? &queue->requests[queue->first] : NULL;
}

struct redis_request redis_queue_pop(struct redis_queue *queue)
{
    assert(queue->count > 0);
    struct redis_request request = queue->requests[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return request;
}
