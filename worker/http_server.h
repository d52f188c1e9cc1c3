/**
 * A small HTTP/1.1 server for metrics, health and pages, on libmicrohttpd, in a thread of its own:
 * whatever its clients do, the cycle's thread takes no notice.
 *
 * Only GET and HEAD; everything is bounded: connections (HTTP_CONNECTIONS_MAX; the next ones wait
 * for a place), the bytes of a request's head (HTTP_HEAD_BYTES_MAX), silence
 * (HTTP_SILENCE_S_MAX), an answer (HTTP_BODY_BYTES_MAX). Every answer says that it is not to be
 * cached, sniffed or framed, and a Content-Security-Policy allows pages nothing from elsewhere.
 *
 * Lifetime: http_server_start() .. http_server_stop(). Threading: those two on one thread; handlers
 * run on the server's, one at a time.
 */
#ifndef SCENESYNC_WORKER_HTTP_SERVER_H
#define SCENESYNC_WORKER_HTTP_SERVER_H

#include "protocol/buffer.h"
#include "worker/clock.h"
#include "worker/log.h"

enum {
    HTTP_CONNECTIONS_MAX = 64,
    HTTP_HEAD_BYTES_MAX = 16384,
    HTTP_SILENCE_S_MAX = 10,
    HTTP_BODY_BYTES_MAX = 16 << 20,
    HTTP_URL_BYTES_MAX = 320
};

/** What is asked. Valid during the handler's call. */
struct http_request {
    const char *path; /* the route's */
    void *connection;
};

/** A parameter of the query string, decoded; NULL where it is missing. */
const char *http_request_parameter(const struct http_request *request, const char *name);

/** What a handler answers; it comes as 200, text/plain; charset=utf-8, and empty. A body that
 * failed (buffer.h) becomes a 500. */
struct http_response {
    unsigned status;
    const char *content_type; /* static */
    struct buffer body;
};

typedef void (*http_handler)(void *context, const struct http_request *request,
                             struct http_response *response);

struct http_route {
    const char *path; /* "/metrics" */
    http_handler handle;
};

struct http_server;

/** All borrowed. */
struct http_server_parts {
    const char *address; /* "host:port" or "[v6]:port" */
    const struct http_route *routes;
    size_t route_count;
    void *context; /* of the handlers */
    struct log *log;
    const struct clock *clock;
};

/**
 * Listens and serves. Where the process has no descriptor left for a connection, the log says so
 * and the thread pauses between its tries. Returns owned; NULL with a sentence in `message` where
 * that is not possible.
 */
struct http_server *http_server_start(const struct http_server_parts *parts, char *message,
                                      size_t message_bytes);

/** "http://127.0.0.1:9464/", with the port that it has got where 0 was asked for. */
void http_server_url(const struct http_server *server, char url[HTTP_URL_BYTES_MAX]);

/** Closes all connections and ends the thread. NULL is allowed. */
void http_server_stop(struct http_server *server);

#endif
