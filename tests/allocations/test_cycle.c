/*
 * A record worked on from its bytes to its letters while memory is refused. What fails has changed
 * the store wholly or not at all, and worked on again it ends as if it had never failed.
 */
#include <criterion/criterion.h>

#include "tests/allocations/cycle.h"
#include "tests/allocations/refusing.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"

struct cycle_trial {
    struct small_cycle cycle;
    struct span earlier[3]; /* messages that are worked on before, from offset 1 on */
    size_t earlier_count;
    struct span before, after; /* what the store holds; absent: not known yet */
    struct span letters;
};

static void work_undisturbed(struct small_cycle *cycle)
{
    struct error error = {.code = ERROR_NONE};
    cycle_prepare(cycle);
    cr_assert(cycle_work(cycle, &error), "%s", error.message);
}

static void prepare(void *context)
{
    struct cycle_trial *const trial = context;
    struct small_cycle *const cycle = &trial->cycle;
    const struct record record = cycle->record;
    cycle_forget_store(cycle);
    for (size_t i = 0; i < trial->earlier_count; i++) {
        cycle->record.tier = 0;
        cycle->record.topic = span_of_text("scene.ops");
        cycle->record.offset = (int64_t)i + 1;
        cycle->record.value = trial->earlier[i];
        work_undisturbed(cycle);
        cycle_clean(cycle);
    }
    cycle->record = record;
    trial->before = cycle_stored(cycle);
    cycle_prepare(cycle);
}

static bool work(void *context, struct error *error)
{
    struct cycle_trial *const trial = context;
    return cycle_work(&trial->cycle, error);
}

/* Names the bytes around the first difference. */
static void demand_same(struct span found, struct span *expected, const char *what)
{
    enum { SHOWN = 60 };
    size_t at = 0;
    if (!span_is_absent(*expected) && !span_equal(found, *expected)) {
        while (at < found.size && at < expected->size && found.data[at] == expected->data[at]) {
            at++;
        }
        const size_t from = at > SHOWN ? at - SHOWN : 0;
        const size_t shown = found.size - from < 2 * SHOWN ? found.size - from : 2 * SHOWN;
        char quoted[ERROR_QUOTE_BYTES_MAX];
        cr_assert_fail("%s differs at byte %zu of %zu, expected %zu: ...%s", what, at, found.size,
                       expected->size, error_quote(span_make(found.data + from, shown), quoted));
    }
    *expected = found;
}

static void verify(void *context, bool is_done)
{
    struct cycle_trial *const trial = context;
    struct small_cycle *const cycle = &trial->cycle;
    if (!is_done) {
        cycle_clean(cycle);
        const struct span stored = cycle_stored(cycle);
        cr_assert(span_equal(stored, trial->before) || span_equal(stored, trial->after),
                  "a failure leaves half a commit:\n%.*s", SPAN_ARGS(stored));
        work_undisturbed(cycle);
    }
    demand_same(cycle_stored(cycle), &trial->after, "the store");
    demand_same(cycle_letters(cycle), &trial->letters, "what is published");
    cycle_clean(cycle);
}

/* Tries the record in trial->cycle. */
static void refuse_each_of_cycle(struct cycle_trial *trial, unsigned long least)
{
    prepare(trial);
    struct error error = {.code = ERROR_NONE};
    cr_assert(cycle_work(&trial->cycle, &error), "%s", error.message);
    verify(trial, true);
    const struct trial each = {prepare, work, verify, trial};
    refuse_each(&each, least);
    cycle_end(&trial->cycle);
}

#define EARLIER                                                                                    \
    "{'session_id':'s','batch_id':'first','operations':" OPERATIONS(                               \
        ADD("a", 1, 10), ADD("b", 1, 10), ADD("c", 1, 10), REMOVE("c", 20)) "}"
#define LATER                                                                                      \
    BATCH(ADD("new", 1, 30), UPDATE("a", 2, 30), UPDATE("b", 2, 5), REMOVE("b", 30),               \
          UPDATE("unknown", 1, 30), ADD("c", 2, 40), INTERACTION(1), INVALID, MALFORMED)

