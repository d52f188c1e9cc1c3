/* A scene's attempts, run through the model in the order of its versions (inside.h). */
#include <stdlib.h>

#include "tests/ledger/inside.h"

/* One attempt of one batch. */
struct step {
    struct story *story;
    uint32_t attempt;
    uint64_t version; /* the scene's, after it */
    bool is_done;
};

struct replay {
    struct ledger *ledger;
    struct model_scene *scene;
    struct step *steps; /* by version, attempt, place */
    size_t count;
};

static int step_order(const void *left, const void *right)
{
    const struct step *const a = left;
    const struct step *const b = right;
    if (a->version != b->version) {
        return a->version > b->version ? 1 : -1;
    }
    if (a->attempt != b->attempt) {
        return a->attempt > b->attempt ? 1 : -1;
    }
    return order_places(&a->story->delivery->place, &b->story->delivery->place);
}

/* When the batch came in. The worker's own clock may be in it where the topic stamps no records:
 * then it says so in the batch's record and in its requeues. */
static uint64_t find_arrival(struct ledger *ledger, const struct story *story)
{
    const struct ledger_record *const record = story->delivery->record;
    uint64_t arrival_ms = record->timestamp_ms < 0 ? 0 : (uint64_t)record->timestamp_ms;
    if (record->log_append_time) {
        return arrival_ms;
    }
    if (story->memory != NULL) {
        if (record->timestamp_ms >= 0 && story->memory->arrival_ms > arrival_ms) {
            found(ledger, FINDING_DIFFERING, "%s: its arrival is later than its record",
                  text_of_story(story).bytes);
        }
        return story->memory->arrival_ms;
    }
    const struct requeue *const requeue = story_requeue(ledger, story, 2);
    if (requeue != NULL) {
        struct pool pool = {0};
        struct model_batch batch;
        model_batch_read(requeue->record->value, &ledger->settings, true, &pool, &batch);
        arrival_ms = batch.retry.arrival_ms;
        pool_free(&pool);
    }
    return arrival_ms;
}

static void begin(struct ledger *ledger, struct story *story)
{
    model_batch_read(story->delivery->record->value, &ledger->settings, false, &story->pool,
                     &story->batch);
    model_run_init(&story->run, &story->batch, &ledger->settings, find_arrival(ledger, story));
}

static void end(struct story *story)
{
    model_run_free(&story->run);
    pool_free(&story->pool);
}

static bool is_text_of(const struct value *map, const char *key, const char *text)
{
    return value_is_text(value_find(map, key), text);
}

static bool is_true(const struct value *map, const char *key)
{
    const struct value *const value = value_find(map, key);
    return value_is(value, VALUE_BOOL) && value->boolean;
}

static uint64_t index_of(const struct value *entry)
{
    uint64_t index = UINT64_MAX;
    (void)value_as_uint(value_find(entry, "index"), &index);
    return index;
}

/* What was said of an attempt: by its result or, where the worker died before that was published,
 * by the requeue. NULL: nothing. */
struct report {
    const struct value *conflicts, *failed_operations;
};

static struct report read_report(const struct ledger *ledger, const struct step *step,
                                 struct pool *pool)
{
    const struct result *const result = story_result(ledger, step->story, step->attempt);
    if (result != NULL) {
        const struct value *const map = value_read(result->record->value, pool);
        return (struct report){.conflicts = value_find(map, "conflicts"),
                               .failed_operations = value_find(map, "failed_operations")};
    }
    const struct requeue *const requeue = story_requeue(ledger, step->story, step->attempt + 1);
    if (requeue == NULL) {
        return (struct report){0};
    }
    struct model_batch batch;
    model_batch_read(requeue->record->value, &ledger->settings, true, pool, &batch);
    return (struct report){.conflicts = batch.retry.conflicts,
                           .failed_operations = batch.retry.failed_operations};
}

/* Whether the commit was refused so often that nothing of this attempt was tried. */
static bool reports_lost_races(const struct model_run *run, const struct value *failed_operations)
{
    for (const struct value *entry = failed_operations == NULL ? NULL : failed_operations->first;
         entry != NULL; entry = entry->next) {
        const uint64_t index = index_of(entry);
        if (index < run->batch->operation_count && run->verdicts[index].standing == MODEL_PENDING &&
            is_true(entry, "retryable") && is_text_of(entry, "code", "concurrent_modification")) {
            return true;
        }
    }
    return false;
}

/* An operation that had no conflict but lost a race for its element reports that. Whether it did
 * cannot be told from the log. */
