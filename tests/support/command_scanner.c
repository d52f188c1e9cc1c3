#include "tests/support/command_scanner.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_END_BYTES = 2 };

static void keep_head(struct command_scanner *scanner, const uint8_t *bytes, size_t size)
{
    const size_t room = COMMAND_HEAD_BYTES_MAX - scanner->head_size;
    const size_t kept = size < room ? size : room;
    memcpy(scanner->head + scanner->head_size, bytes, kept);
    scanner->head_size += kept;
}

static void end_argument(struct command_scanner *scanner)
{
    scanner->arguments_left -= scanner->arguments_left > 0 ? 1 : 0;
    scanner->is_ended = scanner->arguments_left == 0;
}

static void end_line(struct command_scanner *scanner)
{
    scanner->line[scanner->line_size] = '\0';
    scanner->line_size = 0;
    const uint64_t number = strtoul(scanner->line + 1, NULL, 10);
    if (scanner->line[0] == '*' && number > 0) {
        scanner->arguments_left = number;
    } else if (scanner->line[0] == '$') {
        scanner->value_left = number + LINE_END_BYTES;
    } else {
        scanner->is_ended = true;
    }
}

static void take_header_byte(struct command_scanner *scanner, uint8_t byte)
{
    if (byte == '\n') {
        end_line(scanner);
    } else if (scanner->line_size + 1 < COMMAND_LINE_BYTES_MAX) {
        scanner->line[scanner->line_size++] = (char)byte;
    }
}

static size_t take_value(struct command_scanner *scanner, size_t size)
{
    const size_t taken = scanner->value_left < size ? (size_t)scanner->value_left : size;
    scanner->value_left -= taken;
    if (scanner->value_left == 0) {
        end_argument(scanner);
    }
    return taken;
}

size_t command_scanner_take(struct command_scanner *scanner, const uint8_t *bytes, size_t size)
{
    if (scanner->is_ended) {
        *scanner = (struct command_scanner){.is_ended = false};
    }
    size_t at = 0;
    while (at < size && !scanner->is_ended) {
        size_t taken = 1;
        if (scanner->value_left > 0) {
            taken = take_value(scanner, size - at);
        } else {
            take_header_byte(scanner, bytes[at]);
        }
        keep_head(scanner, bytes + at, taken);
        at += taken;
    }
    return at;
}

static bool has_word(const struct command_scanner *scanner, const char *word, size_t size)
{
    for (size_t at = 0; at + size <= scanner->head_size; at++) {
        if (memcmp(scanner->head + at, word, size) == 0) {
            return true;
        }
    }
    return false;
}

bool command_scanner_has(const struct command_scanner *scanner, const char *words)
{
    for (const char *word = words; *word != '\0';) {
        const size_t size = strcspn(word, " ");
        if (!has_word(scanner, word, size)) {
            return false;
        }
        word += size + (word[size] == ' ' ? 1 : 0);
    }
    return true;
}
