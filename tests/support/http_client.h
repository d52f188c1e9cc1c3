/**
 * A plain HTTP client over a socket, for what a well-behaved one would not send.
 *
 * Lifetime: texts live until the test's process ends. Threading: one thread. What does not come
 * within HTTP_WAIT_MS fails the test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_HTTP_CLIENT_H
#define SCENESYNC_TESTS_SUPPORT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_WAIT_MS = 10000 };

struct http_answer {
    int status; /* 0: the connection was closed without one */
    const char *head, *body;
};

/** A connection to 127.0.0.1. */
int http_connect(int port);

/** Begins one more and does not wait for it: the server may be full. */
void http_connect_idle(int port);

/** Sends bytes as they are. False: the other side has closed. */
bool http_send_raw(int connection, const char *bytes);

/** Reads to the end of the connection. */
struct http_answer http_read(int connection);

/** GET, or another method, of a path, with Connection: close. */
struct http_answer http_get(int port, const char *path);
struct http_answer http_ask(int port, const char *method, const char *path);

#endif
