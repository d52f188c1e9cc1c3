/* A scene's keys in Redis against the model's scene (inside.h). */
#include <stdlib.h>

#include "tests/ledger/inside.h"

struct scene_keys {
    struct ledger *ledger;
    const struct model_scene *scene;
    const struct story *stories;
    size_t story_count;
    struct span session_id;
    const struct field *fields; /* the scene's */
    size_t field_count;
};

enum { TOKEN_BYTES_MAX = 32, PATH_BYTES_MAX = 200 };

static int field_session_order(const void *item, const void *key)
{
    const struct field *const field = item;
    const struct span *const session_id = key;
    return order_spans(field->session_id, *session_id);
}

static const struct field *find_fields(const struct ledger *ledger, struct span session_id,
                                       size_t *count)
{
    const struct field *const fields = ledger->fields.items;
    const size_t first = list_find(&ledger->fields, &session_id, field_session_order);
    size_t end = first;
    while (end < ledger->fields.count && span_equal(fields[end].session_id, session_id)) {
        end++;
    }
    *count = end - first;
    return fields == NULL ? NULL : fields + first;
}

/* --- Elements --- */

static bool is_number(const struct value *value, const char *name, uint64_t expected,
                      struct reason *reason)
{
    uint64_t number = 0;
    if (!value_as_uint(value, &number)) {
        return differs(reason, "its %s is no uint", name);
    }
    return number == expected || differs(reason, "its %s is %llu, expected %llu", name,
                                         (unsigned long long)number, (unsigned long long)expected);
}

/* "[version, timestamp, element]", nil as the element of a tombstone, clocks behind it. */
static bool compare_element(const struct model_element *expected, const struct value *stored,
                            struct reason *reason)
{
    char path[PATH_BYTES_MAX] = "";
    if (!value_is(stored, VALUE_ARRAY) || stored->count < 3 || stored->count > 4) {
        return differs(reason, "it is no array of version, timestamp and element");
    }
    const struct value *const document = stored->first->next->next;
    if (!is_number(stored->first, "version", expected->version, reason) ||
        !is_number(stored->first->next, "timestamp", expected->timestamp_ms, reason)) {
        return false;
    }
    if (expected->is_removed) {
        return document->type == VALUE_NIL || differs(reason, "it is there, expected a tombstone");
    }
    if (document->type == VALUE_NIL) {
        return differs(reason, "it is a tombstone, expected an element");
    }
    if (!value_is_same(expected->document, document, path, sizeof(path))) {
        return differs(reason, "'%s' is not as expected", path);
    }
    return compare_clocks(expected, document, document->next, reason);
}

static void check_element(struct scene_keys *keys, const struct field *field)
{
    const struct model_element *const expected = model_scene_find(keys->scene, field->name);
    struct pool pool = {0};
    struct reason reason;
    if (expected == NULL) {
        found(keys->ledger, FINDING_DIFFERING,
              "scene '%.*s': element '%.*s' stands there, and no operation explains it",
              SPAN_ARGS(keys->session_id), SPAN_ARGS(field->name));
        return;
    }
    if (!compare_element(expected, value_read(field->value, &pool), &reason)) {
        found(keys->ledger, FINDING_DIFFERING, "scene '%.*s': element '%.*s': %s",
              SPAN_ARGS(keys->session_id), SPAN_ARGS(field->name), reason.bytes);
    }
    pool_free(&pool);
}

static const struct field *find_field(const struct scene_keys *keys, enum ledger_key key,
                                      struct span name)
{
    for (size_t i = 0; i < keys->field_count; i++) {
        if (keys->fields[i].key == key && span_equal(keys->fields[i].name, name)) {
            return &keys->fields[i];
        }
    }
    return NULL;
}

