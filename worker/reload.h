/**
 * What SIGHUP does in a worker: its log file is opened anew, its settings are loaded again from
 * where they came from, and what can change in a running worker does: log.level, log.file, and who
 * it is to Redis, for the next connection. Of what else has changed the log says that it needs a
 * restart. Settings that are wrong leave the old ones in force.
 *
 * Lifetime: reload_init() .. reload_deinit(). Threading: the cycle's thread. The settings that
 * everybody has stay as they are, so nobody needs a lock to read them.
 */
#ifndef SCENESYNC_WORKER_RELOAD_H
#define SCENESYNC_WORKER_RELOAD_H

#include "store/store.h"
#include "worker/log.h"
#include "worker/observatory.h"
#include "worker/options.h"

struct reload {
    const struct options *options; /* as the worker was started; borrowed */
    struct settings last;          /* what was loaded last */
    bool has_last;                 /* false: still the options' own */
};

/** Loads nothing yet. */
void reload_init(struct reload *reload, const struct options *options);
void reload_deinit(struct reload *reload);

/** The parts that can change; borrowed for the call. */
struct reload_parts {
    struct log *log;
    struct store *store; /* a Redis store */
    struct observatory *observatory;
};

/** Does it, and logs what came of it. */
void reload_run(struct reload *reload, const struct reload_parts *parts);

#endif
