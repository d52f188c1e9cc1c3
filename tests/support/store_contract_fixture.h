/**
 * What the contract's checks share: a store of the kind under test, an arena for its requests, and
 * eyes on one scene.
 *
 * Lifetime: open_fixture() .. close_fixture(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_STORE_CONTRACT_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_STORE_CONTRACT_FIXTURE_H

#include "tests/support/store_contract.h"
#include "tests/support/store_requests.h"

#define CONTRACT_SESSION "scene-1"

struct fixture {
    const struct store_contract *contract;
    struct store *store;
    struct arena arena;
    struct buffer dumped;
};

struct fixture open_fixture(const struct store_contract *contract,
                            struct store_retention retention);
void close_fixture(struct fixture *fixture);

/** The scene's contents as text, valid until the next call. */
const char *dump(struct fixture *fixture);

/** The same, kept in the arena. */
struct span keep_dump(struct fixture *fixture);

/** How many fields `key` has in a dump. */
size_t count_fields(const char *dumped, const char *key);

/** Runs a commit that must succeed. */
void commit_done(struct fixture *fixture, struct scene_commit *commit);

/** Commits one record to `version`; its status may be STORE_REFUSED. */
enum store_status commit_record(struct fixture *fixture, uint64_t version,
                                struct record_write record, const char *settled_offsets);

/** An entry of the watermark, from texts; NULL: nothing stands there. */
struct watermark_entry mark_entry(const char *name, const char *expected, const char *value);

/** Writes entries; the status may be any but STORE_FAILED. */
enum store_status write_marks(struct fixture *fixture, struct watermark_entry *entries,
                              size_t count);

/** What the watermark says of a partition; absent: nothing. */
struct span read_mark(struct fixture *fixture, const char *name);
void expect_mark(struct fixture *fixture, const char *name, const char *expected);

struct scene_load load_scene(struct fixture *fixture);
struct store_position load_position(struct fixture *fixture, const char *name);
bool has_record(struct fixture *fixture, const char *field);
bool has_element(struct fixture *fixture, const char *id);

#endif