static uint64_t grant_lost_races(struct model_attempt *attempt, const struct model_run *run,
                                 const struct value *conflicts)
{
    uint64_t count = 0;
    for (const struct value *entry = conflicts == NULL ? NULL : conflicts->first; entry != NULL;
         entry = entry->next) {
        const uint64_t index = index_of(entry);
        if (index >= run->batch->operation_count ||
            !is_text_of(entry, "reason", "ConcurrentModification") ||
            !is_text_of(entry, "resolution", "keep_remote")) {
            continue;
        }
        struct model_verdict *const verdict = &attempt->verdicts[index];
        const bool is_on_element = run->batch->operations[index].kind != MODEL_INTERACTION;
        /* On a retry it keeps what it met before, unless a race is the latest that it met. */
        const bool has_no_other =
            !verdict->has_conflict || strcmp(verdict->reason, "ElementNotFound") == 0;
        if (verdict->standing == MODEL_SYNCED && has_no_other && is_on_element) {
            verdict->has_conflict = true;
            verdict->reason = "ConcurrentModification";
            verdict->resolution = "keep_remote";
            verdict->local = verdict->met;
            count++;
        }
    }
    return count;
}

static int64_t record_time(const struct ledger *ledger, const struct step *step)
{
    const struct requeue *const requeue =
        step->attempt > 1 ? story_requeue(ledger, step->story, step->attempt) : NULL;
    return (requeue != NULL ? requeue->record : step->story->delivery->record)->timestamp_ms;
}

/* Decides the attempt on the scene as it stands; `races`: how many were granted. */
static void decide(const struct replay *replay, const struct step *step,
                   struct model_attempt *attempt, uint64_t *races)
{
    struct pool pool = {0};
    struct model_run *const run = &step->story->run;
    if (step->attempt == 1 && run->verdicts == NULL) {
        begin(replay->ledger, step->story);
    }
    const struct report report = read_report(replay->ledger, step, &pool);
    model_attempt_decide(replay->scene, run, record_time(replay->ledger, step),
                         reports_lost_races(run, report.failed_operations), attempt);
    *races = grant_lost_races(attempt, run, report.conflicts);
    pool_free(&pool);
}

/* Whether the published result is that of this attempt, taken now. */
static bool is_published(const struct replay *replay, const struct step *step,
                         const struct model_attempt *attempt)
{
    const struct result *const result = story_result(replay->ledger, step->story, step->attempt);
    if (result == NULL) {
        return true;
    }
    struct model_run run = step->story->run;
    struct reason reason;
    run.verdicts = attempt->verdicts;
    run.attempt++;
    return compare_result(step->story, &run, attempt->scene_version, result, &reason);
}

/* Where writes were lost, another worker may publish the result of a history that is gone behind
 * the one that counts. What the last attempt was its record tells; of an earlier one any result at
 * this version will do. */
static bool has_another_result(const struct ledger *ledger, const struct step *step)
{
    const struct story *const story = step->story;
    const struct result *const results = ledger->results.items;
    if (!ledger->config.lost_writes || step->attempt == story->attempt_count) {
        return false;
    }
    size_t first;
    const size_t count = story_results(ledger, story, step->attempt, &first);
    bool is_same = false;
    for (size_t i = first; i < first + count && !is_same; i++) {
        struct reason reason;
        is_same = compare_result(story, &story->run, step->version, &results[i], &reason);
    }
    return is_same;
}

static void check_published(struct ledger *ledger, const struct step *step)
{
    const struct result *const result = story_result(ledger, step->story, step->attempt);
    struct reason reason;
    if (result != NULL &&
        !compare_result(step->story, &step->story->run, step->version, result, &reason) &&
        !has_another_result(ledger, step)) {
        found(ledger, FINDING_DIFFERING, "%s: result of attempt %u: %s",
              text_of_story(step->story).bytes, (unsigned)step->attempt, reason.bytes);
    }
}

static void take(struct replay *replay, struct step *step, struct model_attempt *attempt,
                 uint64_t races)
{
    struct story *const story = step->story;
    if (step->attempt == 1) {
        story->first_changed = attempt->has_changed;
    }
    model_attempt_take(attempt, replay->scene, &story->run);
    step->is_done = true;
    replay->ledger->counts.lost_races += races;
    check_published(replay->ledger, step);
    check_requeues(replay->ledger, story);
    if (step->attempt == story->attempt_count) {
        check_exhausted(replay->ledger, story);
        story->is_replayed = true;
        end(story);
    }
}

/* Whether the attempt can be next: the one before it has been made. */
static bool is_next(const struct step *step)
{
    return !step->is_done && step->story->run.attempt + 1 == step->attempt;
}

