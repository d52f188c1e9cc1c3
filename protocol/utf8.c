#include "protocol/utf8.h"

enum { WORD_BYTES = 8 };

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/**
 * The size of the multi-byte sequence at `at` (whose first byte is not ASCII), 0 where it is not
 * valid. The range of the second byte is what excludes overlong forms, surrogates and what is
 * above U+10FFFF.
 */
static size_t sequence_size(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0xc2 || lead > 0xf4 || left < 2) {
        return 0;
    }
    if (lead < 0xe0) {
        return is_continuation(at[1]) ? 2 : 0;
    }
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high || left < 3 || !is_continuation(at[2])) {
        return 0;
    }
    if (lead < 0xf0) {
        return 3;
    }
    return left >= 4 && is_continuation(at[3]) ? 4 : 0;
}

static uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, WORD_BYTES);
    return word;
}

static bool has_high_bit(const uint8_t *at)
{
    return (load_word(at) & UTF8_HIGH_BITS) != 0;
}

/** The number of ASCII bytes at the start. */
static size_t ascii_prefix(const uint8_t *at, size_t size)
{
    size_t i = 0;
    while (size - i >= WORD_BYTES && !has_high_bit(at + i)) {
        i += WORD_BYTES;
    }
    while (i < size && at[i] < 0x80) {
        i++;
    }
    return i;
}

size_t utf8_valid_prefix(struct span text)
{
    size_t at = ascii_prefix(text.data, text.size);
    while (at < text.size) {
        size_t size = sequence_size(text.data + at, text.size - at);
        if (size == 0) {
            break;
        }
        at += size;
        at += ascii_prefix(text.data + at, text.size - at);
    }
    return at;
}

/** Whether all bytes are ASCII; reads the last word of longer texts across those before it. */
static bool is_ascii(struct span text)
{
    if (text.size < WORD_BYTES) {
        uint8_t united = 0;
        for (size_t i = 0; i < text.size; i++) {
            united |= text.data[i];
        }
        return united < 0x80;
    }
    size_t last = text.size - WORD_BYTES;
    uint64_t united = load_word(text.data + last);
    for (size_t at = 0; at < last; at += WORD_BYTES) {
        united |= load_word(text.data + at);
    }
    return (united & UTF8_HIGH_BITS) == 0;
}

bool utf8_is_valid(struct span text)
{
    return is_ascii(text) || utf8_valid_prefix(text) == text.size;
}
