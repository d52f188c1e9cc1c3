#include "protocol/vocabulary.h"

#include <assert.h>

/* Indexed by the enumerations. Each strategy has two spellings: the settings' and serde's. */
static const char *const strategy_names[STRATEGY_COUNT] = {"last_write_wins", "local_wins",
                                                           "remote_wins", "merge"};
static const char *const strategy_variant_names[STRATEGY_COUNT] = {"LastWriteWins", "LocalWins",
                                                                   "RemoteWins", "Merge"};
static const char *const conflict_reason_names[CONFLICT_REASON_COUNT] = {
    NULL, "ElementNotFound", "ElementAlreadyExists", "ConcurrentModification", "StaleTimestamp"};
static const char *const resolution_names[RESOLUTION_COUNT] = {"keep_local", "keep_remote",
                                                               "merge"};

/* The index of `name` among `count` names of which some may be NULL; `count` for none. */
static size_t name_find(const char *const *names, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NULL && span_equal_text(name, names[i])) {
            return i;
        }
    }
    return count;
}

const char *strategy_name(enum strategy strategy)
{
    assert((size_t)strategy < STRATEGY_COUNT);
    return strategy_names[strategy];
}

enum strategy strategy_of_name(struct span name)
{
    size_t found = name_find(strategy_names, STRATEGY_COUNT, name);
    if (found == STRATEGY_COUNT) {
        found = name_find(strategy_variant_names, STRATEGY_COUNT, name);
    }
    return (enum strategy)found;
}

const char *conflict_reason_name(enum conflict_reason reason)
{
    assert((size_t)reason < CONFLICT_REASON_COUNT);
    return conflict_reason_names[reason];
}

enum conflict_reason conflict_reason_of_name(struct span name)
{
    return (enum conflict_reason)name_find(conflict_reason_names, CONFLICT_REASON_COUNT, name);
}

const char *resolution_name(enum resolution resolution)
{
    assert((size_t)resolution < RESOLUTION_COUNT);
    return resolution_names[resolution];
}

enum resolution resolution_of_name(struct span name)
{
    return (enum resolution)name_find(resolution_names, RESOLUTION_COUNT, name);
}
