/**
 * MessagePack as JSON text, for people: `scenesync results` and `scenesync scene`.
 *
 * Keys keep their order, integers all digits. A bin of 16 bytes is printed as a UUID's text, any
 * other as "base64:...", an extension as "ext:<type>:base64:...". Threading: stateless. Cost:
 * O(bytes); recursion is bounded by JSON_PRINT_DEPTH_MAX.
 */
#ifndef SCENESYNC_WORKER_JSON_PRINT_H
#define SCENESYNC_WORKER_JSON_PRINT_H

#include "protocol/limits.h"
#include "worker/json_writer.h"

/* One level below what wire_check_structure() can tell apart; deeper than any result. */
enum { JSON_PRINT_DEPTH_MAX = LIMITS_DEPTH_CEILING + 7 };

/**
 * Writes one message as one JSON value. Returns false and writes nothing where the bytes are not
 * exactly one MessagePack value, nested deeper than JSON_PRINT_DEPTH_MAX, or with a map key that
 * is not a str.
 */
__attribute__((warn_unused_result)) bool json_print(struct span message,
                                                    struct json_writer *writer);

#endif
