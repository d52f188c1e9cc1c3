#include "store/position.h"

size_t position_write(const struct store_position *position, char out[POSITION_BYTES_MAX])
{
    size_t size = decimal_write_signed(position->offset, out);
    out[size++] = ' ';
    return size + decimal_write_signed(position->timestamp_ms, out + size);
}

bool position_read(struct span text, struct store_position *out)
{
    int64_t offset, timestamp_ms;
    const uint8_t *space = text.size > 0 ? memchr(text.data, ' ', text.size) : NULL;
    if (space == NULL) {
        return false;
    }
    size_t size = (size_t)(space - text.data);
    if (!decimal_read_signed(span_make(text.data, size), &offset) ||
        !decimal_read_signed(span_make(space + 1, text.size - size - 1), &timestamp_ms)) {
        return false;
    }
    out->known = true;
    out->offset = offset;
    out->timestamp_ms = timestamp_ms;
    return true;
}
