#include "tests/bench/redis_pipe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1 << 16, ENDS_MIN = 1024, TIMEOUT_MS = 30000, ADDRESS_BYTES_MAX = 64 };

void redis_calls_init(struct redis_calls *calls)
{
    *calls = (struct redis_calls){0};
    buffer_init(&calls->bytes, SIZE_MAX / 4);
}

void redis_calls_deinit(struct redis_calls *calls)
{
    buffer_deinit(&calls->bytes);
    free(calls->ends);
}

void redis_calls_clear(struct redis_calls *calls)
{
    buffer_clear(&calls->bytes);
    calls->count = 0;
}

void redis_calls_begin(struct redis_calls *calls, size_t argument_count)
{
    buffer_append_format(&calls->bytes, "*%zu\r\n", argument_count);
}

void redis_calls_argument(struct redis_calls *calls, struct span argument)
{
    buffer_append_format(&calls->bytes, "$%zu\r\n", argument.size);
    buffer_append_span(&calls->bytes, argument);
    buffer_append(&calls->bytes, "\r\n", 2);
}

void redis_calls_value(struct redis_calls *calls, const struct buffer *value)
{
    redis_calls_argument(calls, buffer_span(value));
    calls->bytes.failed = calls->bytes.failed || value->failed;
}

void redis_calls_text(struct redis_calls *calls, const char *text)
{
    redis_calls_argument(calls, span_of_text(text));
}

void redis_calls_end(struct redis_calls *calls)
{
    if (calls->count == calls->capacity) {
        size_t capacity = calls->capacity > 0 ? calls->capacity * 2 : ENDS_MIN;
        size_t *ends = realloc(calls->ends, capacity * sizeof *ends);
        if (ends == NULL) {
            calls->bytes.failed = true;
            return;
        }
        calls->ends = ends;
        calls->capacity = capacity;
    }
    calls->ends[calls->count++] = calls->bytes.size;
}

static int open_socket(int family, const struct sockaddr *address, socklen_t address_size)
{
    int descriptor = socket(family, SOCK_STREAM, 0);
    if (descriptor < 0 || connect(descriptor, address, address_size) != 0 ||
        fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) {
        (void)fprintf(stderr, "bench: cannot connect to Redis: %s\n", strerror(errno));
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return -1;
    }
    return descriptor;
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (size < 0 || (size_t)size >= sizeof address.sun_path) {
        (void)fprintf(stderr, "bench: the path of Redis's socket is too long\n");
        return -1;
    }
    return open_socket(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

static int open_tcp(const char *text)
{
    char host[ADDRESS_BYTES_MAX];
    const char *colon = strchr(text, ':');
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        (void)fprintf(stderr, "bench: Redis's address has to be redis://address:port\n");
        return -1;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        (void)fprintf(stderr, "bench: '%s' is no IPv4 address\n", host);
        return -1;
    }
    int descriptor = open_socket(AF_INET, (const struct sockaddr *)&address, sizeof address);
    if (descriptor >= 0) {
        int on = 1;
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return descriptor;
}

int redis_pipe_open(const char *url)
{
    static const char unix_scheme[] = "unix://", tcp_scheme[] = "redis://";
    if (strncmp(url, unix_scheme, sizeof unix_scheme - 1) == 0) {
        return open_unix(url + sizeof unix_scheme - 1);
    }
    if (strncmp(url, tcp_scheme, sizeof tcp_scheme - 1) == 0) {
        return open_tcp(url + sizeof tcp_scheme - 1);
    }
    (void)fprintf(stderr, "bench: a Redis URL begins with unix:// or redis://\n");
    return -1;
}

/** How far a run has come. */
struct progress {
    size_t sent_bytes, answered;
    bool inside_line;
};

static bool fail_run(const char *what)
{
    (void)fprintf(stderr, "bench: Redis: %s\n", what);
    return false;
}

/** Counts the lines; one that begins with '-' is an error. */
static bool count_answers(struct progress *progress, const char *data, size_t size)
{
    const char *end = data + size;
    while (data < end) {
        if (!progress->inside_line && *data == '-') {
            (void)fprintf(stderr, "bench: Redis says %.*s\n", (int)(end - data), data);
            return false;
        }
        const char *line_end = memchr(data, '\n', (size_t)(end - data));
        progress->inside_line = line_end == NULL;
        if (line_end == NULL) {
            return true;
        }
        progress->answered++;
        data = line_end + 1;
    }
    return true;
}

static bool is_only_busy(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool write_some(int socket, const struct redis_calls *calls, size_t end,
                       struct progress *progress)
{
    ssize_t size = send(socket, calls->bytes.data + progress->sent_bytes,
                        end - progress->sent_bytes, MSG_NOSIGNAL);
    if (size < 0) {
        return is_only_busy() || fail_run(strerror(errno));
    }
    progress->sent_bytes += (size_t)size;
    return true;
}

static bool read_some(int socket, struct progress *progress)
{
    char answers[ANSWER_BYTES];
    ssize_t size = read(socket, answers, sizeof answers);
    if (size < 0) {
        return is_only_busy() || fail_run(strerror(errno));
    }
    if (size == 0) {
        return fail_run("it closed the connection");
    }
    return count_answers(progress, answers, (size_t)size);
}

bool redis_pipe_run(int socket, const struct redis_calls *calls, size_t window)
{
    struct progress progress = {0};
    if (calls->bytes.failed) {
        return fail_run("no memory for the commands");
    }
    while (progress.answered < calls->count) {
        size_t room = calls->count - progress.answered;
        size_t end = calls->ends[progress.answered + (room < window ? room : window) - 1];
        bool may_send = progress.sent_bytes < end;
        struct pollfd waited = {.fd = socket,
                                .events = (short)(may_send ? POLLIN | POLLOUT : POLLIN)};
        int ready = poll(&waited, 1, TIMEOUT_MS);
        if (ready == 0) {
            return fail_run("no answer in time");
        }
        if (ready < 0 && errno != EINTR) {
            return fail_run(strerror(errno));
        }
        if ((waited.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some(socket, &progress)) {
            return false;
        }
        if ((waited.revents & POLLOUT) != 0 && !write_some(socket, calls, end, &progress)) {
            return false;
        }
    }
    return true;
}
