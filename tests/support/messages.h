/**
 * MessagePack from JSON text, so that a test shows the message it is about.
 *
 * Lifetime: the bytes live as long as the process. Threading: one thread. Bad JSON aborts.
 */
#ifndef SCENESYNC_TESTS_MESSAGES_H
#define SCENESYNC_TESTS_MESSAGES_H

#include "protocol/span.h"

/**
 * Encodes JSON text in which ' stands for the double quote. Object keys keep their order; integers
 * take their shortest encoding, numbers with a point are float64. Strings stand for what JSON has
 * not: "hex:c403ab" for any bytes as they are, "bin:0011" for a bin.
 */
struct span message_of(const char *json);

/** The bytes that hexadecimal digits stand for; blanks between them are passed over. */
struct span bytes_of_hex(const char *hex);

/** Copies bytes to where they live as long as the process, e.g. out of a buffer. */
struct span bytes_keep(struct span bytes);

/** As printf, for JSON that has a part to vary. */
struct span message_of_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
