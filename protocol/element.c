#include "protocol/element.h"

#include <assert.h>

#include "protocol/element_fields.h"
#include "protocol/identifier.h"
#include "protocol/pack.h"
#include "protocol/wire_scan.h"

enum { KNOWN_FIELDS_MAX = 6 };

static_assert((int)ELEMENT_FIELD_COUNT <= KNOWN_FIELDS_MAX &&
                  (int)TRANSFORM_FIELD_COUNT <= KNOWN_FIELDS_MAX,
              "struct known has room for either set");

/** The known fields of a map in an add, where nil means absent. */
struct known {
    struct span values[KNOWN_FIELDS_MAX]; /* by field; absent where missing or nil */
    /* Those that stand there, nil ones too, in order; the last is room for the pair being read. */
    struct element_pair pairs[KNOWN_FIELDS_MAX + 1];
    unsigned fields[KNOWN_FIELDS_MAX]; /* which one each of these is */
    unsigned pair_count, nil_count;
};

static void read_known(struct span map, const struct field_set *set, struct known *known)
{
    memset(known->values, 0, sizeof known->values);
    known->pair_count = 0;
    known->nil_count = 0;
    struct wire_cursor cursor = wire_cursor_of(map);
    uint32_t pairs = wire_advance_map(&cursor);
    for (uint32_t i = 0; i < pairs; i++) {
        struct element_pair *pair = &known->pairs[known->pair_count];
        element_read_pair(&cursor, pair);
        unsigned field = field_find(set, pair->key);
        if (field == set->count) {
            continue;
        }
        assert(known->pair_count < KNOWN_FIELDS_MAX); /* keys are unique */
        known->fields[known->pair_count++] = field;
        if (wire_is_nil(pair->value)) {
            known->nil_count++;
        } else {
            known->values[field] = pair->value;
        }
    }
}

static bool check_id(struct span raw, struct arena *arena, struct span *id, struct error *error)
{
    if (span_is_absent(raw)) {
        return error_set(error, ERROR_INVALID_OPERATION,
                         "the element has no id; send a str, or a UUID as a bin of 16 bytes");
    }
    struct wire_value value = wire_peek(raw);
    return identifier_read_element_id(&value, "id", arena, id, error);
}

static bool check_transform_value(unsigned field, struct span raw, struct error *error)
{
    if (transform_judge((enum transform_field)field, raw) != TRANSFORM_REFUSED) {
        return true;
    }
    struct wire_value value = wire_peek(raw);
    const char *found = wire_type_name(value.type);
    if (value.type == WIRE_FLOAT) {
        double number;
        found = wire_as_number(&value, &number) ? "a fraction" : "not finite";
    }
    return error_set(error, ERROR_INVALID_OPERATION, "transform.%.*s is %s; send %s",
                     SPAN_ARGS(transform_fields.names[field]), found,
                     field == TRANSFORM_Z_INDEX ? "an integer" : "a finite number");
}

static bool check_transform(struct span raw, struct error *error)
{
    if (span_is_absent(raw)) {
        return true;
    }
    enum wire_type type = wire_peek(raw).type;
    if (type != WIRE_MAP) {
        return error_set(error, ERROR_INVALID_OPERATION, "transform is %s; send a map",
                         wire_type_name(type));
    }
    struct known known;
    read_known(raw, &transform_fields, &known);
    for (unsigned field = 0; field < TRANSFORM_FIELD_COUNT; field++) {
        if (!span_is_absent(known.values[field]) &&
            !check_transform_value(field, known.values[field], error)) {
            return false;
        }
    }
    return true;
}

static bool check_bool(struct span raw, const char *name, struct error *error)
{
    if (span_is_absent(raw) || wire_peek(raw).type == WIRE_BOOL) {
        return true;
    }
    return error_set(error, ERROR_INVALID_OPERATION, "%s is %s; send a bool", name,
                     wire_type_name(wire_peek(raw).type));
}

static bool check_parent(struct span raw, struct arena *arena, struct error *error)
{
    if (span_is_absent(raw)) {
        return true;
    }
    struct span ignored;
    struct wire_value value = wire_peek(raw);
    return identifier_read_element_id(&value, "parent", arena, &ignored, error);
}

bool element_check(struct span element, const struct limits *limits, struct arena *arena,
                   struct span *id, struct error *error)
{
    struct known known;
    read_known(element, &element_fields, &known);
    struct span normal_id;
    if (!check_id(known.values[ELEMENT_ID], arena, &normal_id, error) ||
        !element_check_kind(known.values[ELEMENT_KIND], limits, error) ||
        !check_transform(known.values[ELEMENT_TRANSFORM], error) ||
        !check_bool(known.values[ELEMENT_INTERACTIVE], "interactive", error) ||
        !check_bool(known.values[ELEMENT_SELECTED], "selected", error) ||
        !check_parent(known.values[ELEMENT_PARENT], arena, error)) {
        return false;
    }
    *id = normal_id;
    return true;
}

