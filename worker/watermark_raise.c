#include "worker/watermark_internal.h"

/* One partition that is to be raised. */
struct raise {
    struct assigned_partition *partition;
    struct watermark_view view;
    int64_t next;
};

/* What is read again below the watermark does not lower it, unless the topic was made anew. */
static size_t drop_lower(struct raise *raises, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct assigned_partition *partition = raises[i].partition;
        if (raises[i].next >= partition->mark || partition->is_restarted) {
            raises[kept++] = raises[i];
        }
    }
    return kept;
}

/* Lists the partitions of the records, each once, with the offset behind its last record. */
static size_t list_raises(struct watermark *watermark, const struct record *records, size_t count,
                          struct raise *raises)
{
    size_t raise_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct assigned_partition *partition = watermark_partition_of(watermark, &records[i]);
        size_t k = 0;
        while (k < raise_count && raises[k].partition != partition) {
            k++;
        }
        if (partition == NULL) {
            continue;
        }
        if (k == raise_count) {
            raise_count++;
            raises[k] = (struct raise){.partition = partition,
                                       .view = {.topic = partition->topic,
                                                .number = partition->number,
                                                .assignment = partition->assignment}};
        }
        if (raises[k].next < records[i].offset + 1) {
            raises[k].next = records[i].offset + 1;
        }
    }
    return drop_lower(raises, raise_count);
}

static bool make_raise_entries(struct watermark *watermark, const struct raise *raises,
                               size_t count, struct arena *arena, struct watermark_entry *entries)
{
    for (size_t i = 0; i < count; i++) {
        const struct assigned_partition *partition = raises[i].partition;
        entries[i] = (struct watermark_entry){
            .name = watermark_entry_name(partition->topic, partition->number, arena),
            .expected = watermark_entry_text(watermark, partition->mark, arena),
            .value = watermark_entry_text(watermark, raises[i].next, arena),
        };
        if (span_is_absent(entries[i].name) || span_is_absent(entries[i].expected) ||
            span_is_absent(entries[i].value)) {
            return false;
        }
    }
    return true;
}

static void take_raise(struct watermark *watermark, const struct raise *raise)
{
    struct assigned_partition *partition = watermark_find(watermark, &raise->view);
    if (partition == NULL) {
        return;
    }
    partition->mark = raise->next;
    partition->is_restarted = false;
    if (partition->replay_until >= 0 && partition->mark >= partition->replay_until) {
        partition->replay_until = -1;
        struct log_line line;
        log_begin(&line, watermark->parts.log, LOG_INFO, "lost writes are replayed");
        watermark_log_place(&line, &raise->view);
        log_int(&line, "offset", partition->mark);
        log_end(&line);
    }
}

/* The reply was lost: waits for the store and looks whether the raise took effect. What stands
 * there now as it was to be written came after everything that it vouches for, so that is there
 * too. */
static enum watermark_outcome confirm(struct watermark *watermark, struct watermark_entry *entries,
                                      size_t count, struct arena *arena)
{
    struct store *store = watermark->parts.store;
    while (!store_is_ready(store)) {
        (void)store_poll(store, WATERMARK_STORE_POLL_MS);
        patience_note(watermark->parts.patience, PROGRESS_STORE_AWAY);
        if (!patience_goes_on(watermark->parts.patience)) {
            return WATERMARK_ABANDONED;
        }
    }
    bool is_read = false;
    enum watermark_outcome outcome =
        watermark_exchange(watermark, entries, count, false, arena, &is_read);
    if (outcome != WATERMARK_GOOD) {
        return outcome;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_read || !span_equal(entries[i].found, entries[i].value)) {
            return WATERMARK_AGAIN;
        }
    }
    return WATERMARK_GOOD;
}

static enum watermark_outcome write_raises(struct watermark *watermark,
                                           struct watermark_entry *entries, size_t count,
                                           uint64_t epoch, struct arena *arena)
{
    if (store_epoch(watermark->parts.store) != epoch) {
        return WATERMARK_AGAIN; /* what was committed before may be lost */
    }
    bool is_done = false;
    enum watermark_outcome outcome =
        watermark_exchange(watermark, entries, count, true, arena, &is_done);
    if (outcome != WATERMARK_GOOD || is_done) {
        return outcome;
    }
    return watermark->request.status == STORE_UNKNOWN ? confirm(watermark, entries, count, arena)
                                                      : WATERMARK_AGAIN;
}

enum watermark_outcome watermark_raise(struct watermark *watermark, const struct record *records,
                                       size_t count, uint64_t epoch, struct arena *arena)
{
    struct raise *raises = arena_alloc_array(arena, count, sizeof(struct raise));
    struct watermark_entry *entries =
        arena_alloc_array(arena, count, sizeof(struct watermark_entry));
    if (raises == NULL || entries == NULL) {
        return WATERMARK_NO_MEMORY;
    }
    size_t raise_count = list_raises(watermark, records, count, raises);
    if (!make_raise_entries(watermark, raises, raise_count, arena, entries)) {
        return WATERMARK_NO_MEMORY;
    }
    enum watermark_outcome outcome =
        raise_count == 0 ? WATERMARK_GOOD
                         : write_raises(watermark, entries, raise_count, epoch, arena);
    if (outcome == WATERMARK_AGAIN) {
        watermark_doubt(watermark);
    }
    for (size_t i = 0; outcome == WATERMARK_GOOD && i < raise_count; i++) {
        take_raise(watermark, &raises[i]);
    }
    return outcome;
}
