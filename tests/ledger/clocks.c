/* An element's clocks in Redis against the model's (inside.h), read by store/README.md. */
#include "tests/ledger/inside.h"

enum { POINTER_BYTES_MAX = 4096 };

/* The clocks as they stand there, and what they stand beside. */
struct stored_clocks {
    const struct value *map, *document;
    uint64_t add_ms;
};

static uint64_t later(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* The pointer one key further down; false where it is longer than any here. */
static bool push(char *pointer, size_t *size, struct span key)
{
    if (*size + 2 * key.size + 1 >= POINTER_BYTES_MAX) {
        return false;
    }
    pointer[(*size)++] = '/';
    for (size_t i = 0; i < key.size; i++) {
        const char byte = (char)key.data[i];
        const bool is_escaped = byte == '~' || byte == '/';
        if (is_escaped) {
            pointer[(*size)++] = '~';
        }
        pointer[(*size)++] = is_escaped ? (byte == '~' ? '0' : '1') : byte;
    }
    return true;
}

/* Whether a value at, above or below the place has no clock of its own, and so the add's. */
static bool goes_by_add(const struct stored_clocks *clocks, const struct value *map, char *pointer,
                        size_t size, struct span place)
{
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        size_t end = size;
        if (!push(pointer, &end, member->key->text)) {
            continue;
        }
        const struct span here = span_make(pointer, end);
        if (!model_is_related(here, place)) {
            continue;
        }
        const bool is_leaf = member->type != VALUE_MAP || member->count == 0;
        if (is_leaf ? value_find_span(clocks->map, here) == NULL
                    : goes_by_add(clocks, member, pointer, end, place)) {
            return true;
        }
    }
    return false;
}

static uint64_t stored_clock_of(const struct stored_clocks *clocks, struct span place)
{
    char pointer[POINTER_BYTES_MAX];
    uint64_t clock_ms =
        goes_by_add(clocks, clocks->document, pointer, 0, place) ? clocks->add_ms : 0;
    for (const struct value *entry = clocks->map->first; entry != NULL; entry = entry->next) {
        const struct span key = entry->key->text;
        uint64_t time_ms = 0;
        const bool counts =
            span_equal_text(key, "*") || (key.size > 0 && model_is_related(key, place));
        if (counts && value_as_uint(entry, &time_ms)) {
            clock_ms = later(clock_ms, time_ms);
        }
    }
    return clock_ms;
}

bool compare_clocks(const struct model_element *expected, const struct value *document,
                    const struct value *map, struct reason *reason)
{
    if (map == NULL || map->type == VALUE_NIL) {
        return !expected->has_clocks || differs(reason, "it has no clocks");
    }
    if (!expected->has_clocks || map->type != VALUE_MAP) {
        return differs(reason, "it has clocks, expected none");
    }
    struct stored_clocks clocks = {.map = map, .document = document};
    if (!value_as_uint(value_find(map, ""), &clocks.add_ms) ||
        clocks.add_ms != expected->add_clock_ms) {
        return differs(reason, "its add clock is %llu, expected %llu",
                       (unsigned long long)clocks.add_ms,
                       (unsigned long long)expected->add_clock_ms);
    }
    for (size_t i = 0; i < expected->clock_count; i++) {
        const struct span place = expected->clocks[i].pointer;
        const uint64_t stored_ms = stored_clock_of(&clocks, place);
        const uint64_t expected_ms = model_clock_of(expected, place);
        if (stored_ms != expected_ms) {
            return differs(reason, "the clock of '%.*s' is %llu, expected %llu",
                           place.size < 200 ? (int)place.size : 200, (const char *)place.data,
                           (unsigned long long)stored_ms, (unsigned long long)expected_ms);
        }
    }
    return true;
}