/* Marks by bytes: which of the model's elements were found. */
static void mark_found(const struct scene_keys *keys, enum ledger_key key, uint8_t *marks)
{
    for (size_t i = 0; i < keys->field_count; i++) {
        if (keys->fields[i].key != key) {
            continue;
        }
        for (size_t low = 0, high = keys->scene->count; low < high;) {
            const size_t middle = low + (high - low) / 2;
            const int order = order_spans(keys->scene->elements[middle]->id, keys->fields[i].name);
            if (order == 0) {
                marks[middle] = 1;
                break;
            }
            low = order < 0 ? middle + 1 : low;
            high = order < 0 ? high : middle;
        }
    }
}

static void check_missing_elements(struct scene_keys *keys)
{
    uint8_t *const marks = calloc(keys->scene->count + 1, 1);
    uint8_t *const index_marks = calloc(keys->scene->count + 1, 1);
    if (marks == NULL || index_marks == NULL) {
        abort();
    }
    mark_found(keys, LEDGER_ELEMENTS, marks);
    mark_found(keys, LEDGER_TOMBSTONES, index_marks);
    for (size_t i = 0; i < keys->scene->count; i++) {
        const struct model_element *const element = keys->scene->elements[i];
        keys->ledger->counts.elements += !element->is_removed;
        keys->ledger->counts.tombstones += element->is_removed;
        if (!marks[i]) {
            found(keys->ledger, FINDING_LOST, "scene '%.*s': %s '%.*s' is missing",
                  SPAN_ARGS(keys->session_id), element->is_removed ? "tombstone" : "element",
                  SPAN_ARGS(element->id));
        }
        if (element->is_removed && !index_marks[i]) {
            found(keys->ledger, FINDING_LOST, "scene '%.*s': '%.*s' is missing in :tombstones",
                  SPAN_ARGS(keys->session_id), SPAN_ARGS(element->id));
        }
    }
    free(marks);
    free(index_marks);
}

/* --- Record times --- */

