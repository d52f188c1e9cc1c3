#include "tests/allocations/cycle.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"

enum { TURNS_MAX = 1000 };

/* Stand in for the source's, whose records only a broker can make. */

struct record_header *source_headers(const struct record *record, struct arena *arena,
                                     size_t *count)
{
    (void)record;
    *count = 2;
    struct record_header *const headers = arena_alloc_array(arena, *count, sizeof *headers);
    if (headers != NULL) {
        headers[0] = (struct record_header){"trace", span_of_text("1")};
        headers[1] = (struct record_header){"scenesync-attempt", span_of_text("1")};
    }
    return headers;
}

struct span source_committed_text(struct record_source *source, int32_t partition)
{
    (void)source;
    (void)partition;
    return span_of_text("scene.ops/3=1");
}

static uint64_t now_ms(void *context)
{
    (void)context;
    return CYCLE_NOW_MS;
}

static const struct clock standing_clock = {.monotonic_ms = now_ms, .wall_ms = now_ms};

void cycle_begin(struct small_cycle *cycle)
{
    *cycle = (struct small_cycle){
        .log = log_create(LOG_ERROR, LOG_LOGFMT, "/dev/null"),
        .record = {.topic = span_of_text("scene.ops"),
                   .partition = 3,
                   .offset = 7,
                   .timestamp_ms = CYCLE_NOW_MS,
                   .log_append_time = true,
                   .key = span_of_text("s"),
                   .received_monotonic_ms = CYCLE_NOW_MS,
                   .received_wall_ms = CYCLE_NOW_MS},
    };
    cr_assert_not_null(cycle->log);
    cr_assert(settings_init(&cycle->settings));
    cycle_forget_store(cycle);
}

void cycle_end(struct small_cycle *cycle)
{
    store_destroy(cycle->store);
    settings_deinit(&cycle->settings);
    log_destroy(cycle->log);
}

void cycle_forget_store(struct small_cycle *cycle)
{
    const struct store_retention retention = {.dedupe_batches_max = 2,
                                              .dedupe_bytes_max = 1 << 20,
                                              .tombstones_max = 2,
                                              .tombstone_retention_ms = 3600 * 1000};
    store_destroy(cycle->store);
    cycle->store = memory_store_create(&retention);
    cr_assert_not_null(cycle->store);
}

void cycle_prepare(struct small_cycle *cycle)
{
    arena_init(&cycle->arena, (size_t)64 << 20);
    buffer_init(&cycle->scratch, (size_t)64 << 20);
    buffer_init(&cycle->document_scratch, (size_t)64 << 20);
    cycle->scene = NULL;
    cycle->outbox = (struct outbox){.settings = &cycle->settings,
                                    .arena = &cycle->arena,
                                    .scratch = &cycle->scratch,
                                    .stats = &cycle->stats,
                                    .now_wall_ms = CYCLE_NOW_MS};
}

/* Read, decide, commit, as worker/cycle_apply.c drives it. */
static bool apply(struct small_cycle *cycle, const struct work_context *context,
                  struct error *error)
{
    struct delivery **const deliveries =
        arena_alloc_array(&cycle->arena, 1, sizeof(struct delivery *));
    if (deliveries == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the cycle's deliveries");
    }
    deliveries[0] = &cycle->delivery;
    if (!scene_work_init(&cycle->work, cycle->scene, deliveries, 1, context, error)) {
        return false;
    }
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        if (!scene_work_complete(&cycle->work, context, error)) {
            return false;
        }
        if (cycle->work.state == WORK_DONE) {
            scene_work_finish(&cycle->work);
            return true;
        }
        const bool is_waiting =
            cycle->work.state == WORK_READING || cycle->work.state == WORK_COMMITTING;
        if (!is_waiting && !scene_work_step(&cycle->work, context, error)) {
            return false;
        }
        (void)store_poll(cycle->store, 0);
    }
    abort(); /* it would never end */
}

bool cycle_work(struct small_cycle *cycle, struct error *error)
{
    const struct work_context context = {.settings = &cycle->settings,
                                         .clock = &standing_clock,
                                         .store = cycle->store,
                                         .arena = &cycle->arena,
                                         .scratch = &cycle->scratch,
                                         .document_scratch = &cycle->document_scratch,
                                         .stats = &cycle->stats,
                                         .log = cycle->log,
                                         .token_state = &cycle->token_state};
    if (!delivery_decode(&cycle->record, &cycle->settings, &cycle->arena, &cycle->delivery,
                         error)) {
        return false;
    }
    if (cycle->delivery.refusal.code == ERROR_NONE) {
        cycle->scene = scene_create(cycle->delivery.batch.session_id);
        if (cycle->scene == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene");
        }
        if (!apply(cycle, &context, error)) {
            return false;
        }
    }
    return outbox_post(&cycle->outbox, &cycle->delivery, error);
}

void cycle_clean(struct small_cycle *cycle)
{
    while (store_poll(cycle->store, 0) > 0) {
    }
    scene_destroy(cycle->scene);
    buffer_deinit(&cycle->document_scratch);
    buffer_deinit(&cycle->scratch);
    arena_deinit(&cycle->arena);
}

struct span cycle_stored(const struct small_cycle *cycle)
{
    static const char token[] = "meta commit ";
    struct buffer *const out = test_scratch();
    buffer_clear(out);
    memory_store_dump(cycle->store, span_of_text("s"), out);
    cr_assert_not(out->failed);
    buffer_append(out, "", 1);
    char *const line = out->size > 1 ? strstr((char *)out->data, token) : NULL;
    cr_assert(out->size == 1 || line != NULL);
    if (line != NULL) {
        memset(line, '-', strcspn(line, "\n"));
    }
    return bytes_keep(buffer_span(out));
}

static void append_part(struct buffer *out, struct span part)
{
    buffer_append_format(out, "%d:", span_is_absent(part) ? -1 : (int)part.size);
    buffer_append_span(out, part);
}

struct span cycle_letters(const struct small_cycle *cycle)
{
    struct buffer *const out = test_scratch();
    buffer_clear(out);
    for (const struct letter *letter = cycle->outbox.first; letter != NULL; letter = letter->next) {
        const struct outgoing *const outgoing = &letter->outgoing;
        buffer_append_format(out, "%d %s %d ", (int)letter->kind, outgoing->topic,
                             (int)outgoing->partition);
        append_part(out, outgoing->key);
        append_part(out, outgoing->value);
        for (size_t i = 0; i < outgoing->header_count; i++) {
            const struct record_header *const header = &outgoing->headers[i];
            if (strcmp(header->name, "scenesync-duplicate") != 0) {
                append_part(out, span_of_text(header->name));
                append_part(out, header->value);
            }
        }
    }
    return bytes_keep(buffer_span(out));
}

const struct letter *cycle_letter(const struct small_cycle *cycle, enum letter_kind kind)
{
    const struct letter *letter = cycle->outbox.first;
    while (letter != NULL && letter->kind != kind) {
        letter = letter->next;
    }
    return letter;
}
