#include "worker/cycle.h"

#include <inttypes.h>
#include <stdlib.h>

#include "store/cache.h"
#include "worker/cycle_log.h"
#include "worker/patience.h"
#include "worker/publish.h"
#include "worker/scene_work.h"

enum {
    CYCLE_RECORDS_MAX = 1024,
    CYCLE_PAYLOAD_BYTES_MAX = 8 << 20,
    /* Decoding stops here and the rest goes to the next cycle: a small record can hold many
     * operations, and each takes some hundred bytes of the arena until the cycle ends. */
    CYCLE_OPERATIONS_MAX = 65536,
    CYCLE_ARENA_BYTES_MAX = 512 << 20,
    CYCLE_SCRATCH_BYTES_MAX = 256 << 20,
    STORE_POLL_MS = 100,
    STORE_CONNECT_POLL_MS = 20, /* between cycles, while not connected */
    /* A batch may be a lot of work (thousands of changes of one very large element): after so much
     * of it Kafka is polled before the next scene's. */
    STEP_MS_MAX = 500
};

struct cycle {
    struct cycle_parts parts;
    struct scene_cache *cache;
    uint64_t cache_epoch, token_state;
    struct arena arena;
    struct buffer scratch, document_scratch;
    struct record records[CYCLE_RECORDS_MAX];
    size_t record_begin, record_count; /* taken from Kafka; [begin, count) not yet worked with */
    size_t run_records_max;            /* fewer after a run that needed too much memory */
    bool must_fail_run;                /* even one record did */
    struct patience patience;
};

/* One run over the first records that are open. */
struct run {
    const struct record *records;
    struct delivery *deliveries;
    size_t count;
    struct scene_work *works;
    size_t work_count;
    bool is_published; /* the sink may hold letters of it */
};

struct cycle *cycle_create(const struct cycle_parts *parts)
{
    struct cycle *cycle = calloc(1, sizeof(*cycle));
    if (cycle == NULL) {
        return NULL;
    }
    cycle->parts = *parts;
    cycle->token_state = parts->token_seed;
    cycle->patience = (struct patience){
        .clock = parts->clock,
        .source = parts->source,
        .must_abandon = parts->must_abandon,
        .abandon_context = parts->abandon_context,
    };
    cycle->run_records_max = CYCLE_RECORDS_MAX;
    cycle->cache = scene_cache_create((size_t)parts->settings->store_cache_bytes);
    arena_init(&cycle->arena, CYCLE_ARENA_BYTES_MAX);
    buffer_init(&cycle->scratch, CYCLE_SCRATCH_BYTES_MAX);
    buffer_init(&cycle->document_scratch, CYCLE_SCRATCH_BYTES_MAX);
    if (cycle->cache == NULL) {
        cycle_destroy(cycle);
        return NULL;
    }
    return cycle;
}

static void release_records(struct cycle *cycle)
{
    if (cycle->record_count > cycle->record_begin) {
        source_release(cycle->parts.source, cycle->records + cycle->record_begin,
                       cycle->record_count - cycle->record_begin);
    }
    cycle->record_begin = 0;
    cycle->record_count = 0;
}

void cycle_destroy(struct cycle *cycle)
{
    if (cycle == NULL) {
        return;
    }
    release_records(cycle);
    scene_cache_destroy(cycle->cache);
    arena_deinit(&cycle->arena);
    buffer_deinit(&cycle->scratch);
    buffer_deinit(&cycle->document_scratch);
    free(cycle);
}

/* A message that alone exhausts the arena is refused like one that is too large: it must not stop
 * its partition. */
static void refuse_for_memory(struct delivery *delivery, const struct record *record)
{
    *delivery = (struct delivery){
        .record = record,
        .source = {.topic = record->topic,
                   .partition = record->partition,
                   .offset = record->offset},
    };
    error_set(&delivery->refusal, ERROR_TOO_LARGE,
              "decoding the message takes more memory than a whole cycle may use (%d bytes); "
              "send smaller batches",
              CYCLE_ARENA_BYTES_MAX);
}

