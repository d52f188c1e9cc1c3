#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "protocol/utf8.h"
#include "protocol/wire.h"
#include "protocol/wire_prefix.h"

/* What wire_check_structure() reports of everything that is deeper. */
enum { DEPTH_REPORTED_MAX = LIMITS_DEPTH_CEILING + 8 };

void fuzz_demand(bool holds, const char *sentence)
{
    if (!holds) {
        (void)fprintf(stderr, "fuzz: this does not hold: %s\n", sentence);
        abort();
    }
}

void fuzz_demand_equal(struct span found, struct span expected, const char *sentence)
{
    fuzz_demand(span_equal(found, expected), sentence);
}

void fuzz_demand_line(const char *text, size_t bytes_max)
{
    const size_t size = strnlen(text, bytes_max);
    fuzz_demand(size > 0 && size < bytes_max, "a refusal says something, and it is terminated");
    fuzz_demand(utf8_is_valid(span_make(text, size)), "a refusal is valid UTF-8");
    for (size_t i = 0; i < size; i++) {
        fuzz_demand((uint8_t)text[i] >= 0x20 && text[i] != 0x7f, "a refusal is one plain line");
    }
}

void fuzz_demand_refusal(const struct error *error)
{
    fuzz_demand(error->code > ERROR_NONE && error->code < ERROR_CODE_COUNT, "a refusal has a code");
    fuzz_demand(error->code != ERROR_OUT_OF_MEMORY, "an input of this size fits the memory");
    fuzz_demand_line(error->message, sizeof error->message);
}

static bool structure_is_agreed(struct span bytes, struct wire_structure *structure)
{
    struct error error = {.code = ERROR_NONE};
    size_t prefix_bytes = 0;
    size_t model_bytes = 0;
    uint32_t model_depth = 0;
    const bool is_whole = wire_check_structure(bytes, structure, &error);
    const bool has_prefix = wire_prefix_size(bytes, &prefix_bytes);
    const bool has_model = value_measure(bytes, &model_bytes, &model_depth);
    fuzz_demand(has_prefix == has_model, "the prefix scan and the model agree on a value");
    fuzz_demand(!has_prefix || prefix_bytes == model_bytes, "... and on its size");
    fuzz_demand(is_whole == (has_model && model_bytes == bytes.size),
                "the structural check and the model agree on a whole message");
    if (!is_whole) {
        fuzz_demand_refusal(&error);
        fuzz_demand(error.code == ERROR_NOT_MESSAGEPACK, "it is refused for its structure");
        return false;
    }
    const uint32_t depth = model_depth < DEPTH_REPORTED_MAX ? model_depth : DEPTH_REPORTED_MAX;
    fuzz_demand(structure->depth == depth, "the structural check and the model agree on depth");
    return true;
}

bool fuzz_readers_agree(struct span bytes, struct arena *arena, struct pool *pool)
{
    struct wire_structure structure;
    if (!structure_is_agreed(bytes, &structure)) {
        return false;
    }
    struct wire_cursor cursor = wire_cursor_of(bytes);
    fuzz_demand_equal(wire_skip(&cursor), bytes, "a cursor passes over all of it");
    fuzz_demand(wire_at_end(&cursor), "... and stands at the end");

    struct error error = {.code = ERROR_NONE};
    const bool is_strict = wire_check_strict(bytes, arena, ERROR_INVALID_OPERATION, &error);
    fuzz_demand(is_strict || !structure.is_strict, "what is known to be strict is strict");
    if (!is_strict) {
        fuzz_demand_refusal(&error);
        fuzz_demand(error.code == ERROR_INVALID_OPERATION, "the strict check keeps to its code");
    }
    cursor = wire_cursor_of(bytes);
    const bool is_strict_next =
        wire_check_strict_next(&cursor, arena, ERROR_INVALID_OPERATION, &error);
    fuzz_demand(is_strict == is_strict_next, "both strict checks agree");
    fuzz_demand(cursor.at == (is_strict ? bytes.data + bytes.size : bytes.data),
                "the strict check moves its cursor over what it accepts, and only then");
    if (!fuzz_is_beyond_model(bytes)) {
        fuzz_demand(is_strict == value_is_sound(value_read(bytes, pool)),
                    "the strict check and the model agree");
    }
    return true;
}

bool fuzz_is_beyond_model(struct span checked)
{
    struct wire_structure structure = {0};
    return !wire_check_structure(checked, &structure, NULL) || structure.depth >= VALUE_DEPTH_MAX;
}

bool fuzz_is_strict(struct span checked, struct arena *arena)
{
    return wire_check_strict(checked, arena, ERROR_INVALID_OPERATION, NULL);
}
