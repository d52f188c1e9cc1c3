/* The bytes of a history's batches (history.h): each field in many values, right and wrong ones. */
#include "protocol/pack.h"
#include "protocol/vocabulary.h"
#include "tests/property/history.h"

enum { VARIANTS = 8 };

static const char *const scene_ids[HISTORY_SCENES] = {"s0", "s1"};

/* The last one is a UUID, which has several spellings. */
static const char uuid_text[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
static const char uuid_capitals[] = "0F8FAD5B-D9CB-469F-A165-70867728950E";
static const uint8_t uuid_bytes[] = {0x0f, 0x8f, 0xad, 0x5b, 0xd9, 0xcb, 0x46, 0x9f,
                                     0xa1, 0x65, 0x70, 0x86, 0x77, 0x28, 0x95, 0x0e};
static const char *const element_ids[HISTORY_ELEMENTS] = {"a", "b", "c", "d", uuid_text};

const char *history_scene_id(uint32_t scene)
{
    return scene_ids[scene % HISTORY_SCENES];
}

const char *history_element_id(uint32_t element)
{
    return element_ids[element % HISTORY_ELEMENTS];
}

/* --- Values --- */

static void pack_id(struct buffer *out, uint32_t element, uint32_t value)
{
    if (element % HISTORY_ELEMENTS != HISTORY_ELEMENTS - 1 || value % 3 == 0) {
        pack_text(out, history_element_id(element));
    } else if (value % 3 == 1) {
        pack_text(out, uuid_capitals);
    } else {
        pack_bin(out, span_make(uuid_bytes, sizeof(uuid_bytes)));
    }
}

static void pack_hex(struct buffer *out, const char *bytes, size_t size)
{
    pack_raw(out, span_make(bytes, size));
}

/* A number in one of the encodings that MessagePack has for it, some beyond what is kept. */
static void pack_number(struct buffer *out, uint32_t value)
{
    switch (value % VARIANTS) {
    case 0:
        pack_uint(out, value);
        break;
    case 1:
        pack_int(out, -(int64_t)value);
        break;
    case 2:
        pack_double(out, value / 7.0);
        break;
    case 3:
        pack_double(out, value % 16 < 8 ? 1e300 : -1e300);
        break;
    case 4:
        pack_hex(out, "\xca\x3f\xc0\x00\x00", 5); /* a float32 */
        break;
    case 5:
        pack_hex(out, "\xcd\x00\x07", 3); /* 7, longer than needed */
        break;
    case 6:
        pack_uint(out, UINT64_MAX - value);
        break;
    default:
        pack_double(out, value);
        break;
    }
}

static void pack_anything(struct buffer *out, uint32_t value)
{
    switch (value % VARIANTS) {
    case 0:
        pack_array(out, 0);
        break;
    case 1:
        pack_array(out, 2);
        pack_map(out, 0);
        pack_uint(out, value);
        break;
    case 2:
        pack_bin(out, span_make("\x00\xff", 2));
        break;
    case 3:
        pack_text(out, "text");
        break;
    case 4:
        pack_hex(out, "\xd9\x01x", 3); /* a str, longer than needed */
        break;
    case 5:
        pack_bool(out, value % 16 < 8);
        break;
    default:
        pack_number(out, value / VARIANTS);
        break;
    }
}

/* What a field that must be of one type gets when it is not. nil, among others. */
static void pack_wrong(struct buffer *out, uint32_t value)
{
    if (value % 3 == 0) {
        pack_nil(out);
    } else if (value % 3 == 1) {
        pack_array(out, 0);
    } else {
        pack_text(out, "wrong type");
    }
}

static void pack_flag(struct buffer *out, uint32_t value, bool may_be_wrong)
{
    if (may_be_wrong && value % 5 == 4) {
        pack_wrong(out, value / 5);
    } else {
        pack_bool(out, value % 2 == 0);
    }
}

/* --- Fields --- */

enum field {
    FIELD_X,
    FIELD_ROTATION,
    FIELD_Z_INDEX,
    FIELD_CUSTOM_IN_TRANSFORM,
    FIELD_WRONG_IN_TRANSFORM,
    FIELD_CONTENT,
    FIELD_TYPE,
    FIELD_INTERACTIVE,
    FIELD_SELECTED,
    FIELD_PARENT,
    FIELD_FREE,
    FIELD_DELETED,
    FIELD_DEEP,
    FIELD_DEEPER,
    FIELD_SPECIAL_KEY,
    FIELD_NO_MAP, /* kind or transform that is none, or deep */
    FIELD_ID      /* of another element */
};

static bool says(const struct edit *edit, enum field field)
{
    return (edit->fields >> field & 1U) != 0;
}

static uint32_t value_of(const struct edit *edit, enum field field)
{
    return edit->value + 5U * (uint32_t)field;
}

/* A part of an edit's map, of which only those members are written that it says. */
struct part {
    struct buffer *out;
    const struct edit *edit;
    uint32_t count;
    bool is_counting;
};

static bool begin_member(struct part *part, bool is_said, const char *key)
{
    part->count += is_said ? 1 : 0;
    if (!is_said || part->is_counting) {
        return false;
    }
    pack_text(part->out, key);
    return true;
}

static bool begin_field(struct part *part, enum field field, const char *key)
{
    return begin_member(part, says(part->edit, field), key);
}

static bool is_wrong_number(const struct edit *edit)
{
    return edit->kind == EDIT_UPDATE && says(edit, FIELD_WRONG_IN_TRANSFORM);
}

static void write_transform(struct part *part)
{
    const struct edit *edit = part->edit;
    if (begin_field(part, FIELD_X, "x")) {
        pack_number(part->out, value_of(edit, FIELD_X));
    }
    if (begin_field(part, FIELD_ROTATION, "rotation")) {
        pack_number(part->out, value_of(edit, FIELD_ROTATION));
    }
    if (begin_field(part, FIELD_Z_INDEX, "z_index")) {
        uint32_t value = value_of(edit, FIELD_Z_INDEX);
        if (value % 3 == 0) {
            pack_double(part->out, (double)(value % 50));
        } else if (value % 3 == 1) {
            pack_int(part->out, value % 2 == 0 ? INT64_MIN : INT64_MAX);
        } else {
            pack_int(part->out, (int64_t)(value % 50) - 25);
        }
    }
    if (begin_field(part, FIELD_CUSTOM_IN_TRANSFORM, "skew")) {
        pack_anything(part->out, value_of(edit, FIELD_CUSTOM_IN_TRANSFORM));
    }
    if (begin_member(part, is_wrong_number(edit), "y")) {
        pack_wrong(part->out, value_of(edit, FIELD_WRONG_IN_TRANSFORM));
    }
}

static bool has_wrong_type(const struct edit *edit)
{
    return says(edit, FIELD_TYPE) && value_of(edit, FIELD_TYPE) % 4 == 3;
}

bool edit_can_converge(const struct edit *edit)
{
    bool has_empty_map = edit->kind == EDIT_UPDATE && says(edit, FIELD_DEEPER) &&
                         value_of(edit, FIELD_DEEPER) % 3 == 0;
    return !has_wrong_type(edit) && !has_empty_map;
}

static void write_kind(struct part *part)
{
    const struct edit *edit = part->edit;
    bool says_type = edit->kind == EDIT_ADD || says(edit, FIELD_TYPE);
    if (begin_member(part, says_type, "type")) {
        uint32_t value = value_of(edit, FIELD_TYPE);
        if (has_wrong_type(edit)) {
            pack_wrong(part->out, value / 4); /* "wrong type" is a type */
        } else {
            pack_text(part->out, value % 4 == 0 ? "Text" : "Shape");
        }
    }
    if (begin_field(part, FIELD_CONTENT, "data")) {
        pack_map(part->out, 1);
        pack_text(part->out, "content");
        pack_anything(part->out, value_of(edit, FIELD_CONTENT));
    }
}

static void write_deep(struct part *part)
{
    const struct edit *edit = part->edit;
    if (begin_field(part, FIELD_DEEP, "a")) {
        pack_anything(part->out, value_of(edit, FIELD_DEEP));
    }
    if (begin_field(part, FIELD_DEEPER, "b")) {
        uint32_t value = value_of(edit, FIELD_DEEPER);
        pack_map(part->out, value % 3);
        for (uint32_t i = 0; i < value % 3; i++) {
            pack_text(part->out, i == 0 ? "c" : "d");
            if (edit->kind == EDIT_UPDATE && value % 7 == 0) {
                pack_nil(part->out);
            } else {
                pack_anything(part->out, value + i);
            }
        }
    }
}

typedef void (*write_part)(struct part *part);

/* A map with the members that the part writes; nothing where it has none. */
static void write_map(struct part *part, const char *key, write_part write, bool is_needed)
{
    struct part inner = {.out = part->out, .edit = part->edit, .is_counting = true};
    write(&inner);
    if (begin_member(part, inner.count > 0 || is_needed, key)) {
        pack_map(part->out, inner.count);
        inner.is_counting = false;
        write(&inner);
    }
}

/* Where a map is due: which of them is replaced is up to the value. */
static const char *no_map_name(const struct edit *edit)
{
    static const char *const names[] = {"kind", "transform", "deep", "parent"};
    bool is_said = says(edit, FIELD_NO_MAP) && edit->kind == EDIT_UPDATE;
    return is_said ? names[edit->value % 4] : "";
}

static bool is_no_map(const struct edit *edit, const char *name)
{
    return strcmp(no_map_name(edit), name) == 0;
}

static void write_plain(struct part *part)
{
    const struct edit *edit = part->edit;
    bool is_update = edit->kind == EDIT_UPDATE;
    if (begin_field(part, FIELD_INTERACTIVE, "interactive")) {
        pack_flag(part->out, value_of(edit, FIELD_INTERACTIVE), is_update);
    }
    if (begin_field(part, FIELD_SELECTED, "selected")) {
        pack_flag(part->out, value_of(edit, FIELD_SELECTED), is_update);
    }
    bool says_parent = says(edit, FIELD_PARENT) && !is_no_map(edit, "parent");
    if (begin_member(part, says_parent, "parent")) {
        uint32_t value = value_of(edit, FIELD_PARENT);
        if (value % 4 == 0) {
            pack_nil(part->out);
        } else {
            pack_id(part->out, value % 2 == 0 ? 0 : HISTORY_ELEMENTS - 1, value / 4);
        }
    }
    if (begin_field(part, FIELD_FREE, "n")) {
        pack_anything(part->out, value_of(edit, FIELD_FREE));
    }
    if (begin_field(part, FIELD_DELETED, "gone")) {
        uint32_t value = value_of(edit, FIELD_DELETED);
        if (value % 2 == 0) {
            pack_nil(part->out);
        } else {
            pack_anything(part->out, value);
        }
    }
    if (begin_field(part, FIELD_SPECIAL_KEY, "a~/b")) {
        pack_anything(part->out, value_of(edit, FIELD_SPECIAL_KEY));
    }
    if (begin_member(part, no_map_name(edit)[0] != '\0', no_map_name(edit))) {
        pack_wrong(part->out, edit->value / 4);
    }
    if (begin_member(part, is_update && says(edit, FIELD_ID), "id")) {
        pack_text(part->out, "other");
    }
}

/* The element of an add without its id, the changes of an update. */
static void write_content(struct part *part)
{
    const struct edit *edit = part->edit;
    if (!is_no_map(edit, "kind")) {
        write_map(part, "kind", write_kind, edit->kind == EDIT_ADD);
    }
    if (!is_no_map(edit, "transform")) {
        write_map(part, "transform", write_transform, false);
    }
    if (!is_no_map(edit, "deep")) {
        write_map(part, "deep", write_deep, false);
    }
    write_plain(part);
}

static void pack_content(struct buffer *out, const struct edit *edit)
{
    struct part part = {.out = out, .edit = edit, .is_counting = true};
    bool has_id = edit->kind == EDIT_ADD;
    write_content(&part);
    pack_map(out, part.count + (has_id ? 1 : 0));
    if (has_id) {
        pack_text(out, "id");
        pack_id(out, edit->element, edit->value);
    }
    part.is_counting = false;
    write_content(&part);
}

/* --- Operations and batches --- */

static const char *operation_name(const struct edit *edit)
{
    static const char *const tags[] = {"add", "update", "remove", "interaction", "update"};
    static const char *const names[] = {"AddElement", "UpdateElement", "RemoveElement",
                                        "Interaction", "UpdateElement"};
    return edit->is_tagged != 0 ? tags[edit->kind] : names[edit->kind];
}

static void pack_time(struct buffer *out, const struct edit *edit)
{
    int64_t time_ms = HISTORY_START_MS + (int64_t)edit->time_ms;
    pack_text(out, "timestamp");
    if (edit->value % 11 == 0) {
        pack_double(out, (double)time_ms + 0.75); /* the integral part counts */
    } else {
        pack_int(out, time_ms);
    }
}

static void pack_operation(struct buffer *out, const struct edit *edit)
{
    static const uint32_t counts[] = {2, 3, 2, 2, 2}; /* with the timestamp */
    bool is_tagged = edit->is_tagged != 0;
    pack_map(out, is_tagged ? counts[edit->kind] + 1 + (edit->base > 0 ? 1 : 0) : 1);
    pack_text(out, is_tagged ? "op" : operation_name(edit));
    if (is_tagged) {
        pack_text(out, operation_name(edit));
    } else {
        pack_map(out, counts[edit->kind] + (edit->base > 0 ? 1 : 0));
    }
    switch (edit->kind) {
    case EDIT_ADD:
        pack_text(out, "element");
        pack_content(out, edit);
        break;
    case EDIT_UPDATE:
        pack_text(out, "id");
        pack_id(out, edit->element, edit->value);
        pack_text(out, "changes");
        pack_content(out, edit);
        break;
    case EDIT_REMOVE:
    case EDIT_INVALID: /* an update without its changes */
        pack_text(out, "id");
        pack_id(out, edit->element, edit->value);
        break;
    case EDIT_INTERACTION:
        pack_text(out, "event");
        pack_anything(out, edit->value);
        break;
    }
    pack_time(out, edit);
    if (edit->base > 0) {
        pack_text(out, "base_version");
        pack_uint(out, edit->base - 1);
    }
}

/* Who the batch is: of the step itself, or of the one that it repeats. */
static void pack_identity(struct buffer *out, const struct step *step)
{
    if (step->is_named != 0) {
        pack_text(out, "batch_id");
        buffer_append(out, step->serial < 10 ? "\xa2" : "\xa3", 1);
        buffer_append_format(out, "b%u", (unsigned)(step->serial % 100));
    }
    if (step->client != 0) {
        pack_text(out, "client_id");
        pack_text(out, step->client == 1 ? "ann" : "bob");
    }
    if (step->strategy != 0) {
        pack_text(out, "strategy");
        pack_text(out, strategy_name((enum strategy)(step->strategy - 1)));
    }
}

bool step_encode(const struct history *history, const struct step *step, struct buffer *out)
{
    const struct step *sent = step->kind == STEP_SEND ? step : history_find(history, step->of);
    if (sent == NULL || (step->kind != STEP_SEND && sent->is_named == 0)) {
        return false; /* without a batch_id no other record can have the same */
    }
    const struct step *content = step->kind == STEP_RESEND ? sent : step;
    uint32_t count = 2U + (sent->is_named != 0 ? 1U : 0U) + (sent->client != 0 ? 1U : 0U) +
                     (sent->strategy != 0 ? 1U : 0U);
    pack_map(out, count);
    pack_text(out, "session_id");
    pack_text(out, history_scene_id(sent->scene));
    pack_identity(out, sent);
    pack_text(out, "operations");
    pack_array(out, content->edit_count);
    for (uint32_t i = 0; i < content->edit_count; i++) {
        pack_operation(out, &content->edits[i]);
    }
    return true;
}
