/**
 * The worker as it is, run over a history: worker/cycle.c and all below it, between a Kafka in
 * memory (kafka.h), a store and a clock that moves only where the history says so.
 *
 * Lifetime: engine_create() .. engine_destroy(). Threading: one thread. Out of memory aborts.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_ENGINE_H
#define SCENESYNC_TESTS_PROPERTY_ENGINE_H

#include "store/store.h"
#include "tests/property/history.h"
#include "tests/property/kafka.h"
#include "tests/property/verdict.h"

enum trouble { TROUBLE_NONE, TROUBLE_LOSE_REPLY, TROUBLE_LOSE_REQUEST, TROUBLE_REFUSE };

/** How a history is run. All zero: whole cycles, no cache, one after the other. */
struct engine_plan {
    bool is_eager;    /* cycles run after each step, not only before time passes */
    uint32_t cut_max; /* records per cycle, at random up to so many; 0: all there are */
    uint64_t cut_seed;
    bool has_cache, is_pipelined;
    bool skips_again;            /* STEP_AGAIN is passed over */
    uint32_t dedupe_batches_max; /* 0: the default */
    uint32_t retries_max_plus_1; /* 0: the history's */
    uint64_t dies_at;            /* the doom's countdown; 0: never */
    bool dies_after;             /* doom.is_after */
    uint32_t lost_offsets;       /* offsets that the dead process did not get committed */
    enum trouble trouble;        /* before every `trouble_every`-th cycle */
    uint32_t trouble_every;
    const char *refused_scene; /* the memory store refuses its data; NULL: no scene's */
    const char *redis_url;     /* NULL: the memory store */
    /* Called after every cycle that settled something; false ends the run. */
    bool (*observe)(void *context, struct verdict *verdict);
    void *observe_context;
    /* Asked before a RESEND or REUSE of what was sent; NULL: all are produced. */
    bool (*may_refer)(void *context, const struct step *step, const struct step *sent);
    /* Called where the process has died, before another one begins; the same. */
    bool (*observe_death)(void *context, struct verdict *verdict);
};

struct engine;

struct engine *engine_create(const struct history *history, const struct engine_plan *plan);
void engine_destroy(struct engine *engine);

/** Runs the history to its end: until nothing waits any more. False: it failed, and `verdict` says
 * why. */
bool engine_run(struct engine *engine, struct verdict *verdict);

struct kafka *engine_kafka(struct engine *engine);
/** The store itself, never dead. */
struct store *engine_store(struct engine *engine);
const struct settings *engine_settings(const struct engine *engine);
/** How many things the process has done that it could have died with. */
uint64_t engine_steps(const struct engine *engine);
bool engine_has_died(const struct engine *engine);
uint64_t engine_now_ms(const struct engine *engine);

#endif
