#include "protocol/wire.h"

#include <assert.h>
#include <stdio.h>

#include "protocol/key_index.h"
#include "protocol/utf8.h"
#include "protocol/wire_scan.h"

/** One open container. */
struct level {
    bool is_map, is_indexed;
    uint32_t count, begun; /* items or pairs */
    struct span key;       /* of the pair begun last */
    struct key_index index;
    struct span keys[KEY_INDEX_UNINDEXED_PAIRS_MAX]; /* those so far, where not indexed */
};

struct walk {
    struct wire_cursor cursor;
    struct arena *arena;
    enum error_code code; /* what to fail with */
    struct error *error;
    uint32_t depth;
    struct level levels[WIRE_DEPTH_MAX];
};

/** A JSON Pointer for a message; what does not fit ends in "...". */
struct place {
    char text[96];
    size_t used;
    bool cut;
};

static void place_append(struct place *place, char character)
{
    static const char ellipsis[] = "...";
    if (place->cut) {
        return;
    }
    if (place->used + sizeof ellipsis < sizeof place->text) {
        place->text[place->used++] = character;
        return;
    }
    place->cut = true;
    place->used = utf8_valid_prefix(span_make(place->text, place->used));
    memcpy(place->text + place->used, ellipsis, sizeof ellipsis);
    place->used += sizeof ellipsis - 1;
}

/** Appends one step, escaped as RFC 6901 has it. */
static void place_append_step(struct place *place, const char *step)
{
    place_append(place, '/');
    for (; *step != '\0' && !place->cut; step++) {
        if (*step == '~' || *step == '/') {
            place_append(place, '~');
            place_append(place, *step == '~' ? '0' : '1');
        } else {
            place_append(place, *step);
        }
    }
}

/** The way to what the `depth` outermost containers have at hand. */
static const char *place_describe(struct place *place, const struct walk *walk, uint32_t depth)
{
    *place = (struct place){0};
    for (uint32_t i = 0; i < depth && !place->cut; i++) {
        const struct level *level = &walk->levels[i];
        char step[ERROR_QUOTE_BYTES_MAX];
        if (level->is_map) {
            (void)error_quote(level->key, step);
        } else {
            (void)snprintf(step, sizeof step, "%u", level->begun - 1);
        }
        place_append_step(place, step);
    }
    place->text[place->used] = '\0';
    return depth > 0 ? place->text : "the top";
}

/** Fails because of the value at hand: "<what> at <place><cure>". */
static bool refuse_value(const struct walk *walk, const char *what, const char *cure)
{
    struct place place;
    return error_set(walk->error, walk->code, "%s at %s%s", what,
                     place_describe(&place, walk, walk->depth), cure);
}

/** Fails because of a key of the innermost container. */
static bool refuse_key(const struct walk *walk, const char *what)
{
    struct place place;
    return error_set(walk->error, walk->code, "%s in the map at %s", what,
                     place_describe(&place, walk, walk->depth - 1));
}

static bool refuse_duplicate(const struct walk *walk, struct span key)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    struct place place;
    return error_set(walk->error, walk->code, "key \"%s\" stands twice in the map at %s",
                     error_quote(key, quoted), place_describe(&place, walk, walk->depth - 1));
}

static bool refuse_ext(const struct walk *walk, int8_t ext_type)
{
    if (ext_type == 0x72) {
        return refuse_value(walk, "a msgpackr record (extension type 0x72)",
                            "; pack with useRecords: false");
    }
    if (ext_type == 0) {
        return refuse_value(walk, "an undefined value of msgpackr (extension type 0)",
                            "; pack with encodeUndefinedAsNil: true");
    }
    char what[40];
    (void)snprintf(what, sizeof what, "extension type %d", ext_type);
    return refuse_value(walk, what, "; send a number, str, bin, array or map");
}

