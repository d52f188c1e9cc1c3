#include "tests/bench/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/pack.h"

enum { TEXT_BYTES_VARY = 80, TEXT_BYTES_MAX = 1 << 20, SEEDED_VERSION = 1, UUID_BYTES = 36 };

struct preset {
    const char *name;
    struct workload_sizes sizes;
    uint32_t moved_percent;    /* of the operations: adds and removes, half each */
    uint32_t stale_percent;    /* older than what is stored */
    uint32_t touched_elements; /* how many different ones a batch touches; 0: any */
    bool is_in_turn;           /* scenes one after the other, not at random */
};

static const struct preset presets[] = {
    {"uniform", {1000, 100, 50, 0}, 10, 0, 0, false},
    {"drag", {1000, 100, 50, 0}, 0, 0, 3, false},
    {"single", {10000, 10, 1, 0}, 10, 0, 0, false},
    {"hot", {1, 100, 50, 0}, 10, 0, 0, false},
    {"cold", {20000, 100, 50, 0}, 10, 0, 0, true},
    {"conflict", {1000, 100, 50, 0}, 10, 30, 0, false},
    {"large", {100, 20, 10, 20000}, 10, 0, 0, false},
};

enum { PRESET_COUNT = sizeof presets / sizeof presets[0] };

struct window {
    uint64_t begin, end; /* serial numbers of the elements that are there */
};

struct workload {
    const struct preset *preset;
    struct workload_sizes sizes;
    uint64_t seed, random_state, start_ms, serial;
    struct window *scenes;
    char *text; /* letters to take texts from */
};

/* splitmix64's finaliser (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static uint64_t next_random(struct workload *workload)
{
    return mix(workload->random_state += 0x9E3779B97F4A7C15U);
}

static uint64_t below(struct workload *workload, uint64_t bound)
{
    return next_random(workload) % bound;
}

const char *const *workload_names(void)
{
    static const char *names[PRESET_COUNT + 1];
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        names[i] = presets[i].name;
    }
    return names;
}

static const struct preset *find_preset(const char *name)
{
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        if (strcmp(presets[i].name, name) == 0) {
            return &presets[i];
        }
    }
    return NULL;
}

bool workload_sizes_of(const char *name, struct workload_sizes *out)
{
    const struct preset *preset = find_preset(name);
    if (preset != NULL) {
        *out = preset->sizes;
    }
    return preset != NULL;
}

struct workload *workload_create(const char *name, const struct workload_sizes *sizes,
                                 uint64_t seed, uint64_t start_ms)
{
    const struct preset *preset = find_preset(name);
    struct workload *workload = preset == NULL ? NULL : calloc(1, sizeof *workload);
    if (workload == NULL) {
        return NULL;
    }
    *workload = (struct workload){.preset = preset,
                                  .sizes = *sizes,
                                  .seed = seed,
                                  .random_state = mix(seed),
                                  .start_ms = start_ms,
                                  .scenes = calloc(sizes->scenes, sizeof(struct window)),
                                  .text = malloc(TEXT_BYTES_MAX)};
    if (workload->scenes == NULL || workload->text == NULL) {
        workload_destroy(workload);
        return NULL;
    }
    for (uint32_t i = 0; i < sizes->scenes; i++) {
        workload->scenes[i].end = sizes->elements;
    }
    for (size_t i = 0; i < TEXT_BYTES_MAX; i++) {
        workload->text[i] = (char)('a' + mix(i) % 26);
    }
    return workload;
}

void workload_destroy(struct workload *workload)
{
    if (workload != NULL) {
        free(workload->scenes);
        free(workload->text);
        free(workload);
    }
}

static struct workload_operation next_operation(struct workload *workload, struct window *window,
                                                uint64_t first_touched)
{
    const struct preset *preset = workload->preset;
    struct workload_operation operation = {
        .kind = WORKLOAD_UPDATE,
        .timestamp_ms = workload->start_ms + 1 + workload->serial,
        .random = next_random(workload),
    };
    if (below(workload, 100) < preset->moved_percent) {
        bool is_grown = window->end - window->begin > workload->sizes.elements;
        operation.kind = is_grown ? WORKLOAD_REMOVE : WORKLOAD_ADD;
        operation.element = is_grown ? window->begin++ : window->end++;
        return operation;
    }
    uint64_t count = window->end - window->begin;
    operation.element =
        preset->touched_elements > 0
            ? window->begin + (first_touched + below(workload, preset->touched_elements)) % count
            : window->begin + below(workload, count);
    if (below(workload, 100) < preset->stale_percent) {
        operation.timestamp_ms = workload->start_ms - 1;
    }
    return operation;
}

void workload_next(struct workload *workload, struct workload_batch *out)
{
    const struct workload_sizes *sizes = &workload->sizes;
    uint64_t random = next_random(workload);
    out->scene =
        (uint32_t)((workload->preset->is_in_turn ? workload->serial : random) % sizes->scenes);
    out->serial = workload->serial;
    out->operation_count = sizes->operations;
    uint64_t first_touched = next_random(workload) % sizes->elements;
    for (uint32_t i = 0; i < sizes->operations; i++) {
        out->operations[i] = next_operation(workload, &workload->scenes[out->scene], first_touched);
    }
    workload->serial++;
}

size_t workload_session(uint32_t scene, char out[WORKLOAD_SESSION_BYTES_MAX])
{
    return (size_t)snprintf(out, WORKLOAD_SESSION_BYTES_MAX, "scene-%08" PRIu32, scene);
}

void workload_element_id(const struct workload *workload, uint32_t scene, uint64_t element,
                         char out[WORKLOAD_ID_BYTES])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t bits = 0;
    for (unsigned i = 0; i < WORKLOAD_ID_BYTES; i++) {
        if (i % 10 == 0) {
            bits = mix(workload->seed ^ mix((uint64_t)scene << 40 ^ element << 2 ^ i / 10));
        }
        out[i] = alphabet[bits & 63];
        bits >>= 6;
    }
}

static void pack_element_id(const struct workload *workload, uint32_t scene, uint64_t element,
                            struct buffer *out)
{
    char id[WORKLOAD_ID_BYTES];
    workload_element_id(workload, scene, element, id);
    pack_str(out, span_make(id, sizeof id));
}

static void pack_content(const struct workload *workload, uint64_t random, struct buffer *out)
{
    size_t size = workload->sizes.text_bytes + random % TEXT_BYTES_VARY;
    size_t room = size < TEXT_BYTES_MAX ? TEXT_BYTES_MAX - size : 0;
    pack_text(out, "content");
    pack_str(out, span_make(workload->text + (random >> 8) % (room + 1),
                            size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX));
}

/** A coordinate with a fraction, as a dragged element has. */
static void pack_coordinate(const char *name, uint64_t random, struct buffer *out)
{
    pack_text(out, name);
    pack_double(out, (double)(random % 2000000) / 1000.0);
}

