#include "tests/support/delayed_flow.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

size_t flow_room(const struct flow *flow)
{
    return flow->part_count < FLOW_PARTS_MAX ? FLOW_BYTES_MAX - flow->byte_count : 0;
}

void flow_put(struct flow *flow, const uint8_t *bytes, size_t size, uint64_t due_ms)
{
    if (size > 0) {
        memcpy(flow->bytes + flow->byte_count, bytes, size);
        flow->byte_count += size;
        flow->parts[flow->part_count].size = size;
        flow->parts[flow->part_count++].due_ms = due_ms;
    }
}

static void flow_drop(struct flow *flow, size_t size)
{
    flow->byte_count -= size;
    memmove(flow->bytes, flow->bytes + size, flow->byte_count);
    size_t gone = 0;
    while (gone < flow->part_count && size >= flow->parts[gone].size) {
        size -= flow->parts[gone++].size;
    }
    flow->part_count -= gone;
    memmove(flow->parts, flow->parts + gone, flow->part_count * sizeof(flow->parts[0]));
    if (size > 0) {
        flow->parts[0].size -= size;
    }
}

static size_t flow_due(const struct flow *flow, uint64_t now_ms)
{
    size_t size = 0;
    for (size_t i = 0; i < flow->part_count && flow->parts[i].due_ms <= now_ms; i++) {
        size += flow->parts[i].size;
    }
    return size;
}

bool flow_send(struct flow *flow, int descriptor, uint64_t now_ms)
{
    const size_t due = flow_due(flow, now_ms);
    if (due == 0) {
        return true;
    }
    const ssize_t sent = send(descriptor, flow->bytes, due, MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    flow_drop(flow, (size_t)sent);
    return true;
}
