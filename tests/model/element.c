/* Section 3: elements as they are stored, and the merge patch (model.h). */
#include <float.h>
#include <math.h>

#include "tests/model/model.h"

#define NUMBER_MAX ((double)FLT_MAX)

static const struct {
    const char *name;
    int default_value;
} transform_numbers[] = {{"x", 0}, {"y", 0}, {"width", 100}, {"height", 100}, {"rotation", 0}};

enum { TRANSFORM_NUMBER_COUNT = sizeof(transform_numbers) / sizeof(transform_numbers[0]) };

/* As it is stored: itself where nothing needs to change; NULL where an add would refuse it. */
static struct value *stored_number(const struct value *value, struct pool *pool)
{
    double number = 0;
    if (!value_as_number(value, &number)) {
        return NULL;
    }
    if (fabs(number) > NUMBER_MAX) {
        return value_of_real(pool, number < 0 ? -NUMBER_MAX : NUMBER_MAX);
    }
    return value_copy(value, pool);
}

static struct value *stored_z_index(const struct value *value, struct pool *pool)
{
    double number = 0;
    if (!value_as_number(value, &number) || floor(number) != number) {
        return NULL;
    }
    if (number < INT32_MIN || number > INT32_MAX) {
        return value_of_integer(pool, number < 0 ? INT32_MIN : INT32_MAX);
    }
    return value->type == VALUE_REAL ? value_of_integer(pool, (int64_t)number)
                                     : value_copy(value, pool);
}

static bool is_transform_number(struct span key)
{
    for (size_t i = 0; i < TRANSFORM_NUMBER_COUNT; i++) {
        if (span_equal_text(key, transform_numbers[i].name)) {
            return true;
        }
    }
    return false;
}

static bool is_known_in_transform(struct span key)
{
    return is_transform_number(key) || span_equal_text(key, "z_index");
}

static struct value *stored_in_transform(struct span key, const struct value *value,
                                         struct pool *pool)
{
    return is_transform_number(key) ? stored_number(value, pool) : stored_z_index(value, pool);
}

static struct value *stored_id(const struct value *value, struct pool *pool)
{
    struct span id;
    if (!model_id_read(value, pool, &id)) {
        return NULL;
    }
    const bool is_as_received = value->type == VALUE_STR && span_equal(id, value->text);
    return is_as_received ? value_copy(value, pool) : value_of_text(pool, id);
}

static bool is_known_flag(struct span key)
{
    return span_equal_text(key, "interactive") || span_equal_text(key, "selected");
}

/* `interactive`, `selected`, `parent`. */
static bool is_known_plain(struct span key)
{
    return is_known_flag(key) || span_equal_text(key, "parent");
}

static struct value *stored_plain(struct span key, const struct value *value, struct pool *pool)
{
    if (is_known_flag(key)) {
        return value->type == VALUE_BOOL ? value_copy(value, pool) : NULL;
    }
    return value->type == VALUE_NIL ? value_copy(value, pool) : stored_id(value, pool);
}

static bool is_within_text_limit(const struct value *element, const struct model_settings *settings)
{
    const struct value *const content =
        value_find(value_find(value_find(element, "kind"), "data"), "content");
    return !value_is(content, VALUE_STR) || content->text.size <= settings->text_bytes_max;
}

static bool has_type(const struct value *element)
{
    return value_is(value_find(value_find(element, "kind"), "type"), VALUE_STR);
}

static struct value *key_copy(const struct value *member, struct pool *pool)
{
    return value_copy(member->key, pool);
}

/* What an add says of its transform; NULL where it breaks a rule. */
static struct value *said_transform(const struct value *transform, struct pool *pool)
{
    if (transform->type != VALUE_MAP) {
        return NULL;
    }
    struct value *const said = value_of_map(pool);
    for (const struct value *member = transform->first; member != NULL; member = member->next) {
        const bool is_known = is_known_in_transform(member->key->text);
        if (is_known && member->type == VALUE_NIL) {
            continue;
        }
        struct value *const stored = is_known ? stored_in_transform(member->key->text, member, pool)
                                              : value_copy(member, pool);
        if (stored == NULL) {
            return NULL;
        }
        value_set(said, key_copy(member, pool), stored);
    }
    return said;
}

static struct value *said_member(const struct value *member, struct pool *pool)
{
    const struct span key = member->key->text;
    if (span_equal_text(key, "transform")) {
        return said_transform(member, pool);
    }
    if (span_equal_text(key, "id")) {
        return stored_id(member, pool);
    }
    return is_known_plain(key) ? stored_plain(key, member, pool) : value_copy(member, pool);
}

static bool has_default(struct span key)
{
    return span_equal_text(key, "transform") || is_known_plain(key);
}

static void set_default(struct value *map, const char *key, struct value *value, struct pool *pool)
{
    if (value_find(map, key) == NULL) {
        value_set_text(map, key, value, pool);
    }
}

