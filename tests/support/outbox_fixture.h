/**
 * A delivery of one record and the outbox that its letters are posted in.
 *
 * A test's program has to define source_headers() itself, as posting_headers(): a definition here
 * would take the place of the source's in every program. Lifetime: posting_begin() ..
 * posting_end(), which suites take as .init and .fini. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_OUTBOX_FIXTURE_H
#define SCENESYNC_TESTS_SUPPORT_OUTBOX_FIXTURE_H

#include "store/process.h"
#include "worker/outbox.h"

struct posting {
    struct settings settings;
    struct scene *scene; /* with an element "old" */
    struct process_context context;
    struct stats stats;
    struct outbox outbox;
    struct record record; /* offset 7 of scene.ops/3, until a test has another */
    const struct record_header *original_headers; /* the record's */
    size_t original_header_count;
    struct delivery delivery; /* of the record */
    struct error error;
};

extern struct posting posting;

void posting_begin(void);
void posting_end(void);

/** Stands in for source_headers(), whose records only a broker can make. */
struct record_header *posting_headers(const struct record *of, struct arena *arena, size_t *count);

/** The delivery of a message, applied unless it is refused. */
void deliver_bytes(struct span message);
void deliver(const char *json);

/** Posts and gives the only letters there are. */
size_t post(struct letter *letters[4]);

/** Absent where the letter has none. */
struct span header_of(const struct letter *letter, const char *name);
void expect_header(const struct letter *letter, const char *name, const char *value);

/** It is a dead letter with this code and what every one has. */
void expect_dead(const struct letter *letter, const char *code);

#endif
