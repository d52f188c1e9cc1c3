#include "worker/watermark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/watermark_internal.h"

enum {
    LOOK_INTERVAL_MS = 1000,
    /* Another owner: so long Kafka has to say that the partition is its now. */
    OTHER_OWNER_REST_MS = 1000,
    ARENA_BYTES_MAX = 256 << 20
};

struct watermark *watermark_create(const struct watermark_parts *parts)
{
    struct watermark *watermark = calloc(1, sizeof(*watermark));
    if (watermark == NULL) {
        return NULL;
    }
    watermark->parts = *parts;
    (void)snprintf(watermark->owner, sizeof(watermark->owner), "%016" PRIx64, parts->owner);
    arena_init(&watermark->arena, ARENA_BYTES_MAX);
    source_require_claims(parts->source);
    return watermark;
}

void watermark_destroy(struct watermark *watermark)
{
    if (watermark != NULL) {
        arena_deinit(&watermark->arena);
        free(watermark);
    }
}

const struct error *watermark_error(const struct watermark *watermark)
{
    return &watermark->request.error;
}

void watermark_doubt(struct watermark *watermark)
{
    watermark->is_doubted = true;
}

/* ---- Looking at what is held ---- */

/* A claimed partition's entry is not what was written last. */
static void distrust(struct watermark *watermark, struct assigned_partition *partition,
                     struct span found)
{
    bool is_own = watermark_entry_is_own(watermark, found);
    if (is_own && watermark_entry_offset(found) >= partition->mark) {
        partition->mark =
            watermark_entry_offset(found); /* a raise whose reply was lost took effect */
        return;
    }
    uint64_t now_ms = clock_monotonic_ms(watermark->parts.clock);
    bool is_taken = !is_own && watermark_entry_offset(found) >= partition->mark;
    if (is_taken) {
        struct log_line line;
        log_begin(&line, watermark->parts.log, LOG_WARN,
                  "another worker claimed a partition, its records rest");
        log_text(&line, "topic", partition->topic);
        log_int(&line, "partition", partition->number);
        log_end(&line);
    }
    source_rest(watermark->parts.source, partition,
                is_taken ? now_ms + OTHER_OWNER_REST_MS : now_ms);
}

static enum watermark_outcome look(struct watermark *watermark)
{
    uint64_t epoch = store_epoch(watermark->parts.store);
    size_t count = 0;
    enum watermark_outcome outcome = WATERMARK_NO_MEMORY;
    struct watermark_view *views = watermark_list(watermark, false, &count);
    if (views == NULL) {
        return outcome;
    }
    const struct watermark_entry *entries = NULL;
    if (count > 0) {
        entries = watermark_read(watermark, views, count, &outcome);
        if (entries == NULL) {
            return outcome;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct assigned_partition *partition = watermark_find(watermark, &views[i]);
        if (partition == NULL) {
            continue; /* revoked while the store was asked */
        }
        struct span own = watermark_entry_text(watermark, partition->mark, &watermark->arena);
        if (span_is_absent(own)) {
            return WATERMARK_NO_MEMORY;
        }
        if (!span_equal(entries[i].found, own)) {
            distrust(watermark, partition, entries[i].found);
        }
    }
    watermark->seen_epoch = epoch;
    watermark->is_doubted = false;
    watermark->look_due_ms = clock_monotonic_ms(watermark->parts.clock) + LOOK_INTERVAL_MS;
    return WATERMARK_GOOD;
}

enum watermark_outcome watermark_tend(struct watermark *watermark)
{
    const struct watermark_parts *parts = &watermark->parts;
    uint64_t now_ms = clock_monotonic_ms(parts->clock);
    if (store_epoch(parts->store) != watermark->seen_epoch) {
        watermark->is_doubted = true;
    }
    bool must_look = watermark->is_doubted || now_ms >= watermark->look_due_ms;
    if ((!must_look && !source_has_claimable(parts->source, now_ms)) ||
        !store_is_ready(parts->store)) {
        return WATERMARK_GOOD;
    }
    arena_reset(&watermark->arena);
    enum watermark_outcome outcome = must_look ? look(watermark) : WATERMARK_GOOD;
    return outcome == WATERMARK_GOOD ? watermark_claim(watermark) : outcome;
}

/* ---- What commits ask ---- */

struct assigned_partition *watermark_partition_of(const struct watermark *watermark,
                                                  const struct record *record)
{
    struct assigned_partition *partition =
        assignment_find(source_assignment(watermark->parts.source),
                        (const char *)record->topic.data, record->partition);
    bool is_held = partition != NULL && partition->assignment == record->assignment;
    return is_held && !partition->resting ? partition : NULL;
}

struct span watermark_expected(struct watermark *watermark, const struct record *record,
                               struct arena *arena)
{
    const struct assigned_partition *partition = watermark_partition_of(watermark, record);
    return partition != NULL ? watermark_entry_text(watermark, partition->mark, arena)
                             : span_of_text("not held");
}

bool watermark_is_replay(const struct watermark *watermark, const struct record *record)
{
    const struct assigned_partition *partition = watermark_partition_of(watermark, record);
    return partition != NULL && record->offset < partition->replay_until;
}
