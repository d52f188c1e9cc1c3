/**
 * A growing run of bytes with a cap and a memory: the first failure sticks, so that a writer may
 * append many times and ask once at the end.
 *
 * Lifetime: buffer_init() .. buffer_deinit(); the storage is owned by the buffer. Threading: one
 * thread. Cost: amortised O(1) per byte; buffer_clear() keeps the storage.
 */
#ifndef SCENESYNC_PROTOCOL_BUFFER_H
#define SCENESYNC_PROTOCOL_BUFFER_H

#include "protocol/span.h"

struct buffer {
    uint8_t *data;
    size_t size, capacity; /* bytes; the capacity is never above bytes_max */
    size_t bytes_max;      /* cap on size */
    bool failed;           /* an append did not fit or malloc failed; size stays as it was */
};

void buffer_init(struct buffer *buffer, size_t bytes_max);

/** Over the caller's storage of `size` bytes, which is its cap: never to be deinitialised. */
void buffer_init_fixed(struct buffer *buffer, uint8_t *storage, size_t size);
void buffer_deinit(struct buffer *buffer);

/** Empties it and forgets a failure; keeps the storage. */
void buffer_clear(struct buffer *buffer);

/** Makes room for `size` more bytes than there are, or sets `failed`: the rare part of
 * buffer_extend(). */
__attribute__((warn_unused_result)) bool buffer_make_room(struct buffer *buffer, size_t size);

/**
 * Appends `size` bytes, at least 1, for the caller to write; valid until the next append. NULL, and
 * `failed` is set, where they do not fit. Inline, since it stands below every byte that is written.
 */
__attribute__((warn_unused_result)) static inline uint8_t *buffer_extend(struct buffer *buffer,
                                                                         size_t size)
{
    if ((buffer->failed || size > buffer->capacity - buffer->size) &&
        !buffer_make_room(buffer, size)) {
        return NULL;
    }
    uint8_t *room = buffer->data + buffer->size;
    buffer->size += size;
    return room;
}

/** Appends; on failure sets `failed` and appends nothing, then and ever after until cleared. */
static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *room = size > 0 ? buffer_extend(buffer, size) : NULL;
    if (room != NULL) {
        memcpy(room, data, size);
    }
}

static inline void buffer_append_span(struct buffer *buffer, struct span span)
{
    buffer_append(buffer, span.data, span.size);
}

/** Appends formatted text (printf), without the terminator. */
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** What stands in it. A view: valid until the next append, clear or deinit. Never absent. */
struct span buffer_span(const struct buffer *buffer);

#endif
