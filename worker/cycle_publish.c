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
    if (!outbox_post(&cycle->now->run.outbox, delivery, error)) {
        return false;
    }
    if (delivery->refusal.code == ERROR_NONE) {
        cycle_log_delivery(log, delivery);
    } else if (delivery->verdict == VERDICT_REUSED) {
        cycle_log_refusal(log, delivery); /* the others were logged when they were decoded */
    }
    return true;
}

/* Sends what was posted. */
static void send_posted(struct cycle *cycle)
{
    fault_reach(cycle->parts.faults, FAULT_AFTER_COMMIT);
    struct letter *letters = outbox_take(&cycle->now->run.outbox);
    for (const struct letter *letter = letters; letter != NULL; letter = letter->next) {
        cycle_log_letter(cycle->parts.log, letter);
    }
    struct publish_parts publish = publish_parts_of(cycle);
    publish_send(&publish, letters);
}

/* Posts what the works that are done have to say. */
static bool post_works(struct cycle *cycle, struct error *error)
{
    struct run *run = &cycle->now->run;
    run->outbox.now_wall_ms = clock_wall_ms(cycle->parts.clock);
    for (size_t i = 0; i < run->started; i++) {
        struct scene_work *work = &run->works[i];
        if (work->state != WORK_DONE || work->is_published) {
            continue;
        }
        for (size_t k = 0; k < work->delivery_count; k++) {
            if (!post(cycle, work->deliveries[k], error)) {
                return false;
            }
        }
        work->is_published = true;
    }
    run->unpublished_count = 0;
    return true;
}

bool cycle_publish_portion(struct cycle *cycle, struct error *error)
{
    const struct run *run = &cycle->now->run;
    size_t portion = run->count / PORTIONS;
    portion = portion < PORTION_RECORDS_MIN ? PORTION_RECORDS_MIN : portion;
    if (run->unpublished_count < portion || run->first_open == run->work_count) {
        return true; /* the last portion goes with the rest */
    }
    if (!post_works(cycle, error)) {
        return false;
    }
    send_posted(cycle);
    return true;
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
    struct run *run = &cycle->now->run;
    if (!post_works(cycle, error)) {
        return CYCLE_FATAL;
    }
    for (size_t i = 0; i < run->count; i++) {
        struct delivery *delivery = &run->deliveries[i];
        bool has_no_work =
            delivery->refusal.code != ERROR_NONE && delivery->verdict != VERDICT_REUSED;
        if (has_no_work && !post(cycle, delivery, error)) {
            return CYCLE_FATAL;
        }
    }
    send_posted(cycle);
    return cycle_publish_await(cycle, error);
}
