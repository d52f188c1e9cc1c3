/**
 * Lines of a stream, of bounded size, numbered from 1.
 *
 * Lifetime: line_reader_init() .. line_reader_deinit(); borrows the stream. Threading: one thread.
 * Cost: O(bytes); one buffer for all lines.
 */
#ifndef SCENESYNC_WORKER_LINE_READER_H
#define SCENESYNC_WORKER_LINE_READER_H

#include <stdio.h>

#include "protocol/buffer.h"

struct line_reader {
    FILE *stream;
    struct buffer line;
    uint64_t number; /* of the line read last */
};

void line_reader_init(struct line_reader *reader, FILE *stream, size_t line_bytes_max);
void line_reader_deinit(struct line_reader *reader);

/**
 * Reads the next line, without its newline, into `line`; one that is too long sets `line.failed`.
 * Returns false at the end of the stream and where reading fails (ferror()).
 */
__attribute__((warn_unused_result)) bool line_reader_next(struct line_reader *reader);

#endif
