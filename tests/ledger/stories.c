/* What became of each batch: which of its copies counted, which of its results (inside.h). */
#include "tests/ledger/inside.h"

/* Deliveries of one identity. */
struct copies {
    struct delivery *items;
    size_t count;
};

size_t story_results(const struct ledger *ledger, const struct story *story, uint64_t attempt,
                     size_t *first)
{
    const struct result *const results = ledger->results.items;
    size_t i = list_find_identity(&ledger->results, &story->identity);
    size_t count = 0;
    *first = i;
    for (;
         i < ledger->results.count && order_identities(&results[i].identity, &story->identity) == 0;
         i++) {
        if (results[i].attempts == attempt &&
            order_places(&results[i].source, &story->delivery->place) == 0) {
            *first = count == 0 ? i : *first;
            count++;
        }
    }
    return count;
}

size_t story_requeues(const struct ledger *ledger, const struct story *story, uint64_t attempt,
                      size_t *first)
{
    const struct requeue *const requeues = ledger->requeues.items;
    size_t i = list_find_identity(&ledger->requeues, &story->identity);
    size_t count = 0;
    *first = i;
    for (; i < ledger->requeues.count &&
           order_identities(&requeues[i].identity, &story->identity) == 0;
         i++) {
        if (requeues[i].attempt == attempt &&
            order_places(&requeues[i].source, &story->delivery->place) == 0) {
            *first = count == 0 ? i : *first;
            count++;
        }
    }
    return count;
}

const struct requeue *story_requeue(const struct ledger *ledger, const struct story *story,
                                    uint64_t attempt)
{
    size_t first;
    const struct requeue *const requeues = ledger->requeues.items;
    return story_requeues(ledger, story, attempt, &first) > 0 ? &requeues[first] : NULL;
}

const struct result *story_result(const struct ledger *ledger, const struct story *story,
                                  uint64_t attempt)
{
    const struct result *const results = ledger->results.items;
    size_t first;
    const size_t count = story_results(ledger, story, attempt, &first);
    if (attempt == story->attempt_count) {
        return story->tail;
    }
    for (size_t i = first + count; i > first; i--) {
        if (results[i - 1].scene_version == story->versions[attempt - 1]) {
            return &results[i - 1];
        }
    }
    return NULL;
}

/* Later attempts tell more. Where writes were lost they may be of a history that is gone: then the
 * last word counts, final ones before others that a worker back from the dead may still say. */
static bool is_later(const struct ledger *ledger, const struct result *result,
                     const struct result *than)
{
    if (!ledger->config.lost_writes && result->attempts != than->attempts) {
        return result->attempts > than->attempts;
    }
    if (result->is_final != than->is_final) {
        return result->is_final;
    }
    return order_places(&result->place, &than->place) > 0;
}

static bool fits_memory(const struct result *result, const struct memory *memory)
{
    struct reason reason;
    return memory != NULL && result->attempts == memory->attempt &&
           result->scene_version == memory->scene_version &&
           compare_memory(memory, result, &reason);
}

/* The result that counts of those from this place: one that its record agrees with, if there is
 * any; else the latest. */
static struct result *find_tail(struct ledger *ledger, const struct identity *identity,
                                const struct place *source, const struct memory *memory)
{
    struct result *const results = ledger->results.items;
    struct result *tail = NULL;
    bool tail_fits = false;
    for (size_t i = list_find_identity(&ledger->results, identity);
         i < ledger->results.count && order_identities(&results[i].identity, identity) == 0; i++) {
        struct result *const result = &results[i];
        if (order_places(&result->source, source) != 0) {
            continue;
        }
        const bool fits = fits_memory(result, memory);
        if (tail == NULL || (fits && !tail_fits) ||
            (fits == tail_fits && is_later(ledger, result, tail))) {
            tail = result;
            tail_fits = fits;
        }
    }
    return tail;
}

static const struct memory *find_memory(const struct ledger *ledger,
                                        const struct identity *identity)
{
    const struct memory *const memories = ledger->memories.items;
    const struct memory *latest = NULL;
    for (size_t i = list_find_identity(&ledger->memories, identity);
         i < ledger->memories.count && order_identities(&memories[i].identity, identity) == 0;
         i++) {
        if (latest == NULL || memories[i].attempt > latest->attempt) {
            latest = &memories[i];
        }
    }
    return latest;
}

