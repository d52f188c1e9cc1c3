#include "worker/line_reader.h"

enum { CHUNK_BYTES = 4096 };

void line_reader_init(struct line_reader *reader, FILE *stream, size_t line_bytes_max)
{
    *reader = (struct line_reader){.stream = stream};
    buffer_init(&reader->line, line_bytes_max);
}

void line_reader_deinit(struct line_reader *reader)
{
    buffer_deinit(&reader->line);
}

bool line_reader_next(struct line_reader *reader)
{
    char chunk[CHUNK_BYTES];
    size_t size = 0;
    int byte = getc(reader->stream);
    if (byte == EOF) {
        return false;
    }
    buffer_clear(&reader->line);
    reader->number++;
    for (; byte != EOF && byte != '\n'; byte = getc(reader->stream)) {
        if (size == sizeof chunk) {
            buffer_append(&reader->line, chunk, size);
            size = 0;
        }
        chunk[size++] = (char)byte;
    }
    buffer_append(&reader->line, chunk, size);
    return ferror(reader->stream) == 0;
}
