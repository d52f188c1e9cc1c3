/**
 * Has the ledger (tests/ledger) judge what a run left behind in Kafka and Redis.
 *
 * Lifetime: nothing is kept. Threading: one thread. Cost: reads and recomputes everything.
 */
#ifndef SCENESYNC_TESTS_SOAK_VERDICT_H
#define SCENESYNC_TESTS_SOAK_VERDICT_H

#include <stdio.h>

#include "tests/ledger/ledger.h"
#include "tests/soak/soak_setup.h"

struct redis_server;

struct soak_verdict {
    const struct soak_setup *setup;
    const char *bootstrap;
    const struct redis_server *primary;
    bool lost_writes; /* the store forgot something in this run */
};

/** Prints findings and fills `counts`. True where nothing is lost, doubled or differing. */
bool soak_verdict_take(const struct soak_verdict *verdict, FILE *out, struct ledger_counts *counts);

/** Takes one element out of the store, past the workers: a ledger that misses it is blind. */
void soak_verdict_tamper(const struct soak_verdict *verdict);

#endif