/* Decodes records until the cycle has enough. False: out of memory. */
static bool decode_records(struct cycle *cycle, struct run *run, struct error *error)
{
    size_t open_count = cycle->record_count - cycle->record_begin;
    if (open_count > cycle->run_records_max) {
        open_count = cycle->run_records_max;
    }
    run->records = cycle->records + cycle->record_begin;
    run->deliveries = arena_alloc_array(&cycle->arena, open_count, sizeof(struct delivery));
    if (run->deliveries == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's deliveries");
    }
    size_t operation_count = 0;
    while (run->count < open_count && operation_count < CYCLE_OPERATIONS_MAX) {
        struct delivery *delivery = &run->deliveries[run->count];
        const struct record *record = &run->records[run->count];
        if (!delivery_decode(record, cycle->parts.settings, &cycle->arena, delivery, error)) {
            if (run->count > 0) {
                break; /* with an empty arena it will do */
            }
            refuse_for_memory(delivery, record);
        }
        run->count++;
        operation_count += delivery->batch.operation_count;
        if (delivery->refusal.code != ERROR_NONE) {
            cycle->parts.stats->batches_refused++;
            cycle_log_refusal(cycle->parts.log, delivery);
        } else if (!delivery_key_matches(delivery)) {
            cycle->parts.stats->keys_differing++;
        }
    }
    return true;
}

/* Orders deliveries by session, and within one by their place in the cycle. */
static int compare_by_session(const void *left, const void *right)
{
    const struct delivery *a = *(struct delivery *const *)left;
    const struct delivery *b = *(struct delivery *const *)right;
    struct span x = a->batch.session_id;
    struct span y = b->batch.session_id;
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    if (order == 0 && x.size != y.size) {
        order = x.size < y.size ? -1 : 1;
    }
    if (order == 0) {
        order = a < b ? -1 : a > b; /* both stand in the run's array */
    }
    return order;
}

static struct work_context work_context_of(struct cycle *cycle)
{
    const struct cycle_parts *parts = &cycle->parts;
    return (struct work_context){
        .settings = parts->settings,
        .clock = parts->clock,
        .store = parts->store,
        .source = parts->source,
        .arena = &cycle->arena,
        .scratch = &cycle->scratch,
        .document_scratch = &cycle->document_scratch,
        .stats = parts->stats,
        .log = parts->log,
        .token_state = &cycle->token_state,
        .is_too_large = cycle->must_fail_run,
    };
}

/* One work per session that has deliveries which can be worked with. */
static bool group_by_scene(struct cycle *cycle, struct run *run, const struct work_context *context,
                           struct error *error)
{
    struct delivery **sorted =
        arena_alloc_array(&cycle->arena, run->count, sizeof(struct delivery *));
    run->works = arena_alloc_array(&cycle->arena, run->count, sizeof(struct scene_work));
    if (sorted == NULL || run->works == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's scenes");
    }
    size_t sorted_count = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (run->deliveries[i].refusal.code == ERROR_NONE) {
            sorted[sorted_count++] = &run->deliveries[i];
        }
    }
    qsort(sorted, sorted_count, sizeof(struct delivery *), compare_by_session);
    for (size_t begin = 0; begin < sorted_count;) {
        size_t end = begin + 1;
        struct span session_id = sorted[begin]->batch.session_id;
        while (end < sorted_count && span_equal(sorted[end]->batch.session_id, session_id)) {
            end++;
        }
        struct scene *scene = scene_cache_take(cycle->cache, session_id);
        if (scene == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene");
        }
        if (!scene_work_init(&run->works[run->work_count++], scene, sorted + begin, end - begin,
                             context, error)) {
            return false;
        }
        begin = end;
    }
    return true;
}

/* Takes every scene as far as it goes without waiting; those that there is no time for are taken on
 * by the next call. */
