#include "tests/property/state.h"

#include "store/memory_store.h"

enum { POLLS_MAX = 2000, PATH_BYTES_MAX = 200 };

bool state_read(struct store *store, const char *scene, struct arena *arena, struct state *out,
                struct verdict *verdict)
{
    struct span ids[HISTORY_ELEMENTS];
    for (uint32_t i = 0; i < HISTORY_ELEMENTS; i++) {
        ids[i] = span_of_text(history_element_id(i));
    }
    struct scene_load load = {
        .session_id = span_of_text(scene),
        .element_ids = ids,
        .element_count = HISTORY_ELEMENTS,
        .arena = arena,
    };
    store_submit_load(store, &load);
    for (int i = 0; i < POLLS_MAX && load.status == STORE_IN_FLIGHT; i++) {
        (void)store_poll(store, 10);
    }
    if (load.status != STORE_DONE) {
        return verdict_fails(verdict, "scene %s cannot be read: status %d", scene,
                             (int)load.status);
    }
    *out = (struct state){.version = load.version,
                          .element_count = load.scene_element_count,
                          .stored_count = load.stored_count};
    for (uint32_t i = 0; i < HISTORY_ELEMENTS; i++) {
        out->values[i] = load.element_values[i];
    }
    return true;
}

bool stored_element_read(struct span value, struct pool *pool, struct stored_element *out)
{
    const struct value *array = value_read(value, pool);
    if (!value_is(array, VALUE_ARRAY) || array->count < 3 || array->count > 4 ||
        !value_as_uint(array->first, &out->version) ||
        !value_as_uint(array->first->next, &out->timestamp_ms)) {
        return false;
    }
    const struct value *document = array->first->next->next;
    out->document = document->type == VALUE_NIL ? NULL : document;
    out->clocks = document->next;
    return out->document == NULL || document->type == VALUE_MAP;
}

/* --- Clocks --- */

static bool is_at_or_below(struct span pointer, struct span top)
{
    return pointer.size >= top.size && span_equal(span_make(pointer.data, top.size), top) &&
           (pointer.size == top.size || pointer.data[top.size] == '/');
}

/* A place whose clock is asked for, and the latest write found so far to what is at it, above it or
 * below it. */
struct question {
    struct span pointer;
    const struct value *clocks;
    uint64_t add_clock_ms, latest_ms;
};

static bool is_related(struct span a, struct span b)
{
    return is_at_or_below(a, b) || is_at_or_below(b, a);
}

static void take_time(struct question *question, uint64_t time_ms)
{
    question->latest_ms = time_ms > question->latest_ms ? time_ms : question->latest_ms;
}

/* One step further down a JSON Pointer. */
static struct span pointer_to(struct span above, struct span key, struct pool *pool)
{
    uint8_t *text = pool_alloc(pool, above.size + 1 + 2 * key.size);
    size_t size = above.size;
    if (above.size > 0) {
        memcpy(text, above.data, above.size);
    }
    text[size++] = '/';
    for (size_t i = 0; i < key.size; i++) {
        bool is_escaped = key.data[i] == '~' || key.data[i] == '/';
        if (is_escaped) {
            text[size++] = '~';
        }
        text[size++] = !is_escaped ? key.data[i] : key.data[i] == '~' ? '0' : '1';
    }
    return span_make(text, size);
}

/* A value that stands in the element and has no clock of its own has the add's. */
static void ask_document(struct question *question, const struct value *map, struct span above,
                         struct pool *pool)
{
    for (const struct value *member = map->first; member != NULL; member = member->next) {
        const struct span pointer = pointer_to(above, member->key->text, pool);
        if (member->type == VALUE_MAP && member->count > 0) {
            ask_document(question, member, pointer, pool);
        } else if (is_related(pointer, question->pointer) &&
                   value_find_span(question->clocks, pointer) == NULL) {
            take_time(question, question->add_clock_ms);
        }
    }
}

static uint64_t stored_clock_of(const struct stored_element *stored, struct span pointer,
                                struct pool *pool)
{
    struct question question = {
        .pointer = pointer,
        .clocks = stored->clocks,
        .add_clock_ms = stored->timestamp_ms,
    };
    (void)value_as_uint(value_find(stored->clocks, ""), &question.add_clock_ms);
    (void)value_as_uint(value_find(stored->clocks, "*"), &question.latest_ms);
    for (const struct value *clock = stored->clocks->first; clock != NULL; clock = clock->next) {
        uint64_t time_ms = 0;
        const struct span place = clock->key->text;
        if (place.size > 0 && place.data[0] == '/' && is_related(place, pointer) &&
            value_as_uint(clock, &time_ms)) {
            take_time(&question, time_ms);
        }
    }
    ask_document(&question, stored->document, span_of_text(""), pool);
    return question.latest_ms;
}

