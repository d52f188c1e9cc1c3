/**
 * A worker with an address, and what its metrics and health say.
 *
 * Lifetime: observed_worker_start() .. the world's end. Threading: one thread. What does not come
 * about within OBSERVED_WAIT_MS fails the test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_OBSERVED_WORKER_H
#define SCENESYNC_TESTS_SUPPORT_OBSERVED_WORKER_H

#include "tests/support/http_client.h"
#include "tests/support/world.h"

enum { OBSERVED_WAIT_MS = 30000 };

/** Starts a worker in `world`. Returns its port. */
int observed_worker_start(struct world *world);

void observed_await_status(int port, const char *path, int status);

/** Waits until /readyz is 503 for the reason `why`. */
void observed_await_reason(int port, const char *why);

/** For `duration_ms` from now, /readyz is `status`, and its body has `text` in it. */
void observed_expect_readiness(int port, int status, const char *text, int duration_ms);

/** Whether /metrics has a sample, named with its labels, and its value. */
bool observed_has(int port, const char *sample, double *value);

/** The value of a sample, which must be there. */
double observed_metric(int port, const char *sample);

void observed_await_metric(int port, const char *sample, double value);

#endif