static bool step_works(struct run *run, const struct work_context *context, struct error *error)
{
    uint64_t since_ms = clock_monotonic_ms(context->clock);
    for (size_t i = 0;
         i < run->work_count && clock_monotonic_ms(context->clock) - since_ms < STEP_MS_MAX; i++) {
        if (!scene_work_step(&run->works[i], context, error)) {
            return false;
        }
    }
    return true;
}

static bool all_works_done(const struct run *run)
{
    for (size_t i = 0; i < run->work_count; i++) {
        if (run->works[i].state != WORK_DONE) {
            return false;
        }
    }
    return true;
}

static bool complete_works(struct run *run, const struct work_context *context, struct error *error)
{
    for (size_t i = 0; i < run->work_count; i++) {
        if (!scene_work_complete(&run->works[i], context, error)) {
            return false;
        }
    }
    return true;
}

/* Read, decide, commit, until the store has it all. An outage of any length is waited for. */
static enum cycle_outcome apply_works(struct cycle *cycle, struct run *run,
                                      const struct work_context *context, struct error *error)
{
    struct store *store = cycle->parts.store;
    for (;;) {
        if (store_is_ready(store) && !step_works(run, context, error)) {
            return CYCLE_FATAL;
        }
        if (all_works_done(run)) {
            return CYCLE_WORKED;
        }
        /* Everything submitted goes out together; answers may come in parts. */
        (void)store_poll(store, STORE_POLL_MS);
        if (!complete_works(run, context, error)) {
            return CYCLE_FATAL;
        }
        if (!patience_goes_on(&cycle->patience)) {
            return CYCLE_ABANDONED;
        }
    }
}

static bool post_all(struct cycle *cycle, struct run *run, struct outbox *outbox,
                     struct error *error)
{
    struct log *log = cycle->parts.log;
    for (size_t i = 0; i < run->count; i++) {
        struct delivery *delivery = &run->deliveries[i];
        if (!outbox_post(outbox, delivery, error)) {
            return false;
        }
        if (delivery->refusal.code == ERROR_NONE) {
            cycle_log_delivery(log, delivery);
        } else if (delivery->verdict == VERDICT_REUSED) {
            cycle_log_refusal(log, delivery); /* the others were logged when they were decoded */
        }
    }
    for (const struct letter *letter = outbox->first; letter != NULL; letter = letter->next) {
        cycle_log_letter(log, letter);
    }
    return true;
}

static enum cycle_outcome publish_works(struct cycle *cycle, struct run *run, struct error *error)
{
    struct outbox outbox = {
        .settings = cycle->parts.settings,
        .arena = &cycle->arena,
        .scratch = &cycle->scratch,
        .stats = cycle->parts.stats,
        .now_wall_ms = clock_wall_ms(cycle->parts.clock),
    };
    if (!post_all(cycle, run, &outbox, error)) {
        return CYCLE_FATAL;
    }
    struct publish_parts publish = {
        .sink = cycle->parts.sink,
        .log = cycle->parts.log,
        .patience = &cycle->patience,
    };
    run->is_published = true;
    switch (publish_all(&publish, &outbox)) {
    case PUBLISH_ACKNOWLEDGED:
        return CYCLE_WORKED;
    case PUBLISH_ABANDONED:
        return CYCLE_ABANDONED;
    case PUBLISH_NO_MEMORY:
        break;
    }
    error_set(error, ERROR_OUT_OF_MEMORY, "no memory for what is to be published");
    return CYCLE_FATAL;
}

/*
 * A run needed more memory than a cycle may use, such as a few small updates of many large
 * elements. Its records are still open: the next run takes half of them. Where one is too much
 * alone, its operations fail, for it must not stop its partition. False: that did not help.
 */
static bool shrink_run(struct cycle *cycle, const struct run *run)
{
    /* Requests point into the arena; each ends within redis.command_timeout_ms. */
    while (store_poll(cycle->parts.store, STORE_POLL_MS) > 0) {
        source_service(cycle->parts.source);
    }
    scene_cache_clear(cycle->cache); /* it holds changes that were never committed */
    bool was_last_resort = cycle->must_fail_run;
    cycle->must_fail_run = run->count <= 1;
    cycle->run_records_max = run->count <= 1 ? 1 : run->count / 2;
    struct log_line line;
    log_begin(&line, cycle->parts.log, LOG_WARN, "cycle needs too much memory, is made smaller");
    log_uint(&line, "records", run->count);
    log_uint(&line, "records_max", cycle->run_records_max);
    log_end(&line);
    return !was_last_resort;
}

