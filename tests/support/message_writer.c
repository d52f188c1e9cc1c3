#include "tests/support/message_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/messages.h"

enum { TEXT_BYTES_MAX = 400 };

static void must_fit(int size, size_t room)
{
    if (size < 0 || (size_t)size >= room) {
        (void)fprintf(stderr, "a test's message: %d bytes where %zu have room\n", size, room);
        abort();
    }
}

void message_print(struct message_writer *out, const char *format, ...)
{
    const size_t room = sizeof(out->bytes) - out->size;
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(out->bytes + out->size, room, format, arguments);
    va_end(arguments);
    must_fit(size, room);
    out->size += (size_t)size;
}

void message_print_raw(struct message_writer *out, struct span bytes)
{
    message_print(out, "'hex:");
    for (size_t i = 0; i < bytes.size; i++) {
        message_print(out, "%02x", bytes.data[i]);
    }
    message_print(out, "'");
}

struct span bytes_of_format(const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    must_fit(size, sizeof(text));
    return bytes_keep(span_make(text, (size_t)size));
}
