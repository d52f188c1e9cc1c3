/**
 * The soak's workers: processes in slots, started and ended at will, watched for ends that nobody
 * asked for.
 *
 * A worker of slot n writes to worker-n-<incarnation>.log in the run's directory. Lifetime:
 * soak_workers_create() .. soak_workers_destroy(), which kills what still runs. Threading: one
 * thread. Nothing here waits but soak_workers_stop().
 */
#ifndef SCENESYNC_TESTS_SOAK_WORKERS_H
#define SCENESYNC_TESTS_SOAK_WORKERS_H

#include <stddef.h>

#include "tests/soak/soak_log.h"
#include "tests/soak/soak_setup.h"

/** The last slot is for one that comes and goes. */
enum { SOAK_SLOT_VISITOR = SOAK_WORKERS, SOAK_SLOTS };

struct soak_workers;

/** Borrows all; no worker runs yet. */
struct soak_workers *soak_workers_create(const struct soak_setup *setup, struct soak_log *log,
                                         const char *bootstrap, const char *redis_url);
void soak_workers_destroy(struct soak_workers *workers);

/** Starts one in the slot, as soon as the one in it has ended; with TEST_FAULT=`fault`
 * (fault_environment.h) unless NULL. */
void soak_workers_start(struct soak_workers *workers, int slot, const char *fault);

/** Sends a signal; one that has ended gets none. SIGKILL and SIGTERM make its end expected. */
void soak_workers_signal(struct soak_workers *workers, int slot, int signal);

/** Shifts the wall clock of the slot's worker, now and in later incarnations. */
void soak_workers_shift_clock(struct soak_workers *workers, int slot, int shift_ms);

/** Stops the slot's worker and starts another one under the same name, which a group of static
 * members takes for the first. */
void soak_workers_replace(struct soak_workers *workers, int slot);

/** Wakes the one that was replaced: it has to notice, and to end. */
void soak_workers_wake(struct soak_workers *workers);

bool soak_workers_is_running(const struct soak_workers *workers, int slot);

/** Notices ends, starts what waits for one; a worker that ended by itself is a finding, and is
 * started again, as a supervisor would. */
void soak_workers_tend(struct soak_workers *workers);

/** SIGTERM to all, and waits; one that does not exit with 0 is a finding. */
void soak_workers_stop(struct soak_workers *workers);

/** Ends that nobody asked for, exit codes that are wrong. */
unsigned soak_workers_findings(const struct soak_workers *workers);

/** Workers that Kafka shut out of the group for their name's sake; they were started again. */
unsigned soak_workers_fenced(const struct soak_workers *workers);

/** Shows the end of the log of each slot's last worker. */
void soak_workers_show_logs(struct soak_workers *workers);

#endif
