/*
 * A change written over the stored document: the numbers of the transform, which is what a drag
 * sends fifty times a second, or one value anywhere, such as a text. The document is walked as far
 * as the change reaches, and not copied.
 */
#include "protocol/element.h"

#include "protocol/element_fields.h"

/* A number that takes another one's place. */
struct overwrite {
    uint8_t *at; /* in the document */
    struct span value;
};

/* The stored map that the changes are looked up in: what is left of it. */
struct stored_map {
    struct wire_cursor cursor;
    uint32_t left; /* pairs */
};

static struct stored_map stored_map_at(const struct element_room *room, size_t at)
{
    struct stored_map map = {.cursor = {.at = room->bytes + at, .end = room->bytes + room->size}};
    map.left = wire_advance_map(&map.cursor);
    return map;
}

/* Moves to the value under that key; false where none of the pairs that are left has it. */
static bool seek_key(struct stored_map *map, struct span key)
{
    while (map->left > 0) {
        map->left--;
        if (span_equal(wire_advance_text(&map->cursor), key)) {
            return true;
        }
        (void)wire_advance_whole(&map->cursor);
    }
    return false;
}

/* ---- The transform ---- */

/* Finds the transform, a map, and keeps its place. */
static bool find_transform(struct element_room *room)
{
    if (room->transform_at == 0) {
        struct stored_map map = stored_map_at(room, 0);
        if (seek_key(&map, span_of_text("transform")) && wire_lead_is_map(*map.cursor.at)) {
            room->transform_at = (size_t)(map.cursor.at - room->bytes);
        }
    }
    return room->transform_at != 0;
}

/* The change at the cursor, if it is a number and one of the same size stands under its key. */
static bool match_number(const struct element_room *room, struct wire_cursor *changes,
                         struct stored_map *stored, struct overwrite *out)
{
    struct span key = wire_advance_text(changes);
    out->value = wire_advance_whole(changes);
    enum transform_field field = transform_field_of(key);
    if (field == TRANSFORM_FIELD_COUNT || transform_judge(field, out->value) != TRANSFORM_KEPT ||
        !seek_key(stored, key)) {
        return false;
    }
    out->at = room->bytes + (stored->cursor.at - room->bytes);
    return wire_advance_whole(&stored->cursor).size == out->value.size;
}

/* `changes` stands at those of the transform. */
static bool overwrite_numbers(struct element_room *room, struct wire_cursor changes)
{
    uint32_t count = wire_advance_map(&changes);
    if (count > TRANSFORM_FIELD_COUNT || !find_transform(room)) {
        return false;
    }
    struct stored_map stored = stored_map_at(room, room->transform_at);
    struct overwrite overwrites[TRANSFORM_FIELD_COUNT];
    for (uint32_t i = 0; i < count; i++) {
        if (!match_number(room, &changes, &stored, &overwrites[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy(overwrites[i].at, overwrites[i].value.data, overwrites[i].value.size);
    }
    return true;
}

/* ---- One value ---- */

/* Puts a value in another one's place; what stands behind that moves. */
static bool replace(struct element_room *room, struct span old, struct span value,
                    const struct limits *limits)
{
    size_t at = (size_t)(old.data - room->bytes);
    size_t size = room->size - old.size + value.size;
    if (size > room->capacity || size > limits->element_bytes_max) {
        return false;
    }
    memmove(room->bytes + at + value.size, room->bytes + at + old.size, room->size - at - old.size);
    memcpy(room->bytes + at, value.data, value.size);
    if (room->transform_at > at) {
        room->transform_at += value.size - old.size; /* modulo 2^n, also where it is less */
    }
    room->size = size;
    return true;
}

/* Whether the field may be changed here: the others have rules that a copy goes by. */
static bool is_plain(enum element_field field, uint8_t lead)
{
    switch (field) {
    case ELEMENT_ID:
    case ELEMENT_PARENT:
    case ELEMENT_TRANSFORM:
        return false;
    case ELEMENT_KIND:
        return wire_lead_is_map(lead);
    case ELEMENT_INTERACTIVE:
    case ELEMENT_SELECTED:
        return wire_types[lead] == WIRE_BOOL;
    case ELEMENT_FIELD_COUNT:
        break;
    }
    return true;
}

/* The changes name one value, at the end of a chain of maps with one pair each, the first of which
 * has `key` and stands before `changes`. */
static bool replace_value(struct element_room *room, struct span key, struct wire_cursor changes,
                          const struct limits *limits)
{
    struct stored_map stored = stored_map_at(room, 0);
    while (seek_key(&stored, key)) {
        uint8_t lead = *changes.at;
        if (!wire_lead_is_map(lead)) {
            struct span value = span_make(changes.at, (size_t)(changes.end - changes.at));
            return lead != WIRE_LEAD_NIL &&
                   replace(room, wire_advance_whole(&stored.cursor), value, limits);
        }
        if (!wire_lead_is_map(*stored.cursor.at) || wire_advance_map(&changes) != 1) {
            return false;
        }
        stored.left = wire_advance_map(&stored.cursor);
        key = wire_advance_text(&changes);
    }
    return false;
}

bool element_patch_in_place(struct element_room *room, struct span changes,
                            const struct limits *limits)
{
    struct wire_cursor cursor = wire_cursor_of(changes);
    if (wire_advance_map(&cursor) != 1 || room->size > limits->element_bytes_max) {
        return false;
    }
    struct span key = wire_advance_text(&cursor);
    enum element_field field = element_field_of(key);
    if (field == ELEMENT_TRANSFORM && wire_lead_is_map(*cursor.at)) {
        return overwrite_numbers(room, cursor);
    }
    struct span value = span_make(cursor.at, (size_t)(cursor.end - cursor.at));
    return is_plain(field, *cursor.at) &&
           (field != ELEMENT_KIND || !element_may_spoil_kind(value, limits)) &&
           replace_value(room, key, cursor, limits);
}
