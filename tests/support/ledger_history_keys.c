/* What the pretended worker leaves in Redis (ledger_history.h). */
#include <stdlib.h>

#include "tests/support/ledger_history.h"
#include "tests/support/ledger_history_messages.h"
#include "tests/support/ledger_history_records.h"
#include "tests/support/message_writer.h"
#include "tests/support/messages.h"

static void add_field(struct history *history, struct span session_id, enum ledger_key key,
                      struct span name, struct span value)
{
    history_must(history->field_count < HISTORY_FIELDS_MAX, "too many fields");
    history->fields[history->field_count++] = (struct history_field){
        .session_id = session_id, .key = key, .name = bytes_keep(name), .value = value};
}

void history_add_field(struct history *history, const char *session_id, enum ledger_key key,
                       const char *name, struct span value)
{
    add_field(history, span_of_text(session_id), key, span_of_text(name), value);
}

static void store_element(struct history *history, struct span session_id,
                          const struct model_element *element)
{
    static struct message_writer out;
    out.size = 0;
    message_print(&out, "[%llu,%llu,", (unsigned long long)element->version,
                  (unsigned long long)element->timestamp_ms);
    if (element->is_removed) {
        message_print(&out, "null");
        add_field(history, session_id, LEDGER_TOMBSTONES, element->id,
                  bytes_of_format("%lld", (long long)element->removed_at_ms));
    } else {
        struct pool pool = {0};
        message_print_raw(&out, value_write(element->document, &pool));
        pool_free(&pool);
    }
    message_print(&out, "]");
    add_field(history, session_id, LEDGER_ELEMENTS, element->id, message_of(out.bytes));
}

static void store_meta(struct history *history, const struct history_scene *scene)
{
    const struct span id = scene->session_id;
    add_field(history, id, LEDGER_META, span_of_text("version"),
              bytes_of_format("%llu", (unsigned long long)scene->scene.version));
    add_field(history, id, LEDGER_META, span_of_text("element_count"),
              bytes_of_format("%llu", (unsigned long long)scene->scene.element_count));
    add_field(history, id, LEDGER_META, span_of_text("updated_at"),
              bytes_of_format("%lld", (long long)scene->updated_at_ms));
    add_field(history, id, LEDGER_META, span_of_text("commit"), span_of_text("token"));
}

/* The highest offset of each partition of the ops topic that was applied to the scene. */
static void store_positions(struct history *history, const struct history_scene *scene)
{
    for (int32_t partition = 0; partition < 2; partition++) {
        const struct ledger_record *last = NULL;
        for (size_t i = 0; i < history->batch_count; i++) {
            const struct history_batch *const batch = &history->batches[i];
            const struct ledger_record *const record = &batch->source->record;
            if (record->partition == partition &&
                span_equal(batch->session_id, scene->session_id) &&
                (last == NULL || record->offset > last->offset)) {
                last = record;
            }
        }
        if (last != NULL) {
            add_field(history, scene->session_id, LEDGER_META,
                      bytes_of_format("at:scene.ops/%d", (int)partition),
                      bytes_of_format("%lld %lld", (long long)last->offset,
                                      (long long)last->timestamp_ms));
        }
    }
}

static void store_record(struct history *history, const struct history_batch *batch)
{
    static struct message_writer out;
    out.size = 0;
    const bool is_pending = model_run_counts(&batch->run).pending > 0;
    message_print(&out, "['bin:00112233445566778899aabbccddeeff',%llu,[%.*s],%s]",
                  (unsigned long long)batch->run.arrival_ms,
                  SPAN_ARGS(history_indexes_of(&batch->run, false)),
                  (const char *)batch->result.data);
    const struct span array = message_of(out.bytes);
    struct message_writer *const value = calloc(1, sizeof(*value));
    history_must(value != NULL, "no memory");
    memcpy(value->bytes, batch->delivery.data, batch->delivery.size);
    memcpy(value->bytes + batch->delivery.size, array.data, array.size);
    add_field(history, batch->session_id, is_pending ? LEDGER_PENDING : LEDGER_BATCHES,
              bytes_of_format("%.*s %.*s", SPAN_ARGS(batch->batch_id), SPAN_ARGS(batch->client_id)),
              bytes_keep(span_make(value->bytes, batch->delivery.size + array.size)));
    free(value);
}

void history_store(struct history *history)
{
    for (size_t i = 0; i < history->scene_count; i++) {
        const struct history_scene *const scene = &history->scenes[i];
        store_meta(history, scene);
        store_positions(history, scene);
        for (size_t j = 0; j < scene->scene.count; j++) {
            store_element(history, scene->session_id, scene->scene.elements[j]);
        }
    }
    for (size_t i = 0; i < history->batch_count; i++) {
        store_record(history, &history->batches[i]);
    }
}
