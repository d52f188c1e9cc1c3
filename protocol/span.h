/**
 * A view of bytes that somebody else owns.
 *
 * Lifetime: as long as what it points into (a Kafka payload, an arena, a buffer). Nothing here
 * allocates. Threading: plain data. An absent value is {NULL, 0}; an empty one has a non-NULL
 * data pointer, so the two can be told apart with span_is_absent().
 */
#ifndef SCENESYNC_PROTOCOL_SPAN_H
#define SCENESYNC_PROTOCOL_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data;
    size_t size; /* bytes */
};

static inline struct span span_make(const void *data, size_t size)
{
    return (struct span){.data = data, .size = size};
}

/** Views a NUL-terminated string, without its terminator. `text` must not be NULL. */
static inline struct span span_of_text(const char *text)
{
    return span_make(text, strlen(text));
}

static inline bool span_is_absent(struct span span)
{
    return span.data == NULL;
}

static inline bool span_equal(struct span a, struct span b)
{
    /* The first byte tells most unequal ones apart without a call. */
    return a.size == b.size &&
           (a.size == 0 || (a.data[0] == b.data[0] && memcmp(a.data, b.data, a.size) == 0));
}

static inline bool span_equal_text(struct span span, const char *text)
{
    return span_equal(span, span_of_text(text));
}

/** For printf: printf("%.*s", SPAN_ARGS(span)). Only for spans known to be far below 2 GiB. */
#define SPAN_ARGS(span) (int)(span).size, (const char *)(span).data

#endif