static void fill_defaults(struct value *element, struct pool *pool)
{
    set_default(element, "transform", value_of_map(pool), pool);
    struct value *const transform = value_find(element, "transform");
    for (size_t i = 0; i < TRANSFORM_NUMBER_COUNT; i++) {
        set_default(transform, transform_numbers[i].name,
                    value_of_real(pool, transform_numbers[i].default_value), pool);
    }
    set_default(transform, "z_index", value_of_integer(pool, 0), pool);
    set_default(element, "interactive", value_of_bool(pool, true), pool);
    set_default(element, "selected", value_of_bool(pool, false), pool);
    set_default(element, "parent", value_of_nil(pool), pool);
}

struct value *model_element_complete(const struct value *element,
                                     const struct model_settings *settings, struct pool *pool,
                                     struct value **said)
{
    *said = value_of_map(pool);
    for (const struct value *member = element->first; member != NULL; member = member->next) {
        if (member->type == VALUE_NIL && has_default(member->key->text)) {
            continue;
        }
        struct value *const stored = said_member(member, pool);
        if (stored == NULL) {
            return NULL;
        }
        /* An add whose transform has no fields says nothing of it: all of them are defaults. */
        if (stored->count > 0 || !span_equal_text(member->key->text, "transform")) {
            value_set(*said, key_copy(member, pool), stored);
        }
    }
    if (!has_type(*said) || !is_within_text_limit(*said, settings)) {
        return NULL;
    }
    struct value *const complete = value_copy(*said, pool);
    fill_defaults(complete, pool);
    return complete;
}

/* RFC 7396. */
static void patch_map(struct value *target, const struct value *patch, struct pool *pool);

static void patch_member(struct value *target, const struct value *member, struct pool *pool)
{
    const struct span key = member->key->text;
    if (member->type == VALUE_NIL) {
        value_unset(target, key);
        return;
    }
    if (member->type != VALUE_MAP) {
        value_set(target, key_copy(member, pool), value_copy(member, pool));
        return;
    }
    struct value *inner = value_find_span(target, key);
    if (!value_is(inner, VALUE_MAP)) {
        inner = value_of_map(pool);
        value_set(target, key_copy(member, pool), inner);
    }
    patch_map(inner, member, pool);
}

static void patch_map(struct value *target, const struct value *patch, struct pool *pool)
{
    for (const struct value *member = patch->first; member != NULL; member = member->next) {
        patch_member(target, member, pool);
    }
}

static struct value *heeded_transform(const struct value *transform, struct pool *pool)
{
    struct value *const heeded = value_of_map(pool);
    for (const struct value *member = transform->first; member != NULL; member = member->next) {
        const struct span key = member->key->text;
        struct value *const stored = is_known_in_transform(key)
                                         ? stored_in_transform(key, member, pool)
                                         : value_copy(member, pool);
        if (stored != NULL) {
            value_set(heeded, key_copy(member, pool), stored);
        }
    }
    return heeded;
}

/* What counts of one member; NULL where it is ignored. */
static struct value *heeded_member(const struct value *member, struct pool *pool)
{
    const struct span key = member->key->text;
    const bool is_transform = span_equal_text(key, "transform");
    if (span_equal_text(key, "id")) {
        return NULL;
    }
    if ((is_transform || span_equal_text(key, "kind")) && member->type != VALUE_MAP) {
        return NULL;
    }
    if (is_transform) {
        struct value *const heeded = heeded_transform(member, pool);
        return heeded->count == 0 && member->count > 0 ? NULL : heeded;
    }
    return is_known_plain(key) ? stored_plain(key, member, pool) : value_copy(member, pool);
}

struct value *model_changes_heeded(const struct value *changes, struct pool *pool)
{
    struct value *const heeded = value_of_map(pool);
    for (const struct value *member = changes->first; member != NULL; member = member->next) {
        struct value *const counts = heeded_member(member, pool);
        if (counts != NULL) {
            value_set(heeded, key_copy(member, pool), counts);
        }
    }
    return heeded;
}

/* RFC 7396, but that parent, whose nil is a value, is no such case. */
static void patch_heeded(struct value *element, const struct value *heeded, struct pool *pool)
{
    for (const struct value *member = heeded->first; member != NULL; member = member->next) {
        if (is_known_plain(member->key->text)) {
            value_set(element, key_copy(member, pool), value_copy(member, pool));
        } else {
            patch_member(element, member, pool);
        }
    }
}

struct value *model_element_patched(const struct value *element, const struct value *changes,
                                    const struct model_settings *settings, struct pool *pool)
{
    struct value *const patched = value_copy(element, pool);
    patch_heeded(patched, model_changes_heeded(changes, pool), pool);
    return has_type(patched) && is_within_text_limit(patched, settings) ? patched : NULL;
}
