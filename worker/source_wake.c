#include "worker/source_wake.h"

#include <pthread.h>
#include <stdlib.h>

#include "worker/source_internal.h"
#include "worker/source_watch.h"
#include "worker/ticker.h"

enum {
    TICK_MS = 50,
    TAKEN_BYTES_MIN = 8 << 20,
    ANSWER_WAIT_MS = 1000,
    VERSION_AWAKE = 0x020200ff /* librdkafka 2.2: fetch.queue.backoff.ms (kafka_conf.c) */
};

struct source_wake {
    struct record_source *source;
    struct ticker *ticker;
    pthread_mutex_t lock; /* of what follows */
    const char *topic;
    int32_t partition;
    size_t taken_bytes; /* since it was woken last */
};

static void look(struct ticker *ticker, void *context)
{
    (void)ticker;
    struct source_wake *wake = context;
    (void)pthread_mutex_lock(&wake->lock);
    bool is_due = wake->taken_bytes >= TAKEN_BYTES_MIN;
    const char *topic = wake->topic;
    int32_t partition = wake->partition;
    wake->taken_bytes = is_due ? 0 : wake->taken_bytes;
    (void)pthread_mutex_unlock(&wake->lock);
    if (is_due) {
        int64_t end = 0;
        (void)!source_query_end(wake->source, topic, partition, ANSWER_WAIT_MS, &end);
    }
}

/* On the cycle's thread. A topic's name lives as long as the source. */
static void note_taken(void *context, const struct record *last, size_t bytes)
{
    struct source_wake *wake = context;
    (void)pthread_mutex_lock(&wake->lock);
    wake->topic = (const char *)last->topic.data;
    wake->partition = last->partition;
    wake->taken_bytes += bytes;
    (void)pthread_mutex_unlock(&wake->lock);
}

bool source_wake_start(struct record_source *source, struct source_wake **out)
{
    *out = NULL;
    if (rd_kafka_version() >= VERSION_AWAKE) {
        return true;
    }
    struct source_wake *wake = calloc(1, sizeof *wake);
    if (wake == NULL) {
        return false;
    }
    wake->source = source;
    (void)pthread_mutex_init(&wake->lock, NULL);
    wake->ticker = ticker_start(TICK_MS, look, wake);
    if (wake->ticker == NULL) {
        source_wake_stop(wake);
        return false;
    }
    source->on_taken_context = wake;
    source->on_taken = note_taken;
    *out = wake;
    return true;
}

void source_wake_stop(struct source_wake *wake)
{
    if (wake == NULL) {
        return;
    }
    wake->source->on_taken = NULL;
    ticker_stop(wake->ticker);
    (void)pthread_mutex_destroy(&wake->lock);
    free(wake);
}
