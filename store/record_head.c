#include "store/record_head.h"

#include "protocol/decimal.h"

uint32_t record_head_attempt(struct span record)
{
    uint64_t attempt = 0;
    (void)decimal_read_prefix(record, UINT32_MAX, &attempt);
    return (uint32_t)attempt;
}

/** Cuts `text` at the first `separator`: returns what stands before it, or an absent span. */
static struct span take_until(struct span *text, char separator)
{
    const uint8_t *end = text->size > 0 ? memchr(text->data, separator, text->size) : NULL;
    if (end == NULL) {
        return (struct span){0};
    }
    struct span taken = span_make(text->data, (size_t)(end - text->data));
    *text = span_make(end + 1, text->size - taken.size - 1);
    return taken;
}

/** Finds a partition's committed offset; each entry is "<name>=<offset>", a space between them. */
static bool find_settled_offset(struct span settled_offsets, struct span name, uint64_t *offset)
{
    while (settled_offsets.size > name.size) {
        struct span entry = take_until(&settled_offsets, ' ');
        if (span_is_absent(entry)) {
            entry = settled_offsets;
            settled_offsets.size = 0;
        }
        if (entry.size > name.size && entry.data[name.size] == '=' &&
            memcmp(entry.data, name.data, name.size) == 0) {
            struct span digits = span_make(entry.data + name.size + 1, entry.size - name.size - 1);
            return decimal_read(digits, UINT64_MAX, offset);
        }
    }
    return false;
}

bool record_head_decode(struct span record, struct record_head *out)
{
    uint64_t attempt;
    struct record_head head = {0};
    struct span line = take_until(&record, '\n');
    if (span_is_absent(line) || !decimal_read(take_until(&line, ' '), UINT32_MAX, &attempt)) {
        return false;
    }
    head.attempt = (uint32_t)attempt;
    head.partition_name = take_until(&line, ' ');
    head.rest = record;
    if (head.partition_name.size == 0 || !decimal_read(line, INT64_MAX, &head.offset)) {
        return false;
    }
    *out = head;
    return true;
}

bool record_head_is_unsettled(struct span record, struct span settled_offsets)
{
    struct record_head head;
    uint64_t settled_offset;
    return record_head_decode(record, &head) &&
           (!find_settled_offset(settled_offsets, head.partition_name, &settled_offset) ||
            head.offset >= settled_offset);
}
