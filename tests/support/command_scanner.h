/**
 * Finds where commands end in what a client sends to Redis: arrays of bulk strings, as every client
 * library writes them (RESP), in pieces of any size.
 *
 * Lifetime: plain data; all zero is the start. Threading: none. Cost: headers byte by byte, values
 * skipped.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_COMMAND_SCANNER_H
#define SCENESYNC_TESTS_SUPPORT_COMMAND_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COMMAND_HEAD_BYTES_MAX = 512, COMMAND_LINE_BYTES_MAX = 32 };

struct command_scanner {
    char line[COMMAND_LINE_BYTES_MAX]; /* of the header that is being read */
    size_t line_size;
    uint64_t arguments_left, value_left;  /* value_left counts the line end behind the value */
    uint8_t head[COMMAND_HEAD_BYTES_MAX]; /* how the command begins, headers included */
    size_t head_size;
    bool is_ended; /* the byte taken last ended a command */
};

/**
 * Takes bytes up to the end of a command, or all of them: `is_ended` tells. Returns how many. What
 * is no such array is taken as a command per line.
 */
size_t command_scanner_take(struct command_scanner *scanner, const uint8_t *bytes, size_t size);

/** Whether all of these words, with one space between them, stand somewhere in the first
 * COMMAND_HEAD_BYTES_MAX bytes of the command. */
bool command_scanner_has(const struct command_scanner *scanner, const char *words);

#endif
