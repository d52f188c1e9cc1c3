#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "protocol/buffer.h"
#include "tests/support/batches.h"

enum { READ_BYTES = 65536, ANSWER_BYTES_MAX = 32 << 20 };

int http_connect(int port)
{
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_geq(connection, 0);
    const struct timeval wait = {.tv_sec = HTTP_WAIT_MS / 1000};
    (void)setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(connection, (struct sockaddr *)&address, sizeof(address)), 0,
                 "nobody listens on port %d", port);
    return connection;
}

void http_connect_idle(int port)
{
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_geq(connection, 0);
    cr_assert_geq(fcntl(connection, F_SETFL, O_NONBLOCK), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)connect(connection, (struct sockaddr *)&address, sizeof(address));
    (void)http_send_raw(connection, "GET /metrics HTTP/1.1\r\nX-");
}

bool http_send_raw(int connection, const char *bytes)
{
    size_t size = strlen(bytes);
    while (size > 0) {
        const ssize_t sent = send(connection, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

struct http_answer http_read(int connection)
{
    struct buffer read;
    buffer_init(&read, ANSWER_BYTES_MAX);
    uint8_t part[READ_BYTES];
    ssize_t got = recv(connection, part, sizeof(part), 0);
    for (; got > 0; got = recv(connection, part, sizeof(part), 0)) {
        buffer_append(&read, part, (size_t)got);
    }
    buffer_append(&read, "", 1);
    (void)close(connection);
    cr_assert(!read.failed);
    char *const text = (char *)(uintptr_t)arena_copy(test_arena(), buffer_span(&read)).data;
    buffer_deinit(&read);
    struct http_answer answer = {.head = text, .body = ""};
    (void)sscanf(text, "HTTP/1.1 %d", &answer.status);
    char *const end = strstr(text, "\r\n\r\n");
    if (end != NULL) {
        *end = '\0';
        answer.body = end + 4;
    }
    return answer;
}

struct http_answer http_ask(int port, const char *method, const char *path)
{
    char request[1024];
    (void)snprintf(request, sizeof(request),
                   "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);
    const int connection = http_connect(port);
    cr_assert(http_send_raw(connection, request));
    return http_read(connection);
}

struct http_answer http_get(int port, const char *path)
{
    return http_ask(port, "GET", path);
}
