#include "worker/log_limit.h"

#include <stddef.h>

/** FNV-1a over the text and its terminator, so that ("ab", "c") differs from ("a", "bc"). */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (;; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
        if (*text == '\0') {
            return hash;
        }
    }
}

bool log_limit_allows(struct log_limit *limit, uint64_t now_ms, const char *reason,
                      const char *subject)
{
    uint64_t hash = hash_text(hash_text(UINT64_C(14695981039346656037), reason), subject);
    size_t oldest = 0;
    for (size_t i = 0; i < LOG_LIMIT_REASONS; i++) {
        if (limit->slots[i].reason == hash && now_ms < limit->slots[i].quiet_until_ms) {
            return false;
        }
        if (limit->slots[i].reason == hash) {
            oldest = i;
            break;
        }
        if (limit->slots[i].quiet_until_ms < limit->slots[oldest].quiet_until_ms) {
            oldest = i;
        }
    }
    limit->slots[oldest].reason = hash;
    limit->slots[oldest].quiet_until_ms = now_ms + LOG_LIMIT_INTERVAL_MS;
    return true;
}
