/*
 * Changes merged into an element: the input is two MessagePack values, a document and changes. The
 * outcome is the model's; merging twice is merging once; merging nothing keeps every byte; a
 * failure leaves nothing behind; what is written over the document is the same, or nothing.
 */
#include <stdlib.h>

#include "protocol/element.h"
#include "protocol/wire_prefix.h"
#include "tests/fuzz/fuzz.h"

struct patching {
    struct limits limits;
    struct model_settings settings;
    struct arena *arena;
    struct pool *pool;
};

/* What `out` holds before: it has to stay. */
static const char before[] = "before";

static struct span appended(const struct buffer *out)
{
    return span_make(out->data + strlen(before), out->size - strlen(before));
}

static bool patch(const struct patching *patching, struct element_document document,
                  struct span changes, struct buffer *out, struct error *error)
{
    buffer_clear(out);
    buffer_append(out, before, strlen(before));
    *error = (struct error){.code = ERROR_NONE};
    const bool is_patched =
        element_patch(document, changes, &patching->limits, patching->arena, out, error);
    fuzz_demand(out->size >= strlen(before) && memcmp(out->data, before, strlen(before)) == 0,
                "what stood in the buffer stays");
    if (!is_patched) {
        fuzz_demand_refusal(error);
        fuzz_demand(!out->failed && out->size == strlen(before), "a failure leaves nothing behind");
        fuzz_demand(error->code == ERROR_INVALID_OPERATION ||
                        error->code == ERROR_ELEMENT_TOO_LARGE,
                    "changes fail for what they make, or for its size");
    }
    return is_patched;
}

static void demand_model(const struct patching *patching, struct span document, struct span changes,
                         const struct span *patched, const struct error *error)
{
    if (fuzz_is_beyond_model(document) || fuzz_is_beyond_model(changes)) {
        return;
    }
    const struct value *const expected = model_element_patched(value_read(document, patching->pool),
                                                               value_read(changes, patching->pool),
                                                               &patching->settings, patching->pool);
    if (patched == NULL) {
        fuzz_demand(error->code == ERROR_ELEMENT_TOO_LARGE || expected == NULL,
                    "the model refuses what is refused");
        return;
    }
    char path[256];
    fuzz_demand(expected != NULL, "the model accepts what is accepted");
    fuzz_demand(value_is_same(expected, value_read(*patched, patching->pool), path, sizeof path),
                "the patched element is the model's");
}

static void demand_idempotent(const struct patching *patching, struct span patched,
                              struct span changes)
{
    static const uint8_t nothing[] = {0x80};
    const struct element_document document = {.bytes = patched, .has_checked_kind = true};
    struct buffer again;
    struct error error;
    buffer_init(&again, FUZZ_BUFFER_BYTES_MAX);
    fuzz_demand(patch(patching, document, changes, &again, &error),
                "what could be merged once can be merged twice");
    fuzz_demand_equal(appended(&again), patched, "merging twice is merging once");
    fuzz_demand(patch(patching, document, span_make(nothing, sizeof nothing), &again, &error),
                "nothing can be merged");
    fuzz_demand_equal(appended(&again), patched, "merging nothing keeps every byte");
    buffer_deinit(&again);
}

/* In a room with so many bytes more than the document has; twice, for what the first time keeps. */
static void demand_in_place(const struct patching *patching, struct span document,
                            struct span changes, const struct span *patched, size_t spare)
{
    struct element_room room = {.size = document.size, .capacity = document.size + spare};
    room.bytes = malloc(room.capacity);
    fuzz_demand(room.bytes != NULL, "there is memory for a document");
    memcpy(room.bytes, document.data, document.size);
    struct span standing = document;
    for (int round = 0; round < 2; round++) {
        if (!element_patch_in_place(&room, changes, &patching->limits)) {
            fuzz_demand_equal(span_make(room.bytes, room.size), standing,
                              "what is left is not changed");
            break;
        }
        fuzz_demand(patched != NULL, "what is changed in place can be copied");
        standing = *patched;
        fuzz_demand_equal(span_make(room.bytes, room.size), standing,
                          "a document changed in place is the patched copy");
    }
    free(room.bytes);
}

static void merge(const struct patching *patching, struct element_document document,
                  struct span changes)
{
    struct buffer out;
    struct error error;
    buffer_init(&out, FUZZ_BUFFER_BYTES_MAX);
    const bool is_patched = patch(patching, document, changes, &out, &error);
    const struct span patched = is_patched ? appended(&out) : (struct span){0};
    if (document.has_checked_kind) {
        const struct span *const expected = is_patched ? &patched : NULL;
        demand_in_place(patching, document.bytes, changes, expected, 0);
        demand_in_place(patching, document.bytes, changes, expected, changes.size);
    }
    if (is_patched) {
        fuzz_demand(patched.size <= patching->limits.element_bytes_max,
                    "a patched element keeps its limit");
        fuzz_demand(fuzz_readers_agree(patched, patching->arena, patching->pool) &&
                        wire_is_map(patched) && fuzz_is_strict(patched, patching->arena),
                    "a patched element is a well-formed map");
        demand_model(patching, document.bytes, changes, &patched, &error);
        demand_idempotent(patching, patched, changes);
    } else {
        demand_model(patching, document.bytes, changes, NULL, &error);
    }
    buffer_deinit(&out);
}

/* The document as somebody else may have stored it, and, where it can be, as an add stores it. */
static void merge_into(const struct patching *patching, struct span element, struct span changes)
{
    merge(patching, (struct element_document){.bytes = element}, changes);
    struct span id;
    struct error error = {.code = ERROR_NONE};
    if (!element_check(element, &patching->limits, patching->arena, &id, &error)) {
        fuzz_demand_refusal(&error);
        return;
    }
    struct buffer complete;
    buffer_init(&complete, FUZZ_BUFFER_BYTES_MAX);
    if (element_complete(element, &patching->limits, patching->arena, &complete, &error)) {
        merge(patching,
              (struct element_document){.bytes = buffer_span(&complete), .has_checked_kind = true},
              changes);
    }
    buffer_deinit(&complete);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct pool pool = {0};
    struct patching patching = {.limits = limits_default(),
                                .settings = model_settings_default(),
                                .arena = &arena,
                                .pool = &pool};
    arena_init(&arena, FUZZ_ARENA_BYTES_MAX);
    size_t element_bytes = 0;
    if (wire_prefix_size(span_make(data, size), &element_bytes)) {
        const struct span element = span_make(data, element_bytes);
        const struct span changes = span_make(data + element_bytes, size - element_bytes);
        if (fuzz_readers_agree(element, &arena, &pool) &&
            fuzz_readers_agree(changes, &arena, &pool) && wire_is_map(element) &&
            wire_is_map(changes) && fuzz_is_strict(element, &arena) &&
            fuzz_is_strict(changes, &arena)) {
            merge_into(&patching, element, changes);
            patching.limits.element_bytes_max = 256;
            patching.limits.text_bytes_max = patching.settings.text_bytes_max = 16;
            merge_into(&patching, element, changes);
        }
    }
    pool_free(&pool);
    arena_deinit(&arena);
    return 0;
}
