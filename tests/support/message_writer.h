/**
 * JSON for message_of() (messages.h), printed piece by piece.
 *
 * Lifetime: plain data; all zero is the start. Threading: one thread. What does not fit aborts.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_MESSAGE_WRITER_H
#define SCENESYNC_TESTS_SUPPORT_MESSAGE_WRITER_H

#include "protocol/span.h"

enum { MESSAGE_JSON_BYTES_MAX = 65536 };

struct message_writer {
    size_t size;
    char bytes[MESSAGE_JSON_BYTES_MAX]; /* a NUL behind them */
};

void message_print(struct message_writer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Bytes as they are. */
void message_print_raw(struct message_writer *out, struct span bytes);

/** A short text as printf makes it, kept as long as the process lives. */
struct span bytes_of_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