static bool clocks_are(const struct stored_element *stored, const struct model_element *expected,
                       const char *name, struct pool *pool, struct verdict *verdict)
{
    if ((stored->clocks != NULL) != expected->has_clocks) {
        return verdict_fails(verdict, "%s: it has %s clocks, expected the contrary", name,
                             stored->clocks != NULL ? "some" : "no");
    }
    for (size_t i = 0; i < expected->clock_count && stored->clocks != NULL; i++) {
        const struct span pointer = expected->clocks[i].pointer;
        const uint64_t expected_ms = model_clock_of(expected, pointer);
        const uint64_t found_ms = stored_clock_of(stored, pointer, pool);
        if (found_ms != expected_ms) {
            return verdict_fails(verdict, "%s: clock of '%.*s' is %llu, expected %llu", name,
                                 SPAN_ARGS(pointer), (unsigned long long)found_ms,
                                 (unsigned long long)expected_ms);
        }
    }
    return true;
}

/* --- The model's --- */

static bool element_is(struct span value, const struct model_element *expected, const char *name,
                       struct verdict *verdict)
{
    struct pool pool = {0};
    struct stored_element stored = {0};
    char path[PATH_BYTES_MAX] = "";
    bool is_same = true;
    if (!stored_element_read(value, &pool, &stored)) {
        is_same = verdict_fails(verdict, "%s: not [version, timestamp, element]", name);
    } else if (stored.version != expected->version ||
               stored.timestamp_ms != expected->timestamp_ms) {
        is_same = verdict_fails(
            verdict, "%s: version %llu at %llu, expected version %llu at %llu", name,
            (unsigned long long)stored.version, (unsigned long long)stored.timestamp_ms,
            (unsigned long long)expected->version, (unsigned long long)expected->timestamp_ms);
    } else if ((stored.document == NULL) != expected->is_removed) {
        is_same = verdict_fails(verdict, "%s: it is %s, expected the contrary", name,
                                stored.document == NULL ? "removed" : "present");
    } else if (stored.document != NULL &&
               !value_is_same(expected->document, stored.document, path, sizeof(path))) {
        is_same = verdict_fails(verdict, "%s: '%s' is not as expected", name, path);
    } else if (stored.document != NULL) {
        is_same = clocks_are(&stored, expected, name, &pool, verdict);
    }
    pool_free(&pool);
    return is_same;
}

bool state_is(const struct state *state, const struct model_scene *scene, const char *name,
              struct verdict *verdict)
{
    if (state->version != scene->version || state->element_count != scene->element_count ||
        state->stored_count != scene->count) {
        return verdict_fails(
            verdict,
            "scene %s: version %llu with %llu elements of %llu values, expected version %llu "
            "with %llu of %llu",
            name, (unsigned long long)state->version, (unsigned long long)state->element_count,
            (unsigned long long)state->stored_count, (unsigned long long)scene->version,
            (unsigned long long)scene->element_count, (unsigned long long)scene->count);
    }
    for (uint32_t i = 0; i < HISTORY_ELEMENTS; i++) {
        const char *id = history_element_id(i);
        const struct model_element *expected = model_scene_find(scene, span_of_text(id));
        if (span_is_absent(state->values[i]) != (expected == NULL)) {
            return verdict_fails(verdict, "scene %s: element %s is %s, expected the contrary", name,
                                 id, expected == NULL ? "known" : "unknown");
        }
        if (expected != NULL && !element_is(state->values[i], expected, id, verdict)) {
            return false;
        }
    }
    return true;
}

/* --- Dumps --- */

static bool starts_with(const char *line, const char *start)
{
    return strncmp(line, start, strlen(start)) == 0;
}

/* Whether the line says how commits were cut, or, without more, where retries stood. */
static bool is_left_out(const char *line, bool only_effects)
{
    if (starts_with(line, "meta commit ") || starts_with(line, "meta dedupe ")) {
        return true;
    }
    return only_effects && (starts_with(line, "batches") || starts_with(line, "pending") ||
                            starts_with(line, "meta at:scene.ops.retry"));
}

void state_dump(const struct store *memory_store, const char *scene, bool only_effects,
                struct buffer *out)
{
    struct buffer all;
    buffer_init(&all, out->bytes_max);
    memory_store_dump(memory_store, span_of_text(scene), &all);
    buffer_append(&all, "", 1);
    for (const char *line = (const char *)all.data; line[0] != '\0';) {
        size_t size = strcspn(line, "\n") + 1;
        if (!is_left_out(line, only_effects)) {
            buffer_append_format(out, "%s ", scene);
            buffer_append(out, line, size);
        }
        line += size;
    }
    buffer_deinit(&all);
}

void state_dump_all(const struct store *memory_store, bool only_effects, struct buffer *out)
{
    for (uint32_t scene = 0; scene < HISTORY_SCENES; scene++) {
        state_dump(memory_store, history_scene_id(scene), only_effects, out);
    }
}

bool state_dumps_equal(const struct buffer *a, const struct buffer *b, struct verdict *verdict)
{
    size_t line = 0;
    size_t at = 0;
    size_t size = a->size < b->size ? a->size : b->size;
    for (; at < size && a->data[at] == b->data[at]; at++) {
        line = a->data[at] == '\n' ? at + 1 : line;
    }
    if (at == a->size && at == b->size) {
        return true;
    }
    size_t rest_a = a->size - line < 300 ? a->size - line : 300;
    size_t rest_b = b->size - line < 300 ? b->size - line : 300;
    return verdict_fails(verdict, "the store's bytes differ:\n    %.*s\n    %.*s", (int)rest_a,
                         (const char *)a->data + line, (int)rest_b, (const char *)b->data + line);
}
