#include "protocol/element_fields.h"

#include <assert.h>
#include <float.h>

#include "protocol/big_endian.h"
#include "protocol/pack.h"
#include "protocol/wire_scan.h"

#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const struct span element_names[ELEMENT_FIELD_COUNT] = {
    [ELEMENT_ID] = NAME("id"),
    [ELEMENT_KIND] = NAME("kind"),
    [ELEMENT_TRANSFORM] = NAME("transform"),
    [ELEMENT_INTERACTIVE] = NAME("interactive"),
    [ELEMENT_SELECTED] = NAME("selected"),
    [ELEMENT_PARENT] = NAME("parent"),
};

static const struct span transform_names[TRANSFORM_FIELD_COUNT] = {
    [TRANSFORM_X] = NAME("x"),
    [TRANSFORM_Y] = NAME("y"),
    [TRANSFORM_WIDTH] = NAME("width"),
    [TRANSFORM_HEIGHT] = NAME("height"),
    [TRANSFORM_ROTATION] = NAME("rotation"),
    [TRANSFORM_Z_INDEX] = NAME("z_index"),
};

static const uint8_t transform_defaults[TRANSFORM_FIELD_COUNT] = {
    [TRANSFORM_WIDTH] = 100,
    [TRANSFORM_HEIGHT] = 100,
};

const struct field_set element_fields = {element_names, ELEMENT_FIELD_COUNT};
const struct field_set transform_fields = {transform_names, TRANSFORM_FIELD_COUNT};

static bool is_integral(double number)
{
    /* From 2^53 on every double is; below it the conversion is exact and in range. */
    const double all_integral_from = 9007199254740992.0;
    return number >= all_integral_from || number <= -all_integral_from ||
           (double)(int64_t)number == number;
}

static bool is_valid(enum transform_field field, const struct wire_value *value)
{
    double number;
    return wire_as_number(value, &number) && (field != TRANSFORM_Z_INDEX || is_integral(number));
}

/** The number that is stored for a valid value. */
static double clamp(enum transform_field field, const struct wire_value *value)
{
    double number = 0;
    bool valid = wire_as_number(value, &number);
    assert(valid);
    (void)valid;
    bool is_z_index = field == TRANSFORM_Z_INDEX;
    double low = is_z_index ? INT32_MIN : -(double)FLT_MAX;
    double high = is_z_index ? INT32_MAX : (double)FLT_MAX;
    return number < low ? low : number > high ? high : number;
}

/** Whether a valid value is stored byte for byte. */
static bool is_kept(enum transform_field field, const struct wire_value *value)
{
    double number;
    return wire_as_number(value, &number) && clamp(field, value) == number &&
           (field != TRANSFORM_Z_INDEX || value->type != WIRE_FLOAT);
}

/* The encodings that nearly all numbers have, judged by their bytes. */
static bool is_surely_kept(enum transform_field field, struct span raw)
{
    if (raw.data[0] < 0x80) {
        return true; /* an integer of one byte */
    }
    if (raw.data[0] != WIRE_LEAD_DOUBLE || field == TRANSFORM_Z_INDEX) {
        return false;
    }
    double number = big_endian_load_double(raw.data + 1);
    return number >= -(double)FLT_MAX && number <= (double)FLT_MAX;
}

enum transform_verdict transform_judge(enum transform_field field, struct span raw)
{
    if (is_surely_kept(field, raw)) {
        return TRANSFORM_KEPT;
    }
    struct wire_value value = wire_peek(raw);
    if (!is_valid(field, &value)) {
        return TRANSFORM_REFUSED;
    }
    return is_kept(field, &value) ? TRANSFORM_KEPT : TRANSFORM_CLAMPED;
}

void transform_value_write(enum transform_field field, struct span raw, struct buffer *out)
{
    struct wire_value value = wire_peek(raw);
    if (field == TRANSFORM_Z_INDEX) {
        pack_int(out, (int64_t)clamp(field, &value));
    } else {
        pack_double(out, clamp(field, &value));
    }
}

