#include "store/element_value.h"

#include "protocol/clocks.h"
#include "protocol/limits.h"
#include "protocol/wire.h"

bool element_value_decode(struct span value, struct element_value *out, struct error *error)
{
    struct wire_structure structure;
    if (!wire_check_structure(value, &structure, NULL) ||
        structure.depth > LIMITS_DEPTH_CEILING + 2) {
        return error_set(error, ERROR_STORE_ERROR, "the stored value is not MessagePack");
    }
    struct wire_cursor cursor = wire_cursor_of(value);
    struct wire_value head = wire_read(&cursor);
    if (head.type == WIRE_MAP) {
        *out = (struct element_value){.document = value, .is_strict = structure.is_strict};
        return true;
    }
    if (head.type != WIRE_ARRAY || head.count < 3 || head.count > 4) {
        return error_set(error, ERROR_STORE_ERROR,
                         "the stored value is neither [version, timestamp, element] nor a map");
    }
    struct element_value decoded = {.is_strict = structure.is_strict};
    struct wire_value version = wire_read(&cursor);
    bool is_version = wire_as_uint(&version, &decoded.version);
    struct wire_value timestamp = is_version ? wire_read(&cursor) : version;
    if (!is_version || !wire_as_uint(&timestamp, &decoded.timestamp_ms)) {
        return error_set(error, ERROR_STORE_ERROR,
                         "version or timestamp of the stored value is not a non-negative integer");
    }
    struct span document = wire_skip(&cursor);
    struct wire_value body = wire_peek(document);
    if (body.type == WIRE_MAP) {
        decoded.document = document;
    } else if (body.type != WIRE_NIL) {
        return error_set(error, ERROR_STORE_ERROR, "the stored element is %s, not a map",
                         wire_type_name(body.type));
    }
    if (head.count == 4) {
        struct span clocks = wire_skip(&cursor);
        if (!wire_is_nil(clocks)) {
            decoded.clocks = clocks;
        }
    }
    *out = decoded;
    return true;
}

bool element_value_check(const struct element_value *value, struct arena *arena,
                         struct error *error)
{
    if (span_is_absent(value->document)) {
        return true;
    }
    bool has_clocks = !span_is_absent(value->clocks);
    bool is_strict =
        value->is_strict ||
        (wire_check_strict(value->document, arena, ERROR_STORE_ERROR, error) &&
         (!has_clocks || wire_check_strict(value->clocks, arena, ERROR_STORE_ERROR, error)));
    return is_strict && (!has_clocks || clocks_check(value->clocks, error));
}
