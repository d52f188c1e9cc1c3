/* Section 4, merge: last-writer-wins for each property on its own (model.h). */
#include "tests/model/model.h"

/* One step further down a JSON Pointer (RFC 6901): ~ and / in keys are escaped. */
static struct span pointer_to(struct span above, struct span key, struct pool *pool)
{
    uint8_t *const text = pool_alloc(pool, above.size + 1 + 2 * key.size);
    size_t size = above.size;
    if (above.size > 0) {
        memcpy(text, above.data, above.size);
    }
    text[size++] = '/';
    for (size_t i = 0; i < key.size; i++) {
        const uint8_t byte = key.data[i];
        if (byte == '~' || byte == '/') {
            text[size++] = '~';
            text[size++] = byte == '~' ? '0' : '1';
        } else {
            text[size++] = byte;
        }
    }
    return span_make(text, size);
}

static bool is_at_or_below(struct span pointer, struct span top)
{
    return pointer.size >= top.size && span_equal(span_make(pointer.data, top.size), top) &&
           (pointer.size == top.size || pointer.data[top.size] == '/');
}

bool model_is_related(struct span a, struct span b)
{
    return is_at_or_below(a, b) || is_at_or_below(b, a);
}

uint64_t model_clock_of(const struct model_element *element, struct span pointer)
{
    uint64_t time_ms = element->has_clocks ? element->floor_ms : element->timestamp_ms;
    for (size_t i = 0; i < element->clock_count; i++) {
        const struct model_clock *const clock = &element->clocks[i];
        if (model_is_related(clock->pointer, pointer) && clock->time_ms > time_ms) {
            time_ms = clock->time_ms;
        }
    }
    return time_ms;
}

uint64_t model_add_clock_of(const struct model_element *element)
{
    return element->has_clocks ? element->add_clock_ms : element->timestamp_ms;
}

static bool is_leaf(const struct value *value)
{
    return value->type != VALUE_MAP || value->count == 0;
}

static struct value *leaves_below(const struct model_element *element, const struct value *map,
                                  struct span above, uint64_t time_ms, struct pool *pool)
{
    struct value *const leaves = value_of_map(pool);
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        const struct span pointer = pointer_to(above, member->key->text, pool);
        struct value *kept = NULL;
        if (span_equal_text(pointer, "/id")) {
            continue;
        }
        if (!is_leaf(member)) {
            struct value *const below = leaves_below(element, member, pointer, time_ms, pool);
            kept = below->count > 0 ? below : NULL;
        } else if (element == NULL || time_ms >= model_clock_of(element, pointer)) {
            kept = value_copy(member, pool);
        }
        if (kept != NULL) {
            value_set(leaves, value_copy(member->key, pool), kept);
        }
    }
    return leaves;
}

struct value *model_leaves_to_write(const struct model_element *element, const struct value *map,
                                    uint64_t time_ms, struct pool *pool)
{
    return leaves_below(element, map, span_of_text(""), time_ms, pool);
}

static void set_leaves(struct value *target, const struct value *leaves, struct pool *pool)
{
    for (const struct value *member = leaves->first; member != NULL; member = member->next) {
        struct value *inner = value_find_span(target, member->key->text);
        if (is_leaf(member)) {
            value_set(target, value_copy(member->key, pool), value_copy(member, pool));
            continue;
        }
        if (!value_is(inner, VALUE_MAP)) {
            inner = value_of_map(pool);
            value_set(target, value_copy(member->key, pool), inner);
        }
        set_leaves(inner, member, pool);
    }
}

struct value *model_element_with(const struct value *element, const struct value *leaves,
                                 struct pool *pool)
{
    struct value *const changed = value_copy(element, pool);
    set_leaves(changed, leaves, pool);
    return changed;
}

static void note_clock(struct model_element *element, struct span pointer, uint64_t time_ms)
{
    for (size_t i = 0; i < element->clock_count; i++) {
        struct model_clock *const clock = &element->clocks[i];
        if (span_equal(clock->pointer, pointer)) {
            clock->time_ms = clock->time_ms > time_ms ? clock->time_ms : time_ms;
            return;
        }
    }
    struct model_clock *const clocks =
        pool_alloc(&element->pool, (element->clock_count + 1) * sizeof(*clocks));
    if (element->clock_count > 0) {
        memcpy(clocks, element->clocks, element->clock_count * sizeof(*clocks));
    }
    clocks[element->clock_count] =
        (struct model_clock){.pointer = pool_copy(&element->pool, pointer), .time_ms = time_ms};
    element->clocks = clocks;
    element->clock_count++;
}

static void note_leaves(struct model_element *element, const struct value *leaves,
                        struct span above, uint64_t time_ms)
{
    for (const struct value *member = leaves->first; member != NULL; member = member->next) {
        struct pool pool = {0};
        const struct span pointer = pointer_to(above, member->key->text, &pool);
        if (is_leaf(member)) {
            note_clock(element, pointer, time_ms);
        } else {
            note_leaves(element, member, pointer, time_ms);
        }
        pool_free(&pool);
    }
}

void model_keep_clocks(struct model_element *element, const struct model_element *before)
{
    element->has_clocks = true;
    element->add_clock_ms = model_add_clock_of(before);
    element->floor_ms = before->has_clocks ? before->floor_ms : before->timestamp_ms;
    for (size_t i = 0; i < before->clock_count; i++) {
        note_clock(element, before->clocks[i].pointer, before->clocks[i].time_ms);
    }
}

void model_note_written(struct model_element *element, const struct value *leaves, uint64_t time_ms)
{
    note_leaves(element, leaves, span_of_text(""), time_ms);
}
