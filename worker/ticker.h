/**
 * A thread beside the cycle that does something at intervals, until it is told to end.
 *
 * SIGINT and SIGTERM are blocked in it: they must interrupt what the main thread waits in.
 * Lifetime: ticker_start() .. ticker_stop(). Threading: those two on one thread; ticker_must_end()
 * on any.
 */
#ifndef SCENESYNC_WORKER_TICKER_H
#define SCENESYNC_WORKER_TICKER_H

#include <stdbool.h>
#include <stdint.h>

struct ticker;

/** What is done; `ticker` is for ticker_must_end(). */
typedef void (*ticker_tick)(struct ticker *ticker, void *context);

/** Starts the thread; after every `interval_ms` it calls `tick`. Returns owned; NULL: out of memory
 * or threads. */
struct ticker *ticker_start(uint64_t interval_ms, ticker_tick tick, void *context);

/** Ends the thread, once the tick under way has returned. NULL is allowed. */
void ticker_stop(struct ticker *ticker);

/** For a tick that takes long: whether ticker_stop() waits for it. */
bool ticker_must_end(struct ticker *ticker);

#endif
