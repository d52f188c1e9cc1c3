/*
 * JSON as `scenesync produce` reads it, and the JSON that `scenesync results` prints: any text
 * either becomes one well-formed message or is refused with its place; what is printed of a message
 * reads back as the same bytes.
 */
#include <jansson.h>
#include <stdlib.h>

#include "protocol/utf8.h"
#include "protocol/wire.h"
#include "tests/fuzz/fuzz.h"
#include "worker/json_pack.h"
#include "worker/json_print.h"

/* Whether the message was printed. */
static bool print(struct span message, bool pretty, struct buffer *out)
{
    buffer_clear(out);
    struct json_writer writer = json_writer_of(out, pretty);
    if (!json_print(message, &writer)) {
        fuzz_demand(out->size == 0, "what cannot be printed leaves nothing behind");
        return false;
    }
    fuzz_demand(!out->failed && utf8_is_valid(buffer_span(out)), "JSON is UTF-8");
    json_error_t error;
    json_t *const value =
        json_loadb((const char *)out->data, out->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    /* JSON, but beyond jansson: integers of more than 64 bits signed, and U+0000 in a key. */
    const bool is_beyond =
        value == NULL && (json_error_code(&error) == json_error_numeric_overflow ||
                          json_error_code(&error) == json_error_null_byte_in_key);
    fuzz_demand(value != NULL || is_beyond, "what is printed is JSON");
    json_decref(value);
    return true;
}

static void demand_round_trip(struct span message, struct buffer *text, struct buffer *again)
{
    for (int pretty = 0; pretty < 2; pretty++) {
        struct json_pack_error error;
        if (!print(message, pretty != 0, text)) {
            struct wire_structure structure;
            fuzz_demand(wire_check_structure(message, &structure, NULL) &&
                            structure.depth > JSON_PRINT_DEPTH_MAX,
                        "only depth keeps what came from JSON from being printed");
            return;
        }
        buffer_clear(again);
        fuzz_demand(json_pack_text(buffer_span(text), again, &error), "printed JSON can be read");
        fuzz_demand_equal(buffer_span(again), message, "... and makes the same bytes");
    }
}

static void pack(struct span text, struct arena *arena, struct pool *pool)
{
    struct buffer message, printed, again;
    struct json_pack_error error = {.line = -1, .column = -1};
    buffer_init(&message, FUZZ_BUFFER_BYTES_MAX);
    buffer_init(&printed, FUZZ_BUFFER_BYTES_MAX);
    buffer_init(&again, FUZZ_BUFFER_BYTES_MAX);
    if (json_pack_text(text, &message, &error)) {
        fuzz_demand(fuzz_readers_agree(buffer_span(&message), arena, pool),
                    "JSON becomes one well-formed message");
        demand_round_trip(buffer_span(&message), &printed, &again);
    } else {
        fuzz_demand_line(error.message, sizeof error.message);
        fuzz_demand(error.line >= 0 && error.column >= 0, "a refusal names its place");
    }
    buffer_deinit(&again);
    buffer_deinit(&printed);
    buffer_deinit(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span bytes = span_make(data, size);
    struct arena arena;
    struct pool pool = {0};
    struct buffer out;
    arena_init(&arena, FUZZ_ARENA_BYTES_MAX);
    buffer_init(&out, FUZZ_BUFFER_BYTES_MAX);
    pack(bytes, &arena, &pool);
    (void)print(bytes, false, &out);
    buffer_deinit(&out);
    pool_free(&pool);
    arena_deinit(&arena);
    return 0;
}