/* The attempt that made this version: the one that changes the scene, and says so in its result. */
static bool make_version(struct replay *replay, struct step *steps, size_t count)
{
    struct model_attempt attempt;
    struct step *maker = NULL;
    uint64_t races = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_next(&steps[i])) {
            continue;
        }
        decide(replay, &steps[i], &attempt, &races);
        const bool is_it = attempt.has_changed && is_published(replay, &steps[i], &attempt);
        maker = is_it || (attempt.has_changed && maker == NULL) ? &steps[i] : maker;
        model_attempt_free(&attempt);
        if (is_it) {
            break;
        }
    }
    if (maker == NULL) {
        return false;
    }
    decide(replay, maker, &attempt, &races);
    take(replay, maker, &attempt, races);
    return true;
}

/* The others of this version saw it and changed nothing. */
static void make_rest(struct replay *replay, struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct model_attempt attempt;
        uint64_t races = 0;
        if (!is_next(&steps[i])) {
            continue;
        }
        decide(replay, &steps[i], &attempt, &races);
        if (attempt.has_changed) {
            found(replay->ledger, FINDING_LOST,
                  "%s: attempt %u should have changed the scene, which stayed at version %llu",
                  text_of_story(steps[i].story).bytes, (unsigned)steps[i].attempt,
                  (unsigned long long)steps[i].version);
            model_attempt_drop_changes(&attempt, replay->scene);
        }
        take(replay, &steps[i], &attempt, races);
    }
}

static bool replay_steps(struct replay *replay)
{
    for (size_t first = 0; first < replay->count;) {
        struct step *const steps = replay->steps + first;
        size_t count = 1;
        while (first + count < replay->count && steps[count].version == steps[0].version) {
            count++;
        }
        const uint64_t version = replay->scene->version + 1;
        const bool is_gap = steps[0].version > version;
        if (is_gap || (steps[0].version == version && !make_version(replay, steps, count))) {
            found(replay->ledger, FINDING_LOST,
                  "scene '%.*s': no result explains how it came to version %llu",
                  SPAN_ARGS(steps[0].story->identity.session_id), (unsigned long long)version);
            replay->ledger->has_gaps = true;
            return false;
        }
        make_rest(replay, steps, count);
        first += count;
    }
    return true;
}

static size_t list_steps(struct story *stories, size_t count, struct step **steps)
{
    size_t step_count = 0;
    for (size_t i = 0; i < count; i++) {
        step_count += stories[i].attempt_count;
    }
    struct step *const list = grown(NULL, step_count, sizeof(*list));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t attempt = 1; attempt <= stories[i].attempt_count; attempt++) {
            list[at++] = (struct step){.story = &stories[i],
                                       .attempt = attempt,
                                       .version = stories[i].versions[attempt - 1]};
        }
    }
    qsort(list, step_count, sizeof(*list), step_order);
    *steps = list;
    return step_count;
}

static int log_order(const void *left, const void *right)
{
    const struct story *const *const a = left;
    const struct story *const *const b = right;
    return order_places(&(*a)->delivery->place, &(*b)->delivery->place);
}

static bool is_applied_before(const struct story *story, const struct story *than)
{
    if (story->versions[0] != than->versions[0]) {
        return story->versions[0] < than->versions[0];
    }
    return story->first_changed && !than->first_changed;
}

/* First attempts of one partition took effect in the order of its log. */
static void check_log_order(struct ledger *ledger, const struct story *stories, size_t count)
{
    const struct story **const list = grown(NULL, count, sizeof(struct story *));
    for (size_t i = 0; i < count; i++) {
        list[i] = &stories[i];
    }
    qsort(list, count, sizeof(struct story *), log_order);
    for (size_t i = 1; i < count; i++) {
        const struct place *const before = &list[i - 1]->delivery->place;
        const struct place *const after = &list[i]->delivery->place;
        if (span_equal(before->topic, after->topic) && before->partition == after->partition &&
            is_applied_before(list[i], list[i - 1])) {
            found(ledger, FINDING_DIFFERING, "%s took effect before %s, which stands before it",
                  text_of_story(list[i]).bytes, text_of_story(list[i - 1]).bytes);
        }
    }
    free(list);
}

bool replay_scene(struct ledger *ledger, struct story *stories, size_t count,
                  struct model_scene *scene)
{
    struct replay replay = {.ledger = ledger, .scene = scene};
    replay.count = list_steps(stories, count, &replay.steps);
    const bool is_whole = replay_steps(&replay);
    if (is_whole) {
        check_log_order(ledger, stories, count);
    }
    for (size_t i = 0; i < count; i++) {
        end(&stories[i]);
    }
    free(replay.steps);
    return is_whole;
}
