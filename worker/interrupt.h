/**
 * SIGINT and SIGTERM as a counter that loops look at: the first asks for a clean end, the second
 * for an immediate one. SIGHUP as a question that a loop takes up. SIGPIPE and SIGXFSZ are
 * ignored, so that a closed pipe and a file that may not grow are errors of a write.
 *
 * Lifetime: the process; these two are the program's only mutable globals. Threading: the counter
 * may be read from any thread, the question taken by one.
 */
#ifndef SCENESYNC_WORKER_INTERRUPT_H
#define SCENESYNC_WORKER_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/** Installs the handlers, without SA_RESTART: a blocking system call returns EINTR. */
void interrupt_install(void);

/** How many of SIGINT and SIGTERM have arrived since the process started. */
int interrupt_count(void);

/** From now on SIGHUP does not end the process but asks it to reload. */
void interrupt_install_reload(void);

/** Whether SIGHUP has come since the last call. */
bool interrupt_take_reload(void);

/**
 * Around the start of a thread that is not to be interrupted by any of them: blocks them in the
 * calling thread, whose mask the new one inherits; and goes back to the mask before.
 */
void interrupt_block(sigset_t *before);
void interrupt_unblock(const sigset_t *before);

#endif
