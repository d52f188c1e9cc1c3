#include "worker/watermark_internal.h"

#include "protocol/decimal.h"
#include "protocol/partition_name.h"

enum { OFFSET_BYTES_MAX = 20 };

/* One for every batch: joined, since formatting it was a twentieth of what a small batch costs. */
struct span watermark_entry_text(const struct watermark *watermark, int64_t next,
                                 struct arena *arena)
{
    char offset[DECIMAL_BYTES_MAX];
    const struct span parts[] = {span_make(offset, decimal_write_signed(next, offset)),
                                 span_make(" ", 1),
                                 span_make(watermark->owner, WATERMARK_OWNER_BYTES)};
    return arena_join(arena, parts, sizeof parts / sizeof *parts);
}

struct span watermark_entry_name(const char *topic, int32_t number, struct arena *arena)
{
    char name[PARTITION_NAME_BYTES_MAX];
    return arena_copy(arena,
                      span_make(name, partition_name_write(span_of_text(topic), number, name)));
}

/* The offset of an entry; -1 for none, or for what is none. */
int64_t watermark_entry_offset(struct span text)
{
    int64_t offset = -1;
    for (size_t i = 0; i < text.size && i < OFFSET_BYTES_MAX - 2; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return text.data[i] == ' ' ? offset : -1;
        }
        offset = (offset < 0 ? 0 : offset * 10) + (text.data[i] - '0');
    }
    return -1;
}

bool watermark_entry_is_own(const struct watermark *watermark, struct span text)
{
    return text.size > WATERMARK_OWNER_BYTES &&
           memcmp(text.data + text.size - WATERMARK_OWNER_BYTES, watermark->owner,
                  WATERMARK_OWNER_BYTES) == 0;
}

struct assigned_partition *watermark_find(const struct watermark *watermark,
                                          const struct watermark_view *view)
{
    struct assigned_partition *partition =
        assignment_find(source_assignment(watermark->parts.source), view->topic, view->number);
    return partition != NULL && partition->assignment == view->assignment ? partition : NULL;
}

void watermark_log_place(struct log_line *line, const struct watermark_view *view)
{
    log_text(line, "topic", view->topic);
    log_int(line, "partition", view->number);
}

/* Runs the request. GOOD: it is done, `request.status` tells how. */
static enum watermark_outcome run_request(struct watermark *watermark)
{
    struct watermark_request *request = &watermark->request;
    store_submit_watermark(watermark->parts.store, request);
    while (request->status == STORE_IN_FLIGHT) {
        (void)store_poll(watermark->parts.store, WATERMARK_STORE_POLL_MS);
        if (!store_is_ready(watermark->parts.store)) {
            patience_note(watermark->parts.patience, PROGRESS_STORE_AWAY);
        }
        if (request->status == STORE_IN_FLIGHT && !patience_goes_on(watermark->parts.patience)) {
            return WATERMARK_ABANDONED;
        }
    }
    if (request->status != STORE_FAILED) {
        return WATERMARK_GOOD;
    }
    return request->error.code == ERROR_OUT_OF_MEMORY ? WATERMARK_NO_MEMORY : WATERMARK_FAILED;
}

enum watermark_outcome watermark_exchange(struct watermark *watermark,
                                          struct watermark_entry *entries, size_t count,
                                          bool is_write, struct arena *arena, bool *is_done)
{
    *is_done = false;
    for (size_t begin = 0; begin < count; begin += STORE_WATERMARK_ENTRIES_MAX) {
        size_t left = count - begin;
        watermark->request = (struct watermark_request){
            .entries = entries + begin,
            .count = left < STORE_WATERMARK_ENTRIES_MAX ? left : STORE_WATERMARK_ENTRIES_MAX,
            .is_write = is_write,
            .arena = arena,
        };
        enum watermark_outcome outcome = run_request(watermark);
        if (outcome != WATERMARK_GOOD || watermark->request.status != STORE_DONE) {
            return outcome;
        }
    }
    *is_done = true;
    return WATERMARK_GOOD;
}

struct watermark_view *watermark_list(struct watermark *watermark, bool resting, size_t *count)
{
    struct assignment *assignment = source_assignment(watermark->parts.source);
    uint64_t now_ms = clock_monotonic_ms(watermark->parts.clock);
    struct watermark_view *views = arena_alloc_array(
        &watermark->arena, assignment->assigned_count + 1, sizeof(struct watermark_view));
    struct assignment_cursor cursor = {0};
    const struct assigned_partition *partition = assignment_next(assignment, &cursor);
    *count = 0;
    for (; views != NULL && partition != NULL; partition = assignment_next(assignment, &cursor)) {
        if (partition->resting == resting && (!resting || partition->rest_until_ms <= now_ms)) {
            views[(*count)++] = (struct watermark_view){.topic = partition->topic,
                                                        .number = partition->number,
                                                        .assignment = partition->assignment,
                                                        .unanswered = partition->unanswered};
        }
    }
    return views;
}

struct watermark_entry *watermark_read(struct watermark *watermark,
                                       const struct watermark_view *views, size_t count,
                                       enum watermark_outcome *outcome)
{
    struct watermark_entry *entries =
        arena_alloc_array(&watermark->arena, count, sizeof(struct watermark_entry));
    *outcome = WATERMARK_NO_MEMORY;
    for (size_t i = 0; entries != NULL && i < count; i++) {
        entries[i].name = watermark_entry_name(views[i].topic, views[i].number, &watermark->arena);
        if (span_is_absent(entries[i].name)) {
            return NULL;
        }
    }
    if (entries == NULL) {
        return NULL;
    }
    bool is_done = false;
    *outcome = watermark_exchange(watermark, entries, count, false, &watermark->arena, &is_done);
    return is_done ? entries : NULL;
}