static void pack_element(const struct workload *workload, uint32_t scene, uint64_t element,
                         uint64_t random, struct buffer *out)
{
    pack_map(out, 6);
    pack_text(out, "id");
    pack_element_id(workload, scene, element, out);
    pack_text(out, "kind");
    pack_map(out, 2);
    pack_text(out, "type");
    pack_text(out, "Text");
    pack_text(out, "data");
    pack_map(out, 1);
    pack_content(workload, random, out);
    pack_text(out, "transform");
    pack_map(out, 6);
    pack_coordinate("x", random, out);
    pack_coordinate("y", random >> 20, out);
    pack_text(out, "width");
    pack_uint(out, 100 + random % 400);
    pack_text(out, "height");
    pack_uint(out, 50 + random % 300);
    pack_text(out, "rotation");
    pack_uint(out, 0);
    pack_text(out, "z_index");
    pack_uint(out, element % 100);
    pack_text(out, "interactive");
    pack_bool(out, true);
    pack_text(out, "selected");
    pack_bool(out, false);
    pack_text(out, "parent");
    pack_nil(out);
}

static void pack_changes(const struct workload *workload, uint64_t random, struct buffer *out)
{
    pack_map(out, 1);
    if (random >> 63 == 0) {
        pack_text(out, "transform");
        pack_map(out, 2);
        pack_coordinate("x", random, out);
        pack_coordinate("y", random >> 20, out);
        return;
    }
    pack_text(out, "kind");
    pack_map(out, 1);
    pack_text(out, "data");
    pack_map(out, 1);
    pack_content(workload, random, out);
}

static void pack_operation(const struct workload *workload, uint32_t scene,
                           const struct workload_operation *operation, struct buffer *out)
{
    static const char *const names[] = {"add", "update", "remove"};
    pack_map(out, operation->kind == WORKLOAD_UPDATE ? 4 : 3);
    pack_text(out, "op");
    pack_text(out, names[operation->kind]);
    if (operation->kind == WORKLOAD_ADD) {
        pack_text(out, "element");
        pack_element(workload, scene, operation->element, operation->random, out);
    } else {
        pack_text(out, "id");
        pack_element_id(workload, scene, operation->element, out);
    }
    if (operation->kind == WORKLOAD_UPDATE) {
        pack_text(out, "changes");
        pack_changes(workload, operation->random, out);
    }
    pack_text(out, "timestamp");
    pack_uint(out, operation->timestamp_ms);
}

void workload_encode_batch(const struct workload *workload, const struct workload_batch *batch,
                           struct buffer *out)
{
    char session[WORKLOAD_SESSION_BYTES_MAX];
    char batch_id[UUID_BYTES + 1];
    uint64_t high = mix(workload->seed + 1 + batch->serial), low = mix(high);
    (void)workload_session(batch->scene, session);
    (void)snprintf(batch_id, sizeof batch_id, "%08x-%04x-4%03x-8%03x-%012" PRIx64,
                   (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff),
                   (unsigned)(high & 0xfff), (unsigned)(low >> 52), low & 0xffffffffffffU);
    pack_map(out, 4);
    pack_text(out, "session_id");
    pack_text(out, session);
    pack_text(out, "batch_id");
    pack_text(out, batch_id);
    pack_text(out, "client_id");
    pack_text(out, "bench-client-7");
    pack_text(out, "operations");
    pack_array(out, batch->operation_count);
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        pack_operation(workload, batch->scene, &batch->operations[i], out);
    }
}

static void pack_value_head(uint64_t version, uint64_t timestamp_ms, struct buffer *out)
{
    pack_array(out, 3);
    pack_uint(out, version);
    pack_uint(out, timestamp_ms);
}

void workload_encode_stored(const struct workload *workload, uint32_t scene, uint64_t element,
                            struct buffer *out)
{
    pack_value_head(SEEDED_VERSION, workload->start_ms, out);
    pack_element(workload, scene, element, mix(workload->seed ^ (uint64_t)scene << 32 ^ element),
                 out);
}

void workload_encode_value(const struct workload *workload, uint32_t scene,
                           const struct workload_operation *operation, struct buffer *out)
{
    pack_value_head(SEEDED_VERSION + 1, operation->timestamp_ms, out);
    if (operation->kind == WORKLOAD_REMOVE) {
        pack_nil(out);
    } else {
        pack_element(workload, scene, operation->element, operation->random, out);
    }
}