/** An add's element on its way into `out`. What needs no change is copied in runs. */
struct completion {
    const uint8_t *at; /* what stands before it has been dealt with */
    struct buffer *out;
    struct arena *arena;
    struct error *error;
};

static void drop_pair(struct completion *completion, const struct element_pair *pair)
{
    element_append_run(completion->out, completion->at, pair->start);
    completion->at = element_pair_end(pair);
}

/** Copies up to a value that the caller writes anew. */
static void replace_value(struct completion *completion, const struct element_pair *pair)
{
    element_append_run(completion->out, completion->at, pair->value.data);
    completion->at = element_pair_end(pair);
}

/** Opens a map that gets defaults for the fields from `first_default` on; rewrites its head only
 * where the number of pairs changes. */
static void begin_map(struct completion *completion, struct span map, const struct known *known,
                      unsigned first_default, unsigned field_count)
{
    uint32_t missing = 0;
    for (unsigned field = first_default; field < field_count; field++) {
        missing += span_is_absent(known->values[field]);
    }
    completion->at = map.data;
    if (missing != known->nil_count) {
        struct wire_cursor cursor = wire_cursor_of(map);
        pack_map(completion->out, wire_read(&cursor).count - known->nil_count + missing);
        completion->at = cursor.at;
    }
}

static void complete_transform(struct span transform, struct buffer *out)
{
    struct known known;
    read_known(transform, &transform_fields, &known);
    struct completion completion = {.out = out};
    begin_map(&completion, transform, &known, 0, TRANSFORM_FIELD_COUNT);
    for (unsigned i = 0; i < known.pair_count; i++) {
        const struct element_pair *pair = &known.pairs[i];
        enum transform_field field = (enum transform_field)known.fields[i];
        if (wire_is_nil(pair->value)) {
            drop_pair(&completion, pair);
        } else if (transform_judge(field, pair->value) == TRANSFORM_CLAMPED) {
            replace_value(&completion, pair);
            transform_value_write(field, pair->value, out);
        }
    }
    element_append_run(out, completion.at, transform.data + transform.size);
    for (unsigned field = 0; field < TRANSFORM_FIELD_COUNT; field++) {
        if (span_is_absent(known.values[field])) {
            transform_default_write((enum transform_field)field, out);
        }
    }
}

static bool complete_id(struct completion *completion, const struct element_pair *pair)
{
    struct wire_value value = wire_peek(pair->value);
    struct span id;
    if (!identifier_read_element_id(&value, "an element id", completion->arena, &id,
                                    completion->error)) {
        return false;
    }
    /* Where it is the received text itself, its bytes stay, in whatever encoding they are. */
    if (id.data != value.body.data) {
        replace_value(completion, pair);
        pack_str(completion->out, id);
    }
    return true;
}

/** Deals with one known field of the element; a nil one gets its default at the end. */
static bool complete_pair(struct completion *completion, const struct element_pair *pair,
                          enum element_field field)
{
    if (wire_is_nil(pair->value)) {
        drop_pair(completion, pair);
        return true;
    }
    switch (field) {
    case ELEMENT_ID:
    case ELEMENT_PARENT:
        return complete_id(completion, pair);
    case ELEMENT_TRANSFORM:
        replace_value(completion, pair);
        complete_transform(pair->value, completion->out);
        break;
    case ELEMENT_KIND:
    case ELEMENT_INTERACTIVE:
    case ELEMENT_SELECTED:
    case ELEMENT_FIELD_COUNT:
        break;
    }
    return true;
}

bool element_complete(struct span element, const struct limits *limits, struct arena *arena,
                      struct buffer *out, struct error *error)
{
    if (out->failed) {
        return element_fail_memory(error);
    }
    struct known known;
    read_known(element, &element_fields, &known);
    size_t start = out->size;
    struct completion completion = {.out = out, .arena = arena, .error = error};
    begin_map(&completion, element, &known, ELEMENT_TRANSFORM, ELEMENT_FIELD_COUNT);
    for (unsigned i = 0; i < known.pair_count; i++) {
        enum element_field field = (enum element_field)known.fields[i];
        if (!complete_pair(&completion, &known.pairs[i], field)) {
            element_take_back(out, start);
            return false;
        }
    }
    element_append_run(out, completion.at, element.data + element.size);
    for (unsigned field = ELEMENT_TRANSFORM; field < ELEMENT_FIELD_COUNT; field++) {
        if (span_is_absent(known.values[field])) {
            element_default_write((enum element_field)field, out);
        }
    }
    return element_finish(out, start, limits, error);
}