/* Where they do not, the result was put together from two histories. */
static void check_versions_rise(struct ledger *ledger, const struct story *story)
{
    for (uint32_t i = 1; i < story->attempt_count; i++) {
        if (story->versions[i] < story->versions[i - 1]) {
            found(ledger, FINDING_DIFFERING,
                  "%s: attempt_versions go back, from %llu after attempt %u to %llu",
                  text_of_story(story).bytes, (unsigned long long)story->versions[i - 1],
                  (unsigned)i, (unsigned long long)story->versions[i]);
        }
    }
}

/* The scene's version after each attempt, as a result tells it. */
static void take_versions(struct ledger *ledger, struct story *story, struct span result)
{
    struct pool pool = {0};
    const struct value *const map = value_read(result, &pool);
    const struct value *const versions = value_find(map, "attempt_versions");
    uint64_t attempts = 0;
    uint64_t last = 0;
    (void)value_as_uint(value_find(map, "attempts"), &attempts);
    (void)value_as_uint(value_find(map, "scene_version"), &last);
    const bool is_list = value_is(versions, VALUE_ARRAY) && versions->count == attempts;
    story->attempt_count = is_list ? (uint32_t)attempts : 1;
    story->versions = pool_alloc(&ledger->pool, story->attempt_count * sizeof(uint64_t));
    story->versions[0] = last;
    const struct value *item = is_list ? versions->first : NULL;
    for (size_t i = 0; item != NULL; i++, item = item->next) {
        (void)value_as_uint(item, &story->versions[i]);
    }
    if (attempts != story->attempt_count || story->versions[story->attempt_count - 1] != last) {
        found(ledger, FINDING_DIFFERING,
              "%s: attempt_versions do not fit attempts and scene_version",
              text_of_story(story).bytes);
    }
    check_versions_rise(ledger, story);
    pool_free(&pool);
}

static void check_tail(struct ledger *ledger, const struct story *story)
{
    const struct memory *const memory = story->memory;
    struct reason reason;
    if (!story->tail->is_final) {
        found(ledger, FINDING_LOST, "%s: no final result, %llu attempts are known",
              text_of_story(story).bytes, (unsigned long long)story->tail->attempts);
    }
    if (memory == NULL) {
        if (ledger->config.records_are_kept) {
            found(ledger, FINDING_LOST, "%s: it has no record in Redis",
                  text_of_story(story).bytes);
        }
        return;
    }
    if (memory->is_pending && story->tail->is_final) {
        found(ledger, FINDING_DIFFERING, "%s: final, but its record still waits for a retry",
              text_of_story(story).bytes);
    }
    if (!compare_memory(memory, story->tail, &reason)) {
        found(ledger, FINDING_DIFFERING, "%s: its record in Redis is not its last result: %s",
              text_of_story(story).bytes, reason.bytes);
    }
}

/* Copies of one result are equal. Where writes were lost there are histories that do not count. */
static void check_copy_of(struct ledger *ledger, const struct story *story,
                          const struct result *copy, const struct result *counts)
{
    if (ledger->config.lost_writes || counts == NULL ||
        span_equal(copy->record->value, counts->record->value)) {
        return;
    }
    if (copy->scene_version != counts->scene_version) {
        found(ledger, FINDING_DOUBLED,
              "%s: attempt %llu took effect at version %llu and again at version %llu",
              text_of_story(story).bytes, (unsigned long long)copy->attempts,
              (unsigned long long)copy->scene_version, (unsigned long long)counts->scene_version);
        return;
    }
    found(ledger, FINDING_DIFFERING, "%s: its result at %s differs from the one at %s",
          text_of_story(story).bytes, text_of_place(&copy->place).bytes,
          text_of_place(&counts->place).bytes);
}

static void check_copies(struct ledger *ledger, const struct story *story)
{
    struct result *const results = ledger->results.items;
    for (uint64_t attempt = 1; attempt <= story->attempt_count; attempt++) {
        size_t first;
        const size_t count = story_results(ledger, story, attempt, &first);
        const struct result *const counts = story_result(ledger, story, attempt);
        ledger->counts.repeated_results += count > 0 ? count - 1 : 0;
        for (size_t i = first; i < first + count; i++) {
            results[i].is_explained = true;
            check_copy_of(ledger, story, &results[i], counts);
        }
    }
}

