#include "protocol/clocks.h"

#include <stdlib.h>

#include "protocol/pack.h"
#include "protocol/wire.h"

static const char add_key[] = "";
static const char floor_key[] = "*";

static bool is_key(struct span key)
{
    return key.size == 0 || key.data[0] == '/' || span_equal_text(key, floor_key);
}

bool clocks_check(struct span stored, struct error *error)
{
    struct wire_cursor cursor = wire_cursor_of(stored);
    struct wire_value head = wire_read(&cursor);
    if (head.type != WIRE_MAP) {
        return error_set(error, ERROR_STORE_ERROR, "the stored element's clocks are %s, not a map",
                         wire_type_name(head.type));
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct span key = wire_read_text(&cursor);
        struct wire_value value = wire_peek(wire_skip(&cursor));
        uint64_t ignored;
        if (!is_key(key) || !wire_as_uint(&value, &ignored)) {
            char quoted[ERROR_QUOTE_BYTES_MAX];
            return error_set(error, ERROR_STORE_ERROR,
                             "the stored element's clock '%s' is %s, not a JSON Pointer with a "
                             "non-negative integer",
                             error_quote(key, quoted), wire_type_name(value.type));
        }
    }
    return true;
}

static int compare_entries(const void *left, const void *right)
{
    return element_pointer_compare(((const struct clock_entry *)left)->pointer,
                                   ((const struct clock_entry *)right)->pointer);
}

void clocks_sort(struct clock_entry *entries, size_t count)
{
    bool is_sorted = true;
    for (size_t i = 1; is_sorted && i < count; i++) {
        is_sorted = compare_entries(&entries[i - 1], &entries[i]) <= 0;
    }
    if (!is_sorted) {
        qsort(entries, count, sizeof *entries, compare_entries);
    }
}

bool clocks_decode(struct span stored, uint64_t timestamp_ms, struct arena *arena,
                   struct clocks *out, struct error *error)
{
    if (span_is_absent(stored)) {
        *out = (struct clocks){.add_ms = timestamp_ms, .floor_ms = timestamp_ms};
        return true;
    }
    struct wire_cursor cursor = wire_cursor_of(stored);
    uint32_t count = wire_read(&cursor).count;
    struct clocks clocks = {.add_ms = timestamp_ms};
    clocks.entries = arena_alloc_array(arena, count, sizeof *clocks.entries);
    if (clocks.entries == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element's clocks");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct span pointer = wire_read_text(&cursor);
        struct wire_value value = wire_read(&cursor);
        uint64_t time_ms = 0;
        (void)!wire_as_uint(&value, &time_ms); /* checked */
        if (pointer.size == 0) {
            clocks.add_ms = time_ms;
        } else if (pointer.data[0] != '/') {
            clocks.floor_ms = time_ms;
        } else {
            clocks.entries[clocks.count++] =
                (struct clock_entry){.pointer = pointer, .time_ms = time_ms};
        }
    }
    clocks_sort(clocks.entries, clocks.count); /* other programs may write them in any order */
    *out = clocks;
    return true;
}

static void encode_entry(struct span pointer, uint64_t time_ms, struct buffer *out)
{
    pack_str(out, pointer);
    pack_uint(out, time_ms);
}

static void encode_head(uint32_t entry_count, uint64_t add_ms, uint64_t floor_ms,
                        struct buffer *out)
{
    pack_map(out, entry_count + (floor_ms > 0 ? 2 : 1));
    encode_entry(span_of_text(add_key), add_ms, out);
    if (floor_ms > 0) {
        encode_entry(span_of_text(floor_key), floor_ms, out);
    }
}

void clocks_encode(const struct clocks *clocks, size_t bytes_max, uint64_t latest_ms,
                   struct buffer *out)
{
    size_t start = out->size;
    uint32_t count = 0;
    for (size_t i = 0; i < clocks->count; i++) {
        count += !clocks->entries[i].is_dropped;
    }
    encode_head(count, clocks->add_ms, clocks->floor_ms, out);
    for (size_t i = 0; i < clocks->count && out->size - start <= bytes_max; i++) {
        if (!clocks->entries[i].is_dropped) {
            encode_entry(clocks->entries[i].pointer, clocks->entries[i].time_ms, out);
        }
    }
    if (!out->failed && out->size - start > bytes_max) {
        out->size = start;
        encode_head(0, clocks->add_ms, latest_ms, out);
    }
}

struct clock_range clocks_all(const struct clocks *clocks)
{
    return (struct clock_range){.entries = clocks->entries, .count = clocks->count};
}

/* How many of the range's entries come before the path, or with `is_end`, not behind it. */
static size_t count_before(struct clock_range range, const struct element_path *path, bool is_end)
{
    size_t low = 0;
    size_t high = range.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = element_path_compare(path, range.entries[middle].pointer);
        if (order > 0 || (is_end && order == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct clock_range clocks_below(struct clock_range range, const struct element_path *path)
{
    if (range.count == 0) {
        return range;
    }
    size_t first = count_before(range, path, false);
    size_t end = count_before(range, path, true);
    return (struct clock_range){.entries = range.entries + first, .count = end - first};
}

struct clock_entry *clocks_own(struct clock_range range, const struct element_path *path)
{
    return range.count > 0 && range.entries[0].pointer.size == path->pointer_bytes
               ? &range.entries[0]
               : NULL;
}

uint64_t clocks_latest(struct clock_range range)
{
    uint64_t latest_ms = 0;
    for (size_t i = 0; i < range.count; i++) {
        if (range.entries[i].time_ms > latest_ms) {
            latest_ms = range.entries[i].time_ms;
        }
    }
    return latest_ms;
}
