/**
 * Keeps an event that repeats, such as a broker that cannot be reached, to one log line per reason
 * and interval.
 *
 * Lifetime: plain data; zero is the start. Threading: one thread. Cost: one hash of the reason and
 * a scan of LOG_LIMIT_REASONS slots. With more reasons than slots, the one whose line is the
 * longest ago gives way, so that a flood of reasons costs extra lines and never memory.
 */
#ifndef SCENESYNC_WORKER_LOG_LIMIT_H
#define SCENESYNC_WORKER_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_REASONS = 16, LOG_LIMIT_INTERVAL_MS = 10000 };

struct log_limit {
    struct {
        uint64_t reason; /* hash */
        uint64_t quiet_until_ms;
    } slots[LOG_LIMIT_REASONS];
};

/**
 * Whether a line for `reason`, an error name, about `subject`, a topic or "", is due at `now_ms`
 * (monotonic); if so, the next one is LOG_LIMIT_INTERVAL_MS later.
 */
bool log_limit_allows(struct log_limit *limit, uint64_t now_ms, const char *reason,
                      const char *subject);

#endif
