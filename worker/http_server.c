#include "worker/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "worker/http_patience.h"
#include "worker/interrupt.h"
#include "worker/log_limit.h"

enum { BACKLOG = 64, HOST_BYTES_MAX = 256, PORT_BYTES_MAX = 16, EXHAUSTED_PAUSE_MS = 100 };

static const char descriptor_cure[] =
    "raise the limit of open files (ulimit -n, LimitNOFILE) to 256 or more";

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_server_parts parts;
    struct log_limit limit; /* of the server's thread */
    struct http_patience *patience;
};

/* ---- Listening ---- */

/** Splits "host:port" at its last colon; a host in brackets loses them. */
static bool split_address(const char *address, char *host, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - address);
    if (size == 0 || size >= HOST_BYTES_MAX) {
        return false;
    }
    bool has_brackets = size > 2 && address[0] == '[' && address[size - 1] == ']';
    size_t from = has_brackets ? 1 : 0;
    size -= 2 * from;
    memcpy(host, address + from, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

/** A listening socket; -1 with errno. */
static int listen_on(const struct addrinfo *info)
{
    int socket_fd = socket(info->ai_family, info->ai_socktype, info->ai_protocol);
    if (socket_fd < 0) {
        return -1;
    }
    /* A worker that is started again must not wait for what its predecessor left in TIME_WAIT. */
    int yes = 1;
    (void)setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(socket_fd, info->ai_addr, info->ai_addrlen) != 0 || listen(socket_fd, BACKLOG) != 0) {
        int error = errno;
        (void)close(socket_fd);
        errno = error;
        return -1;
    }
    return socket_fd;
}

static int open_socket(const char *address, char *message, size_t message_bytes)
{
    char host[HOST_BYTES_MAX];
    const char *port = NULL;
    struct addrinfo *found = NULL;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (!split_address(address, host, &port)) {
        (void)snprintf(message, message_bytes, "http.listen = \"%s\" is not host:port", address);
        return -1;
    }
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        (void)snprintf(message, message_bytes, "http.listen = \"%s\": %s", address,
                       gai_strerror(error));
        return -1;
    }
    int socket_fd = listen_on(found);
    if (socket_fd < 0) {
        bool is_exhausted = errno == EMFILE || errno == ENFILE;
        (void)snprintf(message, message_bytes, "http.listen = \"%s\": %s; %s", address,
                       strerror(errno),
                       is_exhausted ? descriptor_cure
                                    : "choose another address, port 0 for a free one, or off");
    }
    freeaddrinfo(found);
    return socket_fd;
}

/* ---- Answering ---- */

const char *http_request_parameter(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             const char *content_type, struct MHD_Response *response)
{
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
         "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    };
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        (void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
    }
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    return queue(connection, status, "text/plain; charset=utf-8",
                 MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                 MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer(struct http_server *server, const struct http_route *route,
                              struct MHD_Connection *connection)
{
    const struct http_request request = {.path = route->path, .connection = connection};
    struct http_response response = {.status = MHD_HTTP_OK,
                                     .content_type = "text/plain; charset=utf-8"};
    buffer_init(&response.body, HTTP_BODY_BYTES_MAX);
    route->handle(server->parts.context, &request, &response);
    enum MHD_Result result = MHD_NO;
    if (response.body.failed) {
        result = refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                        "the answer takes more memory than there is for it\n");
    } else {
        result = queue(connection, response.status, response.content_type,
                       MHD_create_response_from_buffer(response.body.size, response.body.data,
                                                       MHD_RESPMEM_MUST_COPY));
    }
    buffer_deinit(&response.body);
    return result;
}

/** A connection's number stands in its socket context, one higher, since NULL is nobody's. */
static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_STARTED && info != NULL) {
        size_t number = http_patience_begin(server->patience, info->connect_fd);
        *socket_context = (void *)(uintptr_t)(number + 1);
    } else if (code == MHD_CONNECTION_NOTIFY_CLOSED && *socket_context != NULL) {
        http_patience_end(server->patience, (size_t)(uintptr_t)*socket_context - 1);
    }
}

