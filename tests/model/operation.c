/* Section 3: one operation, in either spelling (model.h). */
#include "tests/model/model.h"

static const struct {
    const char *tag, *variant;
} kind_names[] = {
    [MODEL_ADD] = {"add", "AddElement"},
    [MODEL_UPDATE] = {"update", "UpdateElement"},
    [MODEL_REMOVE] = {"remove", "RemoveElement"},
    [MODEL_INTERACTION] = {"interaction", "Interaction"},
};

/* The map that holds the operation's keys, and what kind it is; NULL where it has not exactly one
 * spelling. */
static const struct value *find_keys(const struct value *value, enum model_kind *kind)
{
    const struct value *const tag = value_find_given(value, "op");
    const struct value *keys = tag != NULL ? value : NULL;
    size_t spellings = tag != NULL ? 1 : 0;
    for (unsigned i = MODEL_ADD; i <= MODEL_INTERACTION; i++) {
        const struct value *const variant = value_find_given(value, kind_names[i].variant);
        if (value_is_text(tag, kind_names[i].tag) || variant != NULL) {
            *kind = (enum model_kind)i;
        }
        if (variant != NULL) {
            keys = variant;
            spellings++;
        }
    }
    return spellings == 1 && *kind != MODEL_INVALID && value_is(keys, VALUE_MAP) ? keys : NULL;
}

static bool read_clocks(const struct value *keys, struct model_operation *operation)
{
    const struct value *const base = value_find_given(keys, "base_version");
    operation->has_base_version = base != NULL;
    return value_as_timestamp(value_find(keys, "timestamp"), &operation->timestamp_ms) &&
           (base == NULL || value_as_uint(base, &operation->base_version));
}

static bool read_add(const struct value *keys, const struct model_settings *settings,
                     struct pool *pool, struct model_operation *operation)
{
    const struct value *const element = value_find(keys, "element");
    struct value *said = NULL;
    if (!value_is(element, VALUE_MAP) ||
        !model_id_read(value_find(element, "id"), pool, &operation->id)) {
        return false;
    }
    operation->content = model_element_complete(element, settings, pool, &said);
    operation->said = said;
    return operation->content != NULL;
}

static bool read_content(const struct value *keys, const struct model_settings *settings,
                         struct pool *pool, struct model_operation *operation)
{
    switch (operation->kind) {
    case MODEL_ADD:
        return read_add(keys, settings, pool, operation);
    case MODEL_UPDATE:
        operation->content = value_find(keys, "changes");
        return value_is(operation->content, VALUE_MAP) &&
               model_id_read(value_find(keys, "id"), pool, &operation->id);
    case MODEL_REMOVE:
        return model_id_read(value_find(keys, "id"), pool, &operation->id);
    case MODEL_INTERACTION:
    case MODEL_INVALID:
        break;
    }
    return operation->kind == MODEL_INTERACTION;
}

void model_operation_read(const struct value *value, const struct model_settings *settings,
                          struct pool *pool, struct model_operation *operation)
{
    *operation = (struct model_operation){.raw = value->raw, .is_echoed = value_is_sound(value)};
    enum model_kind kind = MODEL_INVALID;
    const struct value *const keys = operation->is_echoed ? find_keys(value, &kind) : NULL;
    operation->kind = keys == NULL ? MODEL_INVALID : kind;
    if (keys == NULL || !read_clocks(keys, operation) ||
        !read_content(keys, settings, pool, operation)) {
        operation->kind = MODEL_INVALID;
    }
}