void transform_default_write(enum transform_field field, struct buffer *out)
{
    assert(field < TRANSFORM_FIELD_COUNT);
    pack_str(out, transform_names[field]);
    pack_uint(out, transform_defaults[field]);
}

static void write_default_transform(struct buffer *out)
{
    pack_map(out, TRANSFORM_FIELD_COUNT);
    for (unsigned field = 0; field < TRANSFORM_FIELD_COUNT; field++) {
        transform_default_write((enum transform_field)field, out);
    }
}

void element_default_write(enum element_field field, struct buffer *out)
{
    assert(field < ELEMENT_FIELD_COUNT);
    pack_str(out, element_names[field]);
    switch (field) {
    case ELEMENT_TRANSFORM:
        write_default_transform(out);
        break;
    case ELEMENT_INTERACTIVE:
        pack_bool(out, true);
        break;
    case ELEMENT_SELECTED:
        pack_bool(out, false);
        break;
    case ELEMENT_PARENT:
        pack_nil(out);
        break;
    case ELEMENT_ID:
    case ELEMENT_KIND:
    case ELEMENT_FIELD_COUNT:
        assert(false && "this field has no default");
    }
}

static bool check_content(struct span kind, const struct limits *limits, struct error *error)
{
    struct span data = wire_map_find(kind, "data");
    if (span_is_absent(data) || wire_peek(data).type != WIRE_MAP) {
        return true;
    }
    struct span raw = wire_map_find(data, "content");
    if (span_is_absent(raw)) {
        return true;
    }
    struct wire_value content = wire_peek(raw);
    if (content.type == WIRE_STR && content.body.size > limits->text_bytes_max) {
        return error_set(error, ERROR_INVALID_OPERATION,
                         "kind.data.content is a text of %zu bytes; limits.max_text_bytes allows "
                         "%zu: shorten it",
                         content.body.size, limits->text_bytes_max);
    }
    return true;
}

bool element_check_kind(struct span kind, const struct limits *limits, struct error *error)
{
    static const char cure[] = "send kind as a map with a str type";
    if (span_is_absent(kind)) {
        return error_set(error, ERROR_INVALID_OPERATION, "the element has no kind; %s", cure);
    }
    enum wire_type type = wire_peek(kind).type;
    if (type != WIRE_MAP) {
        return error_set(error, ERROR_INVALID_OPERATION, "kind is %s; %s", wire_type_name(type),
                         cure);
    }
    struct span name = wire_map_find(kind, "type");
    if (span_is_absent(name)) {
        return error_set(error, ERROR_INVALID_OPERATION, "kind has no type; %s", cure);
    }
    type = wire_peek(name).type;
    if (type != WIRE_STR) {
        return error_set(error, ERROR_INVALID_OPERATION, "kind.type is %s; %s",
                         wire_type_name(type), cure);
    }
    return check_content(kind, limits, error);
}

bool element_may_spoil_kind(struct span change, const struct limits *limits)
{
    struct span type = wire_map_find(change, "type");
    return (!span_is_absent(type) && !wire_is_str(type)) || change.size > limits->text_bytes_max;
}

bool element_fail_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory left to write an element");
}

void element_take_back(struct buffer *out, size_t start)
{
    assert(start <= out->size);
    out->size = start;
    out->failed = false;
}

bool element_finish(struct buffer *out, size_t start, const struct limits *limits,
                    struct error *error)
{
    size_t size = out->size - start;
    if (out->failed) {
        element_take_back(out, start);
        return element_fail_memory(error);
    }
    if (size > limits->element_bytes_max) {
        element_take_back(out, start);
        return error_set(
            error, ERROR_ELEMENT_TOO_LARGE,
            "the element would have %zu bytes; limits.max_element_bytes allows %zu: make "
            "it smaller, or raise it",
            size, limits->element_bytes_max);
    }
    return true;
}
