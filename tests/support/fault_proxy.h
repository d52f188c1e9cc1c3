/**
 * A bad network in front of a server of one's own on the loopback: a TCP proxy that delays, loses
 * and cuts when it is told to.
 *
 * A fault concerns the connections there are and those that come, until another is set; a call
 * returns when it is in force. Where bytes were lost on a connection, it is cut when the fault
 * ends: what comes behind a hole would not make sense to anybody.
 *
 * Lifetime: fault_proxy_start() .. fault_proxy_stop(), or the test's end. Threading: a thread of
 * its own does the work; the calls are for one thread. Memory: FLOW_BYTES_MAX (delayed_flow.h) per
 * connection and direction; beyond that the sender waits, as in a real network. A failure of the
 * helper itself ends the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_FAULT_PROXY_H
#define SCENESYNC_TESTS_SUPPORT_FAULT_PROXY_H

#include <stddef.h>
#include <stdint.h>

struct fault_proxy;

enum fault_proxy_mode {
    FAULT_PROXY_PASS,
    FAULT_PROXY_DROP_REPLIES, /* what the client says arrives; what is answered is lost */
    FAULT_PROXY_SWALLOW,      /* half open: everything is taken, nothing arrives */
    FAULT_PROXY_FREEZE,       /* nothing is taken any more; goes on where it was afterwards */
    FAULT_PROXY_REFUSE        /* all are cut, nobody listens */
};

/** Listens on a free loopback port and passes on to `target_port`. Returns owned. */
struct fault_proxy *fault_proxy_start(int target_port);

/** NULL is allowed. */
void fault_proxy_stop(struct fault_proxy *proxy);

int fault_proxy_port(const struct fault_proxy *proxy);

void fault_proxy_set_mode(struct fault_proxy *proxy, enum fault_proxy_mode mode);

/** Bytes that come from now on stay this long, in each direction. 0: as quick as can be. */
void fault_proxy_set_delay(struct fault_proxy *proxy, uint64_t delay_ms);

/** Cuts all connections; whoever connects from now on reaches this port. */
void fault_proxy_retarget(struct fault_proxy *proxy, int target_port);

/** Half open for good: of the connections there are, each takes everything and nothing arrives,
 * until its client hangs up. New ones are as the mode says. */
void fault_proxy_strand(struct fault_proxy *proxy);

/** Cuts all connections. */
void fault_proxy_cut(struct fault_proxy *proxy);

/**
 * Once, in mode PASS, with a Redis behind it: lets commands through until `count` of them from now
 * on, over all connections, had these words in their beginning (command_scanner.h), such as
 * "EVALSHA scene:"; has Redis carry that one out and everything before it; then cuts its connection
 * without its reply, and without the commands behind it.
 */
void fault_proxy_cut_after(struct fault_proxy *proxy, size_t count, const char *words);

/** How many connections were cut by fault_proxy_cut_after(). */
size_t fault_proxy_cuts(struct fault_proxy *proxy);

/** How many connections it has now, and has had altogether. */
size_t fault_proxy_connections(struct fault_proxy *proxy);
size_t fault_proxy_accepted(struct fault_proxy *proxy);

#endif