/* After a run that went well the next one may be larger again. */
static void relax_run(struct cycle *cycle)
{
    cycle->must_fail_run = false;
    cycle->run_records_max *= 2;
    if (cycle->run_records_max > CYCLE_RECORDS_MAX) {
        cycle->run_records_max = CYCLE_RECORDS_MAX;
    }
}

/* Everything up to here is in the store and acknowledged. (The watermark that notices writes the
 * store loses goes here, before the offsets: store.md section 4.) */
static void settle_run(struct cycle *cycle, const struct run *run)
{
    struct record *records = cycle->records + cycle->record_begin;
    source_settle(cycle->parts.source, records, run->count);
    source_release(cycle->parts.source, records, run->count);
    cycle->record_begin += run->count;
    if (cycle->record_begin == cycle->record_count) {
        cycle->record_begin = 0;
        cycle->record_count = 0;
    }
}

static enum cycle_outcome run_once(struct cycle *cycle, struct run *run, struct error *error)
{
    struct work_context context = work_context_of(cycle);
    patience_begin(&cycle->patience);
    if (!decode_records(cycle, run, error) || !group_by_scene(cycle, run, &context, error)) {
        return CYCLE_FATAL;
    }
    enum cycle_outcome outcome = apply_works(cycle, run, &context, error);
    if (outcome == CYCLE_WORKED) {
        outcome = publish_works(cycle, run, error);
    }
    for (size_t i = 0; i < run->work_count; i++) {
        scene_work_finish(&run->works[i]);
    }
    if (outcome == CYCLE_WORKED) {
        settle_run(cycle, run);
        relax_run(cycle);
        cycle->parts.stats->cycles++;
    }
    return outcome;
}

/* Between cycles: forgets what the last one used, and a cache that may be untrue. */
static void begin_cycle(struct cycle *cycle)
{
    arena_reset(&cycle->arena);
    struct store *store = cycle->parts.store;
    (void)store_poll(store, store_is_ready(store) ? 0 : STORE_CONNECT_POLL_MS);
    if (cycle->cache_epoch != store_epoch(store)) {
        cycle->cache_epoch = store_epoch(store);
        scene_cache_clear(cycle->cache);
    }
    scene_cache_trim(cycle->cache);
}

enum cycle_outcome cycle_run(struct cycle *cycle, int timeout_ms)
{
    begin_cycle(cycle);
    if (cycle->record_count == 0) {
        cycle->record_count = source_poll(cycle->parts.source, cycle->records, CYCLE_RECORDS_MAX,
                                          CYCLE_PAYLOAD_BYTES_MAX, timeout_ms);
        cycle->parts.stats->records += cycle->record_count;
    }
    struct log_line line;
    const char *fatal = source_fatal_error(cycle->parts.source);
    if (fatal != NULL) {
        log_begin(&line, cycle->parts.log, LOG_ERROR, "kafka consumer failed for good");
        log_text(&line, "error", fatal);
        log_end(&line);
        return CYCLE_FATAL;
    }
    if (cycle->record_count == 0) {
        return CYCLE_IDLE;
    }
    struct error error = {.code = ERROR_NONE};
    struct run run = {0};
    enum cycle_outcome outcome = run_once(cycle, &run, &error);
    if (outcome == CYCLE_FATAL && error.code == ERROR_OUT_OF_MEMORY && !run.is_published &&
        shrink_run(cycle, &run)) {
        return CYCLE_WORKED;
    }
    if (outcome == CYCLE_FATAL) {
        log_begin(&line, cycle->parts.log, LOG_ERROR, "cycle failed");
        log_text(&line, "error", error.message);
        log_end(&line);
    }
    return outcome;
}