static inline bool note_key(struct walk *walk, struct level *level, struct span key)
{
    if (level->is_indexed) {
        return key_index_add(&level->index, key, level->begun) || refuse_duplicate(walk, key);
    }
    uint32_t earlier = level->begun;
    for (uint32_t i = 0; i < earlier; i++) {
        if (span_equal(level->keys[i], key)) {
            return refuse_duplicate(walk, key);
        }
    }
    level->keys[earlier] = key;
    return true;
}

static inline bool read_key(struct walk *walk, struct level *level)
{
    if (!wire_lead_is_str(*walk->cursor.at)) {
        char what[64];
        (void)snprintf(what, sizeof what, "a key that is %s, not a str,",
                       wire_type_name(wire_read(&walk->cursor).type));
        return refuse_key(walk, what);
    }
    struct span key = wire_advance_text(&walk->cursor);
    if (!utf8_is_valid(key)) {
        return refuse_key(walk, "a key that is not valid UTF-8");
    }
    if (wire_key_is_forbidden(key)) {
        return refuse_key(walk, "the key __proto__, which no element may have,");
    }
    if (!note_key(walk, level, key)) {
        return false;
    }
    level->key = key;
    return true;
}

/** Opens the container at the cursor. */
static bool open_level(struct walk *walk)
{
    if (walk->depth == WIRE_DEPTH_MAX) {
        return error_set(walk->error, walk->code, "nested deeper than %d levels", WIRE_DEPTH_MAX);
    }
    const uint8_t *start = walk->cursor.at;
    struct level *level = &walk->levels[walk->depth++];
    level->is_map = wire_lead_is_map(*start);
    uint64_t children = wire_advance(&walk->cursor).children;
    level->count = (uint32_t)(level->is_map ? children / 2 : children);
    level->begun = 0;
    level->is_indexed = level->is_map && level->count > KEY_INDEX_UNINDEXED_PAIRS_MAX;
    struct span rest = span_make(start, (size_t)(walk->cursor.end - start));
    if (level->is_indexed && !key_index_init(&level->index, rest, level->count, walk->arena)) {
        return error_set(walk->error, ERROR_OUT_OF_MEMORY,
                         "no memory left to check a map of %u keys", level->count);
    }
    return true;
}

/** Reads the value at hand; a container stays open. */
static inline bool read_value(struct walk *walk)
{
    switch ((enum wire_type)wire_types[*walk->cursor.at]) {
    case WIRE_STR:
        return utf8_is_valid(wire_advance_text(&walk->cursor)) ||
               refuse_value(walk, "a str that is not valid UTF-8", "; send other bytes as bin");
    case WIRE_ARRAY:
    case WIRE_MAP:
        return open_level(walk);
    case WIRE_EXT:
        return refuse_ext(walk, wire_read(&walk->cursor).ext_type);
    case WIRE_NIL:
    case WIRE_BOOL:
    case WIRE_UINT:
    case WIRE_INT:
    case WIRE_FLOAT:
    case WIRE_BIN:
        break;
    }
    (void)wire_advance(&walk->cursor);
    return true;
}

bool wire_check_strict_next(struct wire_cursor *cursor, struct arena *arena, enum error_code code,
                            struct error *error)
{
    struct walk walk;
    walk.cursor = *cursor;
    walk.arena = arena;
    walk.code = code;
    walk.error = error;
    walk.depth = 0;
    if (!read_value(&walk)) {
        return false;
    }
    while (walk.depth > 0) {
        struct level *level = &walk.levels[walk.depth - 1];
        if (level->begun == level->count) {
            walk.depth--;
            continue;
        }
        if (level->is_map && !read_key(&walk, level)) {
            return false;
        }
        level->begun++;
        if (!read_value(&walk)) {
            return false;
        }
    }
    *cursor = walk.cursor;
    return true;
}

bool wire_check_strict(struct span raw, struct arena *arena, enum error_code code,
                       struct error *error)
{
    struct wire_cursor cursor = wire_cursor_of(raw);
    return wire_check_strict_next(&cursor, arena, code, error);
}