static void add_story(struct ledger *ledger, struct delivery *delivery, const struct memory *memory,
                      struct result *tail)
{
    struct story *const story = list_add(&ledger->stories);
    story->identity = delivery->identity;
    story->delivery = delivery;
    story->tail = tail;
    story->memory =
        memory != NULL && order_places(&memory->source, &delivery->place) == 0 ? memory : NULL;
    take_versions(ledger, story, tail->record->value);
    check_tail(ledger, story);
    check_copies(ledger, story);
    ledger->counts.batches++;
    ledger->counts.operations += delivery->operation_count;
}

/* Whether results of this copy need not count: another one took its place when writes were lost. */
static bool is_superseded(const struct ledger *ledger, const struct delivery *delivery,
                          const struct copies *copies, const struct memory *memory)
{
    if (!ledger->config.lost_writes || copies->count < 2 || memory == NULL) {
        return false;
    }
    return order_places(&memory->source, &delivery->place) != 0;
}

static size_t add_stories(struct ledger *ledger, const struct copies *copies)
{
    const struct memory *const memory = find_memory(ledger, &copies->items[0].identity);
    size_t began = 0;
    for (size_t i = 0; i < copies->count; i++) {
        struct delivery *const delivery = &copies->items[i];
        struct result *const tail =
            find_tail(ledger, &delivery->identity, &delivery->place, memory);
        if (tail == NULL || is_superseded(ledger, delivery, copies, memory)) {
            continue;
        }
        if (began > 0 && ledger->config.records_are_kept && !ledger->config.lost_writes) {
            found(ledger, FINDING_DOUBLED, "%s took effect again as %s",
                  text_of_identity(&delivery->identity).bytes,
                  text_of_place(&delivery->place).bytes);
        }
        add_story(ledger, delivery, memory, tail);
        began++;
    }
    return began;
}

/* A copy that began nothing: another one with the same operations did, or its name was used. Where
 * records are evicted a name may stand for several batches; which of them was remembered when the
 * copy came, only its answer tells. */
static void check_copy(struct ledger *ledger, const struct delivery *copy,
                       const struct story *stories, size_t count)
{
    const struct story *same = NULL;
    bool has_other = false;
    for (size_t i = 0; i < count; i++) {
        const bool is_same = span_equal(stories[i].delivery->operations, copy->operations);
        same = is_same && same == NULL ? &stories[i] : same;
        has_other = has_other || !is_same;
    }
    if (same == NULL || (has_other && was_refused(ledger, &copy->place))) {
        const struct text who = text_of_identity(&copy->identity);
        if (check_dead_letter(ledger, copy->record, &copy->place, "batch_id_reused", who.bytes)) {
            check_refusal(ledger, copy, "batch_id_reused");
        }
        return;
    }
    const struct place *const first = &same->delivery->place;
    if (count == 1 && span_equal(first->topic, copy->place.topic) &&
        first->partition == copy->place.partition && first->offset > copy->place.offset) {
        found(ledger, FINDING_DIFFERING, "%s: %s took effect, but %s stands before it in the log",
              text_of_identity(&copy->identity).bytes, text_of_place(first).bytes,
              text_of_place(&copy->place).bytes);
    }
}

static bool began_a_story(const struct delivery *delivery, const struct story *stories,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (stories[i].delivery == delivery) {
            return true;
        }
    }
    return false;
}

static void find_stories_of(struct ledger *ledger, const struct copies *copies)
{
    const size_t count = add_stories(ledger, copies);
    if (count == 0) {
        found(ledger, FINDING_LOST, "%s (%s): no result at all",
              text_of_identity(&copies->items[0].identity).bytes,
              text_of_place(&copies->items[0].place).bytes);
        return;
    }
    const struct story *const stories =
        (const struct story *)ledger->stories.items + ledger->stories.count - count;
    for (size_t i = 0; i < copies->count; i++) {
        if (!began_a_story(&copies->items[i], stories, count)) {
            check_copy(ledger, &copies->items[i], stories, count);
        }
    }
}

void find_stories(struct ledger *ledger)
{
    struct delivery *const deliveries = ledger->deliveries.items;
    for (size_t first = 0; first < ledger->deliveries.count;) {
        struct copies copies = {.items = deliveries + first, .count = 1};
        while (first + copies.count < ledger->deliveries.count &&
               order_identities(&copies.items[copies.count].identity, &copies.items[0].identity) ==
                   0) {
            copies.count++;
        }
        find_stories_of(ledger, &copies);
        first += copies.count;
    }
}
