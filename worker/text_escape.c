#include "worker/text_escape.h"

#include "protocol/utf8.h"

static size_t write_escape(char letter, char out[TEXT_ESCAPE_BYTES_MAX])
{
    out[0] = '\\';
    out[1] = letter;
    return 2;
}

static size_t write_code(uint8_t code, char out[TEXT_ESCAPE_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    static const char prefix[] = {'\\', 'u', '0', '0'};
    memcpy(out, prefix, sizeof prefix);
    out[4] = digits[code >> 4];
    out[5] = digits[code & 15];
    return 6;
}

static size_t write_ascii(uint8_t byte, char out[TEXT_ESCAPE_BYTES_MAX])
{
    switch (byte) {
    case '"':
    case '\\':
        return write_escape((char)byte, out);
    case '\n':
        return write_escape('n', out);
    case '\r':
        return write_escape('r', out);
    case '\t':
        return write_escape('t', out);
    default:
        if (byte < 0x20 || byte == 0x7f) {
            return write_code(byte, out);
        }
        out[0] = (char)byte;
        return 1;
    }
}

/** The size of the sequence that `rest` starts with, 0 where it is not valid. */
static size_t sequence_size(struct span rest)
{
    uint8_t lead = rest.data[0];
    size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return rest.size >= size && utf8_is_valid(span_make(rest.data, size)) ? size : 0;
}

size_t text_escape_next(struct span *rest, char out[TEXT_ESCAPE_BYTES_MAX])
{
    const uint8_t *at = rest->data;
    size_t taken = at[0] < 0x80 ? 1 : sequence_size(*rest);
    size_t written = taken;
    if (taken == 1) {
        written = write_ascii(at[0], out);
    } else if (taken == 0) {
        out[0] = '?';
        taken = written = 1;
    } else if (at[0] == 0xc2 && at[1] < 0xa0) {
        written = write_code(at[1], out);
    } else {
        memcpy(out, at, taken);
    }
    *rest = span_make(at + taken, rest->size - taken);
    return written;
}

void text_escape_message(struct span message, char *out, size_t out_bytes)
{
    size_t size = 0;
    while (message.size > 0 && size + TEXT_ESCAPE_BYTES_MAX < out_bytes) {
        if (message.data[0] == '"' || message.data[0] == '\\') {
            out[size++] = (char)message.data[0];
            message = span_make(message.data + 1, message.size - 1);
        } else {
            size += text_escape_next(&message, out + size);
        }
    }
    out[size] = '\0';
}
