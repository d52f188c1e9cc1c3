#include "protocol/wire_prefix.h"

#include "protocol/wire_scan.h"

/* One value's extent, where its head and payload are all there. */
static bool measure(struct span bytes, struct wire_extent *out)
{
    if (bytes.size == 0 || bytes.data[0] == WIRE_LEAD_RESERVED) {
        return false;
    }
    *out = wire_measure(bytes.data, bytes.size);
    return out->size <= bytes.size;
}

bool wire_prefix_size(struct span bytes, size_t *size)
{
    size_t at = 0;
    /* Values still to come. Every one takes a byte, so the bytes bound the loop; and every 5 bytes
     * announce 2^33 at most, so the sum stays far from overflowing. */
    uint64_t due = 1;
    while (due > 0) {
        struct wire_extent extent;
        if (!measure(span_make(bytes.data + at, bytes.size - at), &extent)) {
            return false;
        }
        at += (size_t)extent.size;
        due = due - 1 + extent.children;
    }
    *size = at;
    return true;
}

bool wire_prefix_map(struct span bytes, uint32_t *pairs, size_t *head_size)
{
    struct wire_extent extent;
    if (!measure(bytes, &extent) || !wire_lead_is_map(bytes.data[0])) {
        return false;
    }
    *pairs = (uint32_t)(extent.children / 2);
    *head_size = (size_t)extent.size;
    return true;
}
