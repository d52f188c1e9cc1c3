/**
 * A history: what several clients with skewed clocks send, what is sent again, where time passes
 * and where partitions are delivered again. Plain data, so that it can be made from a seed, shrunk
 * and printed; engine.h runs it.
 *
 * Lifetime: history_free() ends one. Threading: one thread. Cost: a history is some kilobytes. Out
 * of memory aborts: this is a test's memory.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_HISTORY_H
#define SCENESYNC_TESTS_PROPERTY_HISTORY_H

#include <stdio.h>

#include "protocol/buffer.h"
#include "tests/support/dice.h"

enum {
    HISTORY_SCENES = 2,
    HISTORY_ELEMENTS = 5,
    HISTORY_PARTITIONS = 2,
    HISTORY_FIELDS = 17, /* that an edit can say something about (encode.c) */
    HISTORY_CHOICES = 4,
    HISTORY_EDITS_MAX = 64,     /* of a batch */
    HISTORY_CONVERGING_MS = 64, /* edits that are to converge stand in so many before the start */
    HISTORY_START_MS = 1000000 /* the worker's clock at the beginning; edits' times count from it */
};

enum edit_kind { EDIT_ADD, EDIT_UPDATE, EDIT_REMOVE, EDIT_INTERACTION, EDIT_INVALID };

/** One operation. */
struct edit {
    enum edit_kind kind;
    uint32_t element;
    int32_t time_ms;    /* from HISTORY_START_MS on */
    uint32_t base;      /* base_version + 1; 0: none */
    uint32_t is_tagged; /* the spelling */
    uint32_t fields;    /* bits: which fields it says */
    uint32_t value;     /* what it says of them, and how the id is written */
};

enum step_kind {
    STEP_SEND,   /* a new batch */
    STEP_RESEND, /* the batch `of` once more, as another record */
    STEP_REUSE,  /* the identity of the batch `of` with these edits */
    STEP_WAIT,   /* time passes: retries become due */
    STEP_AGAIN   /* a partition is delivered again from an earlier offset */
};

struct step {
    enum step_kind kind;
    uint32_t serial;        /* SEND: its number, which stays when others are dropped */
    uint32_t of;            /* RESEND, REUSE: a serial; AGAIN: how many records back */
    uint32_t tier;          /* AGAIN: whose partition; 0: the ops topic */
    uint32_t scene, client; /* client 0: none is named */
    uint32_t partition;
    uint32_t strategy; /* 0: none is named; else enum strategy + 1 */
    uint32_t is_named; /* the batch has a batch_id */
    int32_t skew_ms;   /* the record's timestamp against the clock */
    uint32_t wait_ms;
    struct edit *edits;
    uint32_t edit_count;
};

struct history {
    uint32_t retries_max, elements_max;
    uint32_t strategy; /* the setting */
    uint32_t is_strategy_fixed;
    uint32_t is_stamped;               /* LogAppendTime */
    uint32_t choices[HISTORY_CHOICES]; /* each property has its own use for them */
    struct step *steps;
    uint32_t step_count;
};

/** What a property's histories may have in them. */
struct history_traits {
    uint32_t steps_max, edits_max;
    bool has_resends, has_deliveries_again, has_merge;
    bool only_converging; /* what the convergence clause of section 4 asks for */
};

struct history *history_create(const struct history_traits *traits, uint64_t seed);
struct history *history_copy(const struct history *history);
void history_free(struct history *history);

/** The step that sent this batch; NULL: none does. */
const struct step *history_find(const struct history *history, uint32_t serial);

/** Text that says all of it, for people. */
void history_print(const struct history *history, FILE *out);

/** The message that a SEND, RESEND or REUSE produces: appended to `out`. False: what it refers to
 * is not there any more. */
bool step_encode(const struct history *history, const struct step *step, struct buffer *out);

/** Whether the convergence clause can speak of an edit: it is valid whatever it is applied to,
 * which one that takes the type away is not, and no update has an empty map in it (converge.c). */
bool edit_can_converge(const struct edit *edit);

/** "s0"; and the element ids as they are stored. Static. */
const char *history_scene_id(uint32_t scene);
const char *history_element_id(uint32_t element);

#endif
