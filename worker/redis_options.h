/**
 * The Redis store's options as the settings have them, for every command that opens it.
 *
 * Lifetime: the texts are the settings'. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_REDIS_OPTIONS_H
#define SCENESYNC_WORKER_REDIS_OPTIONS_H

#include "store/redis_store.h"
#include "worker/clock.h"
#include "worker/settings.h"

/**
 * Fills everything but the observer and the jitter's seed; `clock` must outlive the store. A
 * command that only looks at scenes sets `group` to NULL: it needs no watermark. Fails with
 * ERROR_INVALID_VALUE for a redis.url that settings_check() would have refused.
 */
__attribute__((warn_unused_result)) bool redis_options_of(const struct settings *settings,
                                                          struct clock *clock,
                                                          struct redis_store_options *out,
                                                          struct error *error);

#endif