static bool read_number(struct span text, int64_t *number)
{
    char digits[32];
    if (text.size == 0 || text.size >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    char *end = NULL;
    *number = strtoll(digits, &end, 10);
    return *end == '\0';
}

/* Whether a record that names this scene has this timestamp. */
static bool is_record_time(const struct scene_keys *keys, int64_t time_ms)
{
    const struct delivery *const deliveries = keys->ledger->deliveries.items;
    const struct requeue *const requeues = keys->ledger->requeues.items;
    size_t i = list_find_session(&keys->ledger->deliveries, keys->session_id);
    for (; i < keys->ledger->deliveries.count &&
           span_equal(deliveries[i].identity.session_id, keys->session_id);
         i++) {
        if (deliveries[i].record->timestamp_ms == time_ms) {
            return true;
        }
    }
    i = list_find_session(&keys->ledger->requeues, keys->session_id);
    for (; i < keys->ledger->requeues.count &&
           span_equal(requeues[i].identity.session_id, keys->session_id);
         i++) {
        if (requeues[i].record->timestamp_ms == time_ms) {
            return true;
        }
    }
    return false;
}

static void check_tombstone(struct scene_keys *keys, const struct field *field)
{
    const struct model_element *const expected = model_scene_find(keys->scene, field->name);
    int64_t score = 0;
    if (expected == NULL || !expected->is_removed) {
        found(keys->ledger, FINDING_DIFFERING,
              "scene '%.*s': '%.*s' stands in :tombstones, and is no tombstone",
              SPAN_ARGS(keys->session_id), SPAN_ARGS(field->name));
    } else if (!read_number(field->value, &score) ||
               (score != expected->removed_at_ms && !is_record_time(keys, score))) {
        found(keys->ledger, FINDING_DIFFERING,
              "scene '%.*s': '%.*s' in :tombstones has the score %.*s, expected %lld",
              SPAN_ARGS(keys->session_id), SPAN_ARGS(field->name), SPAN_ARGS(field->value),
              (long long)expected->removed_at_ms);
    }
}

/* --- Meta --- */

/* Where a record of this scene stands, and whether it is the first of a batch that was applied. */
struct position {
    struct span topic;
    int64_t partition, offset;
    bool is_there; /* a record of the scene stands at the offset */
    bool is_high;  /* no applied one stands above it */
};

static void look_at(struct position *position, const struct place *place, bool is_applied)
{
    if (!span_equal(place->topic, position->topic) || place->partition != position->partition) {
        return;
    }
    position->is_there = position->is_there || place->offset == position->offset;
    if (is_applied && place->offset > position->offset) {
        position->is_high = false;
    }
}

static void look_through(const struct scene_keys *keys, struct position *position)
{
    const struct delivery *const deliveries = keys->ledger->deliveries.items;
    const struct requeue *const requeues = keys->ledger->requeues.items;
    for (size_t i = 0; i < keys->story_count; i++) {
        look_at(position, &keys->stories[i].delivery->place, true);
    }
    size_t i = list_find_session(&keys->ledger->deliveries, keys->session_id);
    for (; i < keys->ledger->deliveries.count &&
           span_equal(deliveries[i].identity.session_id, keys->session_id);
         i++) {
        look_at(position, &deliveries[i].place, false);
    }
    i = list_find_session(&keys->ledger->requeues, keys->session_id);
    for (; i < keys->ledger->requeues.count &&
           span_equal(requeues[i].identity.session_id, keys->session_id);
         i++) {
        look_at(position, &requeues[i].place, false);
    }
}

/* "at:<topic>/<partition>": "<offset> <timestamp>" */
static bool compare_position(const struct scene_keys *keys, const struct field *field,
                             struct reason *reason)
{
    const struct span name = span_make(field->name.data + 3, field->name.size - 3);
    size_t slash = name.size;
    while (slash > 0 && name.data[slash - 1] != '/') {
        slash--;
    }
    const uint8_t *const blank =
        field->value.size == 0 ? NULL : memchr(field->value.data, ' ', field->value.size);
    struct position position = {.is_high = true};
    int64_t time_ms = 0;
    if (slash == 0 || blank == NULL) {
        return differs(reason, "it is not '<offset> <timestamp>'");
    }
    const size_t offset_size = (size_t)(blank - field->value.data);
    position.topic = span_make(name.data, slash - 1);
    if (!read_number(span_make(name.data + slash, name.size - slash), &position.partition) ||
        !read_number(span_make(field->value.data, offset_size), &position.offset) ||
        !read_number(span_make(blank + 1, field->value.size - offset_size - 1), &time_ms)) {
        return differs(reason, "it is not '<offset> <timestamp>'");
    }
    look_through(keys, &position);
    if (!position.is_there || !is_record_time(keys, time_ms)) {
        return differs(reason, "no record of the scene stands there");
    }
    return position.is_high || differs(reason, "records above it were applied");
}

static bool starts_with(struct span text, const char *start)
{
    return text.size >= strlen(start) && memcmp(text.data, start, strlen(start)) == 0;
}

static bool compare_meta(const struct scene_keys *keys, const struct field *field,
                         struct reason *reason)
{
    int64_t number = -1;
    const bool is_count = read_number(field->value, &number);
    if (span_equal_text(field->name, "version")) {
        return (is_count && (uint64_t)number == keys->scene->version) ||
               differs(reason, "expected %llu", (unsigned long long)keys->scene->version);
    }
    if (span_equal_text(field->name, "element_count")) {
        return (is_count && (uint64_t)number == keys->scene->element_count) ||
               differs(reason, "expected %llu", (unsigned long long)keys->scene->element_count);
    }
    if (span_equal_text(field->name, "updated_at")) {
        return (is_count && is_record_time(keys, number)) ||
               differs(reason, "no record of the scene has this timestamp");
    }
    if (span_equal_text(field->name, "commit")) {
        return (field->value.size > 0 && field->value.size <= TOKEN_BYTES_MAX) ||
               differs(reason, "a token has 1 to %d bytes", TOKEN_BYTES_MAX);
    }
    if (starts_with(field->name, "at:")) {
        return compare_position(keys, field, reason);
    }
    return span_equal_text(field->name, "dedupe") || differs(reason, "nothing explains it");
}

static void check_meta(struct scene_keys *keys, const struct field *field)
{
    struct reason reason;
    if (!compare_meta(keys, field, &reason)) {
        found(keys->ledger, FINDING_DIFFERING, "scene '%.*s': meta field '%.*s' is '%.*s': %s",
              SPAN_ARGS(keys->session_id), SPAN_ARGS(field->name), SPAN_ARGS(field->value),
              reason.bytes);
    }
}

static void check_missing_meta(struct scene_keys *keys)
{
    static const char *const names[] = {"version", "commit", "element_count", "updated_at"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (find_field(keys, LEDGER_META, span_of_text(names[i])) == NULL) {
            found(keys->ledger, FINDING_LOST, "scene '%.*s': meta field '%s' is missing",
                  SPAN_ARGS(keys->session_id), names[i]);
        }
    }
}

/* --- Records --- */

static void check_memories(struct scene_keys *keys)
{
    const struct memory *const memories = keys->ledger->memories.items;
    size_t i = list_find_session(&keys->ledger->memories, keys->session_id);
    for (; i < keys->ledger->memories.count &&
           span_equal(memories[i].identity.session_id, keys->session_id);
         i++) {
        bool is_known = false;
        for (size_t j = list_find_identity(&keys->ledger->stories, &memories[i].identity);
             j < keys->ledger->stories.count && !is_known; j++) {
            const struct story *const story =
                &((const struct story *)keys->ledger->stories.items)[j];
            if (order_identities(&story->identity, &memories[i].identity) != 0) {
                break;
            }
            is_known = story->memory != NULL;
        }
        if (!is_known) {
            found(keys->ledger, FINDING_DIFFERING, "the record of %s: nothing explains it",
                  text_of_identity(&memories[i].identity).bytes);
        }
    }
}

void check_keys(struct ledger *ledger, const struct model_scene *scene, struct story *stories,
                size_t count)
{
    struct scene_keys keys = {.ledger = ledger,
                              .scene = scene,
                              .stories = stories,
                              .story_count = count,
                              .session_id = stories[0].identity.session_id};
    keys.fields = find_fields(ledger, keys.session_id, &keys.field_count);
    check_missing_meta(&keys);
    check_missing_elements(&keys);
    check_memories(&keys);
    for (size_t i = 0; i < keys.field_count; i++) {
        switch (keys.fields[i].key) {
        case LEDGER_META:
            check_meta(&keys, &keys.fields[i]);
            break;
        case LEDGER_ELEMENTS:
            check_element(&keys, &keys.fields[i]);
            break;
        case LEDGER_TOMBSTONES:
            check_tombstone(&keys, &keys.fields[i]);
            break;
        case LEDGER_BATCHES:
        case LEDGER_PENDING:
            break; /* read already */
        }
    }
}

void check_stray_keys(struct ledger *ledger)
{
    const struct span *const stray = ledger->stray_keys.items;
    for (size_t i = 0; i < ledger->stray_keys.count; i++) {
        found(ledger, FINDING_DIFFERING, "key '%.*s': nothing explains it", SPAN_ARGS(stray[i]));
    }
    const struct field *const fields = ledger->fields.items;
    for (size_t i = 0; i < ledger->fields.count; i++) {
        const struct span session_id = fields[i].session_id;
        if (i > 0 && span_equal(fields[i - 1].session_id, session_id)) {
            continue;
        }
        const size_t place = list_find_session(&ledger->stories, session_id);
        const struct story *const stories = ledger->stories.items;
        if (place == ledger->stories.count ||
            !span_equal(stories[place].identity.session_id, session_id)) {
            found(ledger, FINDING_DIFFERING, "scene '%.*s': no operation explains it",
                  SPAN_ARGS(session_id));
        }
    }
}
