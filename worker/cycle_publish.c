#include <assert.h>

#include "worker/cycle_internal.h"
#include "worker/cycle_log.h"
#include "worker/publish.h"

/*
 * A run's results go out in portions, while the store still works on its other scenes: so Kafka has
 * acknowledged most of them by the time the last one is sent. Not one by one, for small messages by
 * the handful are what a broker is slow with.
 */
enum { PORTIONS = 4, PORTION_RECORDS_MIN = 64 };

static bool work_meanwhile(void *context)
{
    return cycle_work_ahead(context);
}

static struct publish_parts publish_parts_of(struct cycle *cycle)
{
    return (struct publish_parts){
        .sink = cycle->parts.sink,
        .log = cycle->parts.log,
        .patience = &cycle->patience,
        .faults = cycle->parts.faults,
        .meanwhile = work_meanwhile,
        .meanwhile_context = cycle,
    };
}

void cycle_publish_begin(struct cycle *cycle)
{
    cycle->now->run.outbox = (struct outbox){
        .settings = cycle->parts.settings,
        .arena = &cycle->now->arena,
        .scratch = &cycle->scratch,
        .stats = cycle->parts.stats,
        .recent = cycle->parts.recent,
    };
}

static bool post(struct cycle *cycle, struct delivery *delivery, struct error *error)
{
    struct log *log = cycle->parts.log;
    bool is_refused = delivery->refusal.code != ERROR_NONE;
    if (is_refused && delivery->was_refused) {
        return true; /* the run is repeated, and no commit tells what was said before */
    }
    if (!outbox_post(&cycle->now->run.outbox, delivery, error)) {
        return false;
    }
    if (!is_refused) {
        cycle_log_delivery(log, delivery);
    } else if (delivery->verdict == VERDICT_REUSED) {
        cycle_log_refusal(log, delivery); /* the others were logged when they were decoded */
    }
    return true;
}

/* Posts, in the order of the log, what there is to tell up to the first scene that is not done, and
 * sends it. */
static bool publish_done(struct cycle *cycle, struct error *error)
{
    struct run *run = &cycle->now->run;
    run->outbox.now_wall_ms = clock_wall_ms(cycle->parts.clock);
    for (; run->published_count < run->done_count; run->published_count++) {
        if (!post(cycle, &run->deliveries[run->published_count], error)) {
            return false;
        }
    }
    fault_reach(cycle->parts.faults, FAULT_AFTER_COMMIT);
    struct letter *letters = outbox_take(&run->outbox);
    for (const struct letter *letter = letters; letter != NULL; letter = letter->next) {
        cycle_log_letter(cycle->parts.log, letter);
    }
    struct publish_parts publish = publish_parts_of(cycle);
    publish_send(&publish, letters);
    return true;
}

static void count_done(struct run *run)
{
    while (run->done_count < run->count &&
           (run->deliveries[run->done_count].is_done ||
            run->deliveries[run->done_count].refusal.code != ERROR_NONE)) {
        run->done_count++;
    }
}

bool cycle_publish_portion(struct cycle *cycle, struct error *error)
{
    struct run *run = &cycle->now->run;
    size_t portion = run->count / PORTIONS;
    portion = portion < PORTION_RECORDS_MIN ? PORTION_RECORDS_MIN : portion;
    count_done(run);
    bool is_last = run->done_count == run->count; /* goes with cycle_publish_rest() */
    bool is_due = run->done_count - run->published_count >= portion;
    return is_last || !is_due || publish_done(cycle, error);
}

void cycle_note_published(const struct run *run)
{
    for (size_t i = 0; i < run->published_count; i++) {
        run->records[i].was_sent = false;
        run->records[i].was_refused = run->deliveries[i].refusal.code != ERROR_NONE;
    }
    for (size_t i = 0; i < run->work_count; i++) {
        const struct scene_work *work = &run->works[i];
        for (size_t k = 0; k < work->delivery_count; k++) {
            const struct delivery *delivery = work->deliveries[k];
            size_t place = (size_t)(delivery - run->deliveries);
            bool is_committed = k < work->begin && delivery->verdict == VERDICT_NEW;
            if (place >= run->published_count) {
                run->records[place].was_sent = delivery->was_sent || is_committed;
            }
        }
    }
}

void cycle_serve_sink(struct cycle *cycle)
{
    if (cycle->now->run.outbox.first != NULL) {
        (void)sink_poll(cycle->parts.sink, 0);
    }
}

enum cycle_outcome cycle_publish_await(struct cycle *cycle, struct error *error)
{
    struct publish_parts publish = publish_parts_of(cycle);
    switch (publish_await(&publish, &cycle->now->run.outbox)) {
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

enum cycle_outcome cycle_publish_rest(struct cycle *cycle, struct error *error)
{
    count_done(&cycle->now->run);
    assert(cycle->now->run.done_count == cycle->now->run.count);
    return publish_done(cycle, error) ? cycle_publish_await(cycle, error) : CYCLE_FATAL;
}
