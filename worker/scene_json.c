#include "worker/scene_json.h"

#include <stdlib.h>

#include "protocol/wire.h"
#include "store/scene.h"
#include "worker/json_print.h"

struct item {
    struct span id;
    struct element_value value;
    double z_index; /* 0 where it has none */
};

struct item_list {
    struct item *items; /* in the arena; present ones in drawing order, then tombstones by id */
    size_t present_count, count;
};

static double read_z_index(struct span document)
{
    struct span transform = wire_map_find(document, "transform");
    if (span_is_absent(transform) || wire_peek(transform).type != WIRE_MAP) {
        return 0;
    }
    struct span raw = wire_map_find(transform, "z_index");
    double z_index = 0;
    if (!span_is_absent(raw)) {
        struct wire_value value = wire_peek(raw);
        (void)!wire_as_number(&value, &z_index);
    }
    return z_index;
}

static int compare_ids(struct span a, struct span b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/** Present elements first, by z_index and id; tombstones behind them, by id. */
static int compare_items(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    bool a_removed = span_is_absent(a->value.document);
    bool b_removed = span_is_absent(b->value.document);
    if (a_removed != b_removed) {
        return a_removed ? 1 : -1;
    }
    if (a->z_index != b->z_index) {
        return a->z_index > b->z_index ? 1 : -1;
    }
    return compare_ids(a->id, b->id);
}

static bool decode_items(const struct scene_dump *dump, struct arena *arena, struct item_list *out,
                         struct error *error)
{
    *out = (struct item_list){.items = arena_alloc_array(arena, dump->count, sizeof *out->items),
                              .count = dump->count};
    if (out->items == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < dump->count; i++) {
        struct item *item = &out->items[i];
        item->id = dump->ids[i];
        struct error reason;
        if (!element_value_decode(dump->values[i], &item->value, &reason)) {
            char quoted[ERROR_QUOTE_BYTES_MAX];
            return error_set(error, reason.code, "element %s: %.120s",
                             error_quote(item->id, quoted), reason.message);
        }
        if (!span_is_absent(item->value.document)) {
            item->z_index = read_z_index(item->value.document);
            out->present_count++;
        }
    }
    if (out->count > 0) {
        qsort(out->items, out->count, sizeof *out->items, compare_items);
    }
    return true;
}

static void write_number(struct json_writer *writer, const char *key, uint64_t value)
{
    json_write_key_text(writer, key);
    json_write_uint(writer, value);
}

static void write_element(const struct item *item, bool clocks, struct json_writer *writer)
{
    json_write_object_begin(writer);
    write_number(writer, "version", item->value.version);
    write_number(writer, "timestamp", item->value.timestamp_ms);
    json_write_key_text(writer, "element");
    if (!json_print(item->value.document, writer)) {
        json_write_base64(writer, "", item->value.document); /* another program's */
    }
    if (clocks && !span_is_absent(item->value.clocks)) {
        json_write_key_text(writer, "clocks");
        if (!json_print(item->value.clocks, writer)) {
            json_write_base64(writer, "", item->value.clocks);
        }
    }
    json_write_object_end(writer);
}

static void write_tombstone(const struct item *item, struct json_writer *writer)
{
    json_write_object_begin(writer);
    json_write_key_text(writer, "id");
    json_write_str(writer, item->id);
    write_number(writer, "version", item->value.version);
    write_number(writer, "timestamp", item->value.timestamp_ms);
    json_write_object_end(writer);
}

static void write_items(const struct item_list *list, struct scene_json_parts parts,
                        struct json_writer *writer)
{
    json_write_key_text(writer, "elements");
    json_write_array_begin(writer);
    for (size_t i = 0; i < list->present_count; i++) {
        write_element(&list->items[i], parts.clocks, writer);
    }
    json_write_array_end(writer);
    if (!parts.tombstones) {
        return;
    }
    json_write_key_text(writer, "tombstones");
    json_write_array_begin(writer);
    for (size_t i = list->present_count; i < list->count; i++) {
        write_tombstone(&list->items[i], writer);
    }
    json_write_array_end(writer);
}

bool scene_json_write(const char *session_id, const struct scene_dump *dump,
                      struct scene_json_parts parts, struct arena *arena,
                      struct json_writer *writer, struct error *error)
{
    struct item_list list;
    if (!decode_items(dump, arena, &list, error)) {
        return false;
    }
    json_write_object_begin(writer);
    json_write_key_text(writer, "session_id");
    json_write_text(writer, session_id);
    write_number(writer, "version", dump->version);
    json_write_key_text(writer, "updated_at");
    json_write_int(writer, dump->updated_at_ms);
    write_number(writer, "element_count", list.present_count);
    write_number(writer, "tombstone_count", list.count - list.present_count);
    write_items(&list, parts, writer);
    json_write_object_end(writer);
    return true;
}
