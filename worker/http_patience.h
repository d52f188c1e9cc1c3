/**
 * How long a client of the HTTP server may take, from when it connects or last had an answer begun,
 * to send a request or to read the answer: a byte a second is no silence, and a few dozen such
 * clients would hold every connection there is, and with them the probes away.
 *
 * Lifetime: http_patience_start() .. http_patience_stop(), which comes behind the end of the last
 * connection. Threading: the server's thread tells of connections; one of its own ends those that
 * took too long, by shutting their sockets down. Cost: a look at a small table every second.
 */
#ifndef SCENESYNC_WORKER_HTTP_PATIENCE_H
#define SCENESYNC_WORKER_HTTP_PATIENCE_H

#include <stddef.h>

#include "worker/clock.h"

enum { HTTP_PATIENCE_MS = 15000 };

struct http_patience;

/** For up to `connections_max` at a time; borrows the clock. Returns owned; NULL: out of memory or
 * threads. */
struct http_patience *http_patience_start(size_t connections_max, const struct clock *clock);
void http_patience_stop(struct http_patience *patience);

/** A connection begins on this socket, which stays open until http_patience_end(). Returns its
 * number for the other calls. */
size_t http_patience_begin(struct http_patience *patience, int socket_fd);

/** It has sent a whole request: its time begins anew. */
void http_patience_renew(struct http_patience *patience, size_t number);

/** It ends; its socket is closed behind this. */
void http_patience_end(struct http_patience *patience, size_t number);

#endif
