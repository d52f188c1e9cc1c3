/**
 * Bytes on their way in one direction of a connection, each of which stays until it is due.
 *
 * Lifetime: plain data; all zero is empty. Threading: none. Memory: FLOW_BYTES_MAX. Cost: what was
 * sent moves the rest.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_DELAYED_FLOW_H
#define SCENESYNC_TESTS_SUPPORT_DELAYED_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FLOW_BYTES_MAX = 256 << 10,
    FLOW_PARTS_MAX = 256 /* with a due time of their own */
};

/** Oldest first. */
struct flow {
    uint8_t bytes[FLOW_BYTES_MAX];
    size_t byte_count;
    struct {
        size_t size;
        uint64_t due_ms;
    } parts[FLOW_PARTS_MAX];
    size_t part_count;
    bool is_ended; /* the sender has hung up */
};

/** How many bytes can be put. */
size_t flow_room(const struct flow *flow);

/** There must be room for them. */
void flow_put(struct flow *flow, const uint8_t *bytes, size_t size, uint64_t due_ms);

/** Sends what is due. False: the receiver is gone. */
bool flow_send(struct flow *flow, int descriptor, uint64_t now_ms);

#endif
