#include "tests/support/scenes.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/buffer.h"
#include "protocol/pack.h"
#include "protocol/wire.h"
#include "tests/support/messages.h"

static void must(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "a test's scene cannot be made: %s\n", what);
        abort();
    }
}

struct scene *scene_at_version(uint64_t version)
{
    struct scene *scene = scene_create(span_of_text("s"));
    must(scene != NULL, "no memory");
    scene->is_loaded = true;
    scene->version = version;
    scene->committed_version = version;
    return scene;
}

static struct element *load(struct scene *scene, const char *id, struct span value)
{
    struct element *element = scene_note(scene, span_of_text(id));
    must(element != NULL, "no memory");
    struct error error = {.code = ERROR_NONE};
    must(scene_load_element(scene, element, value, &error), error.message);
    return element;
}

static struct element *load_parts(struct scene *scene, const char *id, uint64_t version,
                                  uint64_t timestamp_ms, struct span document)
{
    struct buffer value;
    buffer_init(&value, (size_t)16 << 20);
    pack_array(&value, 3);
    pack_uint(&value, version);
    pack_uint(&value, timestamp_ms);
    pack_raw(&value, document);
    must(!value.failed, "no memory");
    struct element *element = load(scene, id, buffer_span(&value));
    buffer_deinit(&value);
    return element;
}

struct element *scene_with(struct scene *scene, const char *id, uint64_t version,
                           uint64_t timestamp_ms, const char *json)
{
    scene->element_count++;
    return load_parts(scene, id, version, timestamp_ms, message_of(json));
}

struct element *scene_with_tombstone(struct scene *scene, const char *id, uint64_t version,
                                     uint64_t timestamp_ms)
{
    return load_parts(scene, id, version, timestamp_ms, message_of("null"));
}

struct element *scene_without(struct scene *scene, const char *id)
{
    return load(scene, id, (struct span){0});
}

struct element *scene_get(const struct scene *scene, const char *id)
{
    struct element *element = scene_find(scene, span_of_text(id));
    must(element != NULL, id);
    return element;
}

struct span element_document(const struct element *element)
{
    return span_make(element->document, element->document_bytes);
}

uint64_t element_number(const struct element *element, const char *key)
{
    struct span raw = wire_map_find(element_document(element), key);
    uint64_t number = UINT64_MAX;
    if (!span_is_absent(raw)) {
        struct wire_value value = wire_peek(raw);
        must(wire_as_uint(&value, &number), key);
    }
    return number;
}
