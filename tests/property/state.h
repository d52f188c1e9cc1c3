/**
 * A scene as it stands in a store, read as the worker reads it, and compared with the model's.
 *
 * Lifetime: values live in the arena. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_STATE_H
#define SCENESYNC_TESTS_PROPERTY_STATE_H

#include "store/store.h"
#include "tests/model/model.h"
#include "tests/property/history.h"
#include "tests/property/verdict.h"

struct state {
    uint64_t version, element_count, stored_count;
    struct span values[HISTORY_ELEMENTS]; /* as stored; absent: unknown */
};

/** False: the store does not answer as it should. */
bool state_read(struct store *store, const char *scene, struct arena *arena, struct state *out,
                struct verdict *verdict);

/** One element's value, taken apart. */
struct stored_element {
    uint64_t version, timestamp_ms;
    const struct value *document; /* NULL: a tombstone */
    const struct value *clocks;   /* NULL: there are none */
};
bool stored_element_read(struct span value, struct pool *pool, struct stored_element *out);

/** Elements, tombstones, versions, timestamps, clocks and counts are the model's. */
bool state_is(const struct state *state, const struct model_scene *scene, const char *name,
              struct verdict *verdict);

/** What the memory store holds of a scene, as text; without what depends on how commits were cut
 * (the tokens, and the count that dedupe's rotation goes by). `only_effects`: without what says
 * where retries stood in their topics, either. Appends. */
void state_dump(const struct store *memory_store, const char *scene, bool only_effects,
                struct buffer *out);
/** The same of all scenes. */
void state_dump_all(const struct store *memory_store, bool only_effects, struct buffer *out);

/** Equal texts, or the first line that differs. */
bool state_dumps_equal(const struct buffer *a, const struct buffer *b, struct verdict *verdict);

#endif
