#include "tests/support/store_requests.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/support/child_process.h"

enum { POLL_MS = 50, TEXT_BYTES_MAX = 512 };

enum store_status run_load(struct store *store, struct scene_load *load)
{
    const uint64_t deadline_ms = monotonic_ms() + REQUEST_WAIT_MS;
    store_submit_load(store, load);
    while (load->status == STORE_IN_FLIGHT) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "a load does not complete");
        (void)store_poll(store, POLL_MS);
    }
    return load->status;
}

enum store_status run_commit(struct store *store, struct scene_commit *commit)
{
    const uint64_t deadline_ms = monotonic_ms() + REQUEST_WAIT_MS;
    store_submit_commit(store, commit);
    while (commit->status == STORE_IN_FLIGHT) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "a commit does not complete");
        (void)store_poll(store, POLL_MS);
    }
    return commit->status;
}

enum store_status run_watermark(struct store *store, struct watermark_request *request)
{
    const uint64_t deadline_ms = monotonic_ms() + REQUEST_WAIT_MS;
    store_submit_watermark(store, request);
    while (request->status == STORE_IN_FLIGHT) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "a watermark request does not complete");
        (void)store_poll(store, POLL_MS);
    }
    return request->status;
}

void await_ready(struct store *store)
{
    const uint64_t deadline_ms = monotonic_ms() + REQUEST_WAIT_MS;
    while (!store_is_ready(store)) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "the store does not get ready");
        (void)store_poll(store, POLL_MS);
    }
}

struct store_token token_of(const char *text)
{
    struct store_token token = {.size = (uint8_t)strlen(text)};
    cr_assert_leq(strlen(text), sizeof(token.text));
    memcpy(token.text, text, token.size);
    return token;
}

const char *token_text(const struct store_token *token)
{
    static char text[STORE_TOKEN_BYTES_MAX + 1];
    memcpy(text, token->text, token->size);
    text[token->size] = '\0';
    return text;
}

struct span text_in(struct arena *arena, const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    cr_assert(size >= 0 && (size_t)size < sizeof(text));
    const struct span copy = arena_copy(arena, span_make(text, (size_t)size));
    cr_assert_not_null(copy.data);
    return copy;
}

struct span tombstone_value(struct arena *arena)
{
    static const uint8_t bytes[] = {0x93, 0x01, 0xcf, 0, 0, 0, 0, 0, 0, 0, 9, 0xc0};
    return arena_copy(arena, span_make(bytes, sizeof(bytes)));
}

struct scene_commit commit_to(const char *session, uint64_t version, struct arena *arena)
{
    char before[24], after[24];
    (void)snprintf(before, sizeof(before), "t%llu", (unsigned long long)version - 1);
    (void)snprintf(after, sizeof(after), "t%llu", (unsigned long long)version);
    return (struct scene_commit){
        .session_id = span_of_text(session),
        .checked = true,
        .expected_version = version - 1,
        .expected_token = token_of(version > 1 ? before : ""),
        .version = version,
        .token = token_of(after),
        .updated_at_ms = (int64_t)version,
        .arena = arena,
    };
}

struct record_write record_of(struct arena *arena, const char *field, uint32_t attempt,
                              int64_t offset, bool pending)
{
    return (struct record_write){
        .field = text_in(arena, "%s", field),
        .value = text_in(arena, "%u t/0 %lld\nresult of %s", attempt, (long long)offset, field),
        .attempt = attempt,
        .pending = pending,
    };
}

struct span find_record(struct store *store, const char *session, const char *field,
                        struct arena *arena)
{
    const struct span name = span_of_text(field);
    struct scene_load load = {.session_id = span_of_text(session),
                              .record_fields = &name,
                              .record_count = 1,
                              .arena = arena};
    cr_assert_eq(run_load(store, &load), STORE_DONE, "%s", load.error.message);
    return load.record_values[0];
}

struct span find_element(struct store *store, const char *session, const char *id,
                         struct arena *arena)
{
    const struct span name = span_of_text(id);
    struct scene_load load = {.session_id = span_of_text(session),
                              .element_ids = &name,
                              .element_count = 1,
                              .arena = arena};
    cr_assert_eq(run_load(store, &load), STORE_DONE, "%s", load.error.message);
    return load.element_values[0];
}
