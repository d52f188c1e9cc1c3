#include "tests/support/scene_view.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/wire.h"
#include "tests/support/redis_server.h"

enum { KEY_BYTES_MAX = 128 };

static redisReply *read_hash(struct redis_server *redis, const char *key)
{
    const char *const arguments[] = {"HGETALL", key, NULL};
    redisReply *const reply = redis_server_query(redis, arguments);
    cr_assert_eq(reply->type, REDIS_REPLY_ARRAY, "%s is no hash", key);
    return reply;
}

static struct span keep(struct arena *arena, const redisReply *reply)
{
    const struct span copy = arena_copy(arena, span_make(reply->str, reply->len));
    cr_assert(!span_is_absent(copy));
    return copy;
}

static int by_id(const void *left, const void *right)
{
    const struct element_view *const a = left;
    const struct element_view *const b = right;
    const size_t size = a->id.size < b->id.size ? a->id.size : b->id.size;
    const int order = memcmp(a->id.data, b->id.data, size);
    return order != 0 ? order : (a->id.size > b->id.size) - (a->id.size < b->id.size);
}

static void read_meta(struct redis_server *redis, const char *session_id, struct scene_view *scene)
{
    char key[KEY_BYTES_MAX];
    (void)snprintf(key, sizeof(key), "scene:{%s}", session_id);
    redisReply *const reply = read_hash(redis, key);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const char *const text = reply->element[i + 1]->str;
        if (strcmp(reply->element[i]->str, "version") == 0) {
            scene->version = strtoull(text, NULL, 10);
        } else if (strcmp(reply->element[i]->str, "element_count") == 0) {
            scene->element_count = strtoull(text, NULL, 10);
        }
    }
    freeReplyObject(reply);
}

struct scene_view scene_view_read(struct redis_server *redis, const char *session_id,
                                  struct arena *arena)
{
    struct scene_view scene = {0};
    char key[KEY_BYTES_MAX];
    read_meta(redis, session_id, &scene);
    (void)snprintf(key, sizeof(key), "scene:{%s}:elements", session_id);
    redisReply *const reply = read_hash(redis, key);
    scene.count = reply->elements / 2;
    scene.elements = arena_alloc_array(arena, scene.count, sizeof(struct element_view));
    cr_assert_not_null(scene.elements);
    for (size_t i = 0; i < scene.count; i++) {
        struct element_view *const element = &scene.elements[i];
        struct error error;
        element->id = keep(arena, reply->element[2 * i]);
        cr_assert(
            element_value_decode(keep(arena, reply->element[2 * i + 1]), &element->value, &error),
            "%s", error.message);
    }
    freeReplyObject(reply);
    if (scene.count > 0) {
        qsort(scene.elements, scene.count, sizeof(struct element_view), by_id);
    }
    return scene;
}

const struct element_view *scene_view_find(const struct scene_view *scene, const char *id)
{
    for (size_t i = 0; i < scene->count; i++) {
        if (span_equal_text(scene->elements[i].id, id)) {
            return &scene->elements[i];
        }
    }
    return NULL;
}

bool scene_view_has(const struct scene_view *scene, const char *id)
{
    const struct element_view *const element = scene_view_find(scene, id);
    return element != NULL && !span_is_absent(element->value.document);
}

double scene_view_transform(const struct scene_view *scene, const char *id, const char *field)
{
    cr_assert(scene_view_has(scene, id), "element %s is not there", id);
    const struct span document = scene_view_find(scene, id)->value.document;
    const struct span raw = wire_map_find(wire_map_find(document, "transform"), field);
    cr_assert(!span_is_absent(raw), "element %s has no transform.%s", id, field);
    const struct wire_value value = wire_peek(raw);
    double number = 0;
    cr_assert(wire_as_number(&value, &number), "transform.%s is no number", field);
    return number;
}

bool scene_view_equal(const struct scene_view *a, const struct scene_view *b)
{
    bool equal =
        a->version == b->version && a->element_count == b->element_count && a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        const struct element_view *const x = &a->elements[i];
        const struct element_view *const y = &b->elements[i];
        equal = span_equal(x->id, y->id) && x->value.version == y->value.version &&
                x->value.timestamp_ms == y->value.timestamp_ms &&
                span_equal(x->value.document, y->value.document) &&
                span_equal(x->value.clocks, y->value.clocks);
    }
    return equal;
}
