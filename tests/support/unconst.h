/**
 * For librdkafka's interface, which takes and gives pointers to bytes that nobody writes to without
 * saying so.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_UNCONST_H
#define SCENESYNC_TESTS_SUPPORT_UNCONST_H

static inline void *unconst(const void *data)
{
    union {
        const void *from;
        void *to;
    } pointer = {.from = data};
    return pointer.to;
}

#endif