static void trial_begin(struct cycle_trial *trial)
{
    *trial = (struct cycle_trial){.earlier = {message_of(EARLIER)}, .earlier_count = 1};
    cycle_begin(&trial->cycle);
    trial->cycle.record.value = message_of(LATER);
}

Test(allocations, a_new_batch_takes_effect_once_or_not_yet)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    refuse_each_of_cycle(&trial, 60);
}

Test(allocations, the_first_batch_of_a_scene_takes_effect_once_or_not_yet)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    trial.earlier_count = 0;
    refuse_each_of_cycle(&trial, 50);
}

Test(allocations, a_redelivery_is_answered_the_same_or_not_yet)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    trial.earlier[trial.earlier_count++] = trial.cycle.record.value;
    trial.cycle.record.offset = 2;
    refuse_each_of_cycle(&trial, 30);
    cr_assert(span_equal(trial.before, trial.after));
}

/* Tombstones that are too many are dropped, and the older generation of records with them. */
Test(allocations, a_commit_that_drops_old_things_drops_all_or_none)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    trial.earlier[trial.earlier_count++] = message_of(
        "{'session_id':'s','batch_id':'second','operations':" OPERATIONS(REMOVE("a", 50)) "}");
    trial.earlier[trial.earlier_count++] = message_of(
        "{'session_id':'s','batch_id':'third','operations':" OPERATIONS(ADD("d", 1, 50)) "}");
    trial.cycle.record.value =
        message_of("{'session_id':'s','batch_id':'fourth','operations':" OPERATIONS(
            REMOVE("b", 60), REMOVE("d", 60)) "}");
    refuse_each_of_cycle(&trial, 50);
}

/* The requeue of a batch whose operation finds no element until its retries are over. */
Test(allocations, the_last_attempt_is_dead_lettered_once_or_not_yet)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    trial.cycle.settings.retry_retries_max = 1;
    const struct span original = trial.cycle.record.value;
    trial.cycle.record.offset = 2;
    prepare(&trial);
    struct error error = {.code = ERROR_NONE};
    cr_assert(cycle_work(&trial.cycle, &error), "%s", error.message);
    const struct letter *const requeue = cycle_letter(&trial.cycle, LETTER_REQUEUE);
    cr_assert_not_null(requeue);
    const struct span retry = bytes_keep(requeue->outgoing.value);
    cycle_clean(&trial.cycle);

    trial.earlier[trial.earlier_count++] = original;
    trial.cycle.record.value = retry;
    trial.cycle.record.topic = span_of_text("scene.ops.retry-1");
    trial.cycle.record.tier = 1;
    trial.cycle.record.offset = 0;
    refuse_each_of_cycle(&trial, 40);
}

Test(allocations, a_batch_refused_whole_is_dead_lettered_or_not_yet)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    trial.cycle.record.value = message_of(
        "{'session_id':'s','batch_id':'bin:000102030405060708090a0b0c0d0e0f','operations':5}");
    refuse_each_of_cycle(&trial, 8);
}

/* Letters that the broker finds too large. */

static void shrink_prepare(void *context)
{
    struct cycle_trial *const trial = context;
    prepare(trial);
    struct error error = {.code = ERROR_NONE};
    cr_assert(cycle_work(&trial->cycle, &error), "%s", error.message);
}

static bool shrink_work(void *context, struct error *error)
{
    struct cycle_trial *const trial = context;
    for (struct letter *letter = trial->cycle.outbox.first; letter != NULL; letter = letter->next) {
        if (outbox_shrink(&trial->cycle.outbox, letter) == OUTBOX_NO_MEMORY) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a smaller letter");
        }
    }
    return true;
}

static void shrink_verify(void *context, bool is_done)
{
    struct cycle_trial *const trial = context;
    if (is_done) {
        demand_same(cycle_letters(&trial->cycle), &trial->letters, "what is published smaller");
    }
    cycle_clean(&trial->cycle);
}

Test(allocations, a_letter_is_made_smaller_or_stays)
{
    struct cycle_trial trial;
    trial_begin(&trial);
    trial.cycle.settings.retry_retries_max = 0; /* so that there is a dead letter too */
    const struct trial each = {shrink_prepare, shrink_work, shrink_verify, &trial};
    refuse_each(&each, 2);
    cycle_end(&trial.cycle);
}
