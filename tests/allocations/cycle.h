/**
 * One record's way through the worker without Kafka and Redis: decoded, recognised, applied,
 * committed to a store in memory, and its letters written.
 *
 * Lifetime: cycle_begin() .. cycle_end(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_ALLOCATIONS_CYCLE_H
#define SCENESYNC_TESTS_ALLOCATIONS_CYCLE_H

#include "store/memory_store.h"
#include "worker/outbox.h"
#include "worker/scene_work.h"

enum { CYCLE_NOW_MS = 1000000 };

struct small_cycle {
    struct settings settings;
    struct store *store;
    struct log *log;
    struct stats stats;
    uint64_t token_state;
    struct record record; /* what is worked on */
    /* Of one try. */
    struct arena arena;
    struct buffer scratch, document_scratch;
    struct scene *scene;
    struct delivery delivery;
    struct scene_work work;
    struct outbox outbox;
};

void cycle_begin(struct small_cycle *cycle);
void cycle_end(struct small_cycle *cycle);

/** A new store, empty. */
void cycle_forget_store(struct small_cycle *cycle);

void cycle_prepare(struct small_cycle *cycle);

/** The product's part, all of it. */
bool cycle_work(struct small_cycle *cycle, struct error *error);

void cycle_clean(struct small_cycle *cycle);

/** All that the scene "s" holds, but for the commit's token. Kept as long as the process. */
struct span cycle_stored(const struct small_cycle *cycle);

/** The letters as text, but for `scenesync-duplicate`. Kept as long as the process. */
struct span cycle_letters(const struct small_cycle *cycle);

/** The first letter of this kind, or NULL. */
const struct letter *cycle_letter(const struct small_cycle *cycle, enum letter_kind kind);

#endif
