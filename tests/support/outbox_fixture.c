#include "tests/support/outbox_fixture.h"

#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

struct posting posting;

void posting_begin(void)
{
    cr_assert(settings_init(&posting.settings));
    posting.scene = scene_at_version(5);
    scene_with(posting.scene, "old", 3, 500, "{'id':'old','kind':{'type':'T'},'n':1}");
    posting.context = process_context_default();
    posting.outbox = (struct outbox){.settings = &posting.settings,
                                     .arena = test_arena(),
                                     .scratch = test_scratch(),
                                     .stats = &posting.stats,
                                     .now_wall_ms = 1234567};
    posting.record = (struct record){
        .topic = span_of_text("scene.ops"),
        .partition = 3,
        .offset = 7,
        .timestamp_ms = TEST_NOW_MS,
        .key = span_of_text("the-key"),
        .log_append_time = true,
    };
}

void posting_end(void)
{
    scene_destroy(posting.scene);
    settings_deinit(&posting.settings);
}

struct record_header *posting_headers(const struct record *of, struct arena *arena, size_t *count)
{
    cr_assert_eq(of, &posting.record);
    *count = posting.original_header_count;
    struct record_header *copy = arena_alloc_array(arena, *count, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < *count; i++) {
        copy[i] = posting.original_headers[i];
    }
    return copy;
}

void deliver_bytes(struct span message)
{
    posting.record.value = message;
    cr_assert(delivery_decode(&posting.record, &posting.settings, test_arena(), &posting.delivery,
                              &posting.error));
    if (posting.delivery.refusal.code == ERROR_NONE) {
        posting.delivery.verdict = VERDICT_NEW;
        posting.delivery.result_arrival_ms = posting.delivery.arrival_ms;
        posting.context.source = posting.delivery.source;
        posting.delivery.result =
            batch_process(posting.scene, &posting.delivery.batch, &posting.context);
    }
}

void deliver(const char *json)
{
    deliver_bytes(message_of(json));
}

size_t post(struct letter *letters[4])
{
    posting.outbox.first = NULL;
    posting.outbox.last = NULL;
    cr_assert(outbox_post(&posting.outbox, &posting.delivery, &posting.error), "%s",
              posting.error.message);
    size_t count = 0;
    for (struct letter *letter = posting.outbox.first; letter != NULL; letter = letter->next) {
        cr_assert_lt(count, 4);
        cr_assert_eq(letter->delivery, &posting.delivery);
        letters[count++] = letter;
    }
    return count;
}

struct span header_of(const struct letter *letter, const char *name)
{
    struct span value = {0};
    for (size_t i = 0; i < letter->outgoing.header_count; i++) {
        if (strcmp(letter->outgoing.headers[i].name, name) == 0) {
            cr_assert(span_is_absent(value), "two headers %s", name);
            value = letter->outgoing.headers[i].value;
        }
    }
    return value;
}

void expect_header(const struct letter *letter, const char *name, const char *value)
{
    struct span found = header_of(letter, name);
    cr_expect(span_equal_text(found, value), "%s: \"%.*s\", expected \"%s\"", name,
              SPAN_ARGS(found), value);
}

void expect_dead(const struct letter *letter, const char *code)
{
    cr_assert_eq(letter->kind, LETTER_DEAD);
    cr_expect_str_eq(letter->outgoing.topic, "scene.ops.dlq");
    cr_expect_eq(letter->outgoing.partition, -1);
    cr_expect(span_equal_text(letter->outgoing.key, "the-key"), "the original one");
    expect_header(letter, "scenesync-error-code", code);
    expect_header(letter, "scenesync-failed-at", "1234567");
    cr_expect_gt(header_of(letter, "scenesync-error").size, 0);
}