static void renew(struct http_server *server, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL && info->socket_context != NULL) {
        http_patience_renew(server->patience, (size_t)(uintptr_t)info->socket_context - 1);
    }
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **state)
{
    (void)version;
    (void)upload_data;
    (void)upload_size;
    struct http_server *server = context;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    /* libmicrohttpd calls first when the head is there, and again for the answer: an answer to the
     * first call would close the connection. */
    if (*state == NULL) {
        *state = server;
        renew(server, connection);
        return MHD_YES;
    }
    for (size_t i = 0; i < server->parts.route_count; i++) {
        if (strcmp(url, server->parts.routes[i].path) == 0) {
            return answer(server, &server->parts.routes[i], connection);
        }
    }
    return refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such page; / is the first one\n");
}

/* ---- Lifetime ---- */

/**
 * libmicrohttpd's messages are about clients' mistakes; the log is for what an operator can mend.
 * One is: no descriptor is left for a connection. It tries again at once then, and would spin, so
 * its thread pauses here, where it comes by.
 */
static void take_message(void *context, const char *format, va_list arguments)
{
    (void)arguments;
    struct http_server *server = context;
    if (strstr(format, "resource limit") == NULL) {
        return;
    }
    if (log_limit_allows(&server->limit, clock_monotonic_ms(server->parts.clock), "limit", "")) {
        struct log_line line;
        log_begin(&line, server->parts.log, LOG_WARN, "http takes no connections");
        log_text(&line, "reason", "no file descriptor is left");
        log_text(&line, "cure", descriptor_cure);
        log_end(&line);
    }
    struct timespec pause = {.tv_nsec = EXHAUSTED_PAUSE_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

struct http_server *http_server_start(const struct http_server_parts *parts, char *message,
                                      size_t message_bytes)
{
    int socket_fd = open_socket(parts->address, message, message_bytes);
    if (socket_fd < 0) {
        return NULL;
    }
    struct http_server *server = calloc(1, sizeof *server);
    if (server != NULL) {
        server->parts = *parts;
        server->patience = http_patience_start(HTTP_CONNECTIONS_MAX, parts->clock);
    }
    if (server != NULL && server->patience != NULL) {
        sigset_t before;
        interrupt_block(&before);
        server->daemon = MHD_start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, server,
            MHD_OPTION_EXTERNAL_LOGGER, take_message,
            server,                              /* first: it takes what is said below */
            MHD_OPTION_LISTEN_SOCKET, socket_fd, /* taken over */
            MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)HTTP_HEAD_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)HTTP_SILENCE_S_MAX, MHD_OPTION_END);
        interrupt_unblock(&before);
    }
    if (server == NULL || server->daemon == NULL) {
        (void)close(socket_fd);
        if (server != NULL) {
            http_patience_stop(server->patience);
        }
        free(server);
        (void)snprintf(message, message_bytes, "http.listen = \"%s\": no memory or no thread",
                       parts->address);
        return NULL;
    }
    return server;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    MHD_stop_daemon(server->daemon);
    http_patience_stop(server->patience);
    free(server);
}

void http_server_url(const struct http_server *server, char url[HTTP_URL_BYTES_MAX])
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[HOST_BYTES_MAX] = "?";
    char port[PORT_BYTES_MAX] = "?";
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    if (info != NULL && getsockname(info->listen_fd, (struct sockaddr *)&address, &size) == 0) {
        (void)getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    }
    bool is_v6 = strchr(host, ':') != NULL;
    (void)snprintf(url, HTTP_URL_BYTES_MAX, "http://%s%s%s:%s/", is_v6 ? "[" : "", host,
                   is_v6 ? "]" : "", port);
}
