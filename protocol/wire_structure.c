#include "protocol/wire.h"

#include <inttypes.h>

#include "protocol/wire_quick.h"
#include "protocol/wire_scan.h"

/** Follows how containers are nested. */
struct nesting {
    uint64_t left;                  /* values still to come in the innermost container */
    uint64_t outer[WIRE_DEPTH_MAX]; /* the same for those around it */
    uint32_t level, deepest;
};

/** A container begins. From the maximum on there is nothing left to learn. */
static inline void nesting_open(struct nesting *nesting, uint64_t children)
{
    if (nesting->deepest == WIRE_DEPTH_MAX) {
        return;
    }
    nesting->outer[nesting->level++] = nesting->left;
    nesting->left = children;
    if (nesting->level > nesting->deepest) {
        nesting->deepest = nesting->level;
    }
    if (nesting->deepest == WIRE_DEPTH_MAX) {
        nesting->level = 0;
        nesting->left = UINT64_MAX; /* more than any message has: nothing closes any more */
    }
}

static inline void nesting_close(struct nesting *nesting)
{
    while (nesting->left == 0 && nesting->level > 0) {
        nesting->left = nesting->outer[--nesting->level];
    }
}

/* `pending` values were due at `at`, the one that is there among them. */
static bool refuse(struct span message, const uint8_t *at, struct wire_extent extent,
                   uint64_t pending, struct error *error)
{
    size_t offset = (size_t)(at - message.data);
    size_t left = message.size - offset;
    if (*at == WIRE_LEAD_RESERVED) {
        return error_set(error, ERROR_NOT_MESSAGEPACK,
                         "byte %zu is 0xc1, which MessagePack never uses", offset);
    }
    if (extent.size > left) {
        return error_set(error, ERROR_NOT_MESSAGEPACK,
                         "cut off: the value at byte %zu takes at least %" PRIu64
                         " bytes, the message has %zu from there on",
                         offset, extent.size, left);
    }
    size_t behind = left - (size_t)extent.size;
    if (extent.children <= behind) {
        return error_set(error, ERROR_NOT_MESSAGEPACK,
                         "cut off: %" PRIu64 " values must follow the head at byte %zu, more than "
                         "the %zu bytes behind it can hold",
                         pending - 1 + extent.children, offset, behind);
    }
    return error_set(error, ERROR_NOT_MESSAGEPACK,
                     "cut off: the container at byte %zu announces %" PRIu64
                     " values, more than the %zu bytes behind it can hold",
                     offset, extent.children, behind);
}

bool wire_check_structure(struct span message, struct wire_structure *out, struct error *error)
{
    if (message.size == 0) {
        return error_set(error, ERROR_NOT_MESSAGEPACK, "the message is empty; send a map");
    }
    if (wire_quick_check(message, out)) {
        return true;
    }
    struct nesting nesting;
    nesting.left = 1;
    nesting.level = 0;
    nesting.deepest = 0;
    const uint8_t *at = message.data;
    size_t left = message.size;
    /* Values still to come. Every one takes a byte, so more of them than bytes is a lie; seen at
     * once, it bounds this loop by the bytes and keeps the sum from overflowing. */
    uint64_t pending = 1;
    while (pending > 0) {
        struct wire_extent extent = wire_measure(at, left);
        if (*at == WIRE_LEAD_RESERVED || extent.size > left ||
            pending - 1 + extent.children > left - (size_t)extent.size) {
            return refuse(message, at, extent, pending, error);
        }
        pending += extent.children - 1;
        nesting.left--;
        if (wire_lead_is_container(*at)) {
            nesting_open(&nesting, extent.children);
        }
        nesting_close(&nesting);
        at += extent.size;
        left -= (size_t)extent.size;
    }
    if (left > 0) {
        return error_set(error, ERROR_NOT_MESSAGEPACK,
                         "%zu bytes behind the end of the value, from byte %zu on; send one value",
                         left, message.size - left);
    }
    *out = (struct wire_structure){.depth = nesting.deepest};
    return true;
}
