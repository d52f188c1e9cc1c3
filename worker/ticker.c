#include "worker/ticker.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "worker/interrupt.h"

struct ticker {
    uint64_t interval_ms;
    ticker_tick tick;
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex; /* over must_end */
    pthread_cond_t wake;
    bool must_end;
};

bool ticker_must_end(struct ticker *ticker)
{
    (void)pthread_mutex_lock(&ticker->mutex);
    bool is_set = ticker->must_end;
    (void)pthread_mutex_unlock(&ticker->mutex);
    return is_set;
}

/** Sleeps until the next tick. False: the thread is to end. */
static bool sleep_interval(struct ticker *ticker)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + (ticker->interval_ms + 1) * 1000000;
    until.tv_sec += (time_t)(nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    (void)pthread_mutex_lock(&ticker->mutex);
    int error = 0;
    while (!ticker->must_end && error == 0) {
        error = pthread_cond_timedwait(&ticker->wake, &ticker->mutex, &until);
    }
    bool must_end = ticker->must_end;
    (void)pthread_mutex_unlock(&ticker->mutex);
    return !must_end;
}

static void *run(void *context)
{
    struct ticker *ticker = context;
    while (sleep_interval(ticker)) {
        ticker->tick(ticker, ticker->context);
    }
    return NULL;
}

/** With the monotonic clock; false: none can be had. */
static bool init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool is_made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                   pthread_cond_init(wake, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return is_made;
}

struct ticker *ticker_start(uint64_t interval_ms, ticker_tick tick, void *context)
{
    struct ticker *ticker = calloc(1, sizeof *ticker);
    if (ticker == NULL) {
        return NULL;
    }
    ticker->interval_ms = interval_ms;
    ticker->tick = tick;
    ticker->context = context;
    if (pthread_mutex_init(&ticker->mutex, NULL) != 0) {
        goto no_mutex;
    }
    if (!init_wake(&ticker->wake)) {
        goto no_wake;
    }
    sigset_t before;
    interrupt_block(&before);
    int error = pthread_create(&ticker->thread, NULL, run, ticker);
    interrupt_unblock(&before);
    if (error == 0) {
        return ticker;
    }
    (void)pthread_cond_destroy(&ticker->wake);
no_wake:
    (void)pthread_mutex_destroy(&ticker->mutex);
no_mutex:
    free(ticker);
    return NULL;
}

void ticker_stop(struct ticker *ticker)
{
    if (ticker == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&ticker->mutex);
    ticker->must_end = true;
    (void)pthread_cond_signal(&ticker->wake);
    (void)pthread_mutex_unlock(&ticker->mutex);
    (void)pthread_join(ticker->thread, NULL);
    (void)pthread_cond_destroy(&ticker->wake);
    (void)pthread_mutex_destroy(&ticker->mutex);
    free(ticker);
}
