#include "store/redis_connection.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "store/redis_tls.h"

enum {
    RECEIVE_BYTES_MAX = 64 * 1024,
    OUTPUT_BYTES_KEPT = 16 * 1024 * 1024 /* a larger buffer is given back when all is sent */
};
static_assert((int)RECEIVE_BYTES_MAX >= (int)REDIS_TLS_RECORD_BYTES_MAX,
              "a record leaves nothing behind");

void redis_connection_init(struct redis_connection *connection)
{
    *connection = (struct redis_connection){0};
    buffer_init(&connection->output, REDIS_OUTPUT_BYTES_MAX);
}

void redis_connection_deinit(struct redis_connection *connection)
{
    redis_connection_close(connection);
    buffer_deinit(&connection->output);
}

/** strerror() under a name that POSIX makes safe for threads. */
static const char *describe(int code, char out[ERROR_QUOTE_BYTES_MAX])
{
    if (strerror_r(code, out, ERROR_QUOTE_BYTES_MAX) != 0) {
        out[0] = '\0';
    }
    return out;
}

bool redis_connection_open(struct redis_connection *connection, const struct redis_address *address,
                           const struct redis_tls_files *files, struct error *error)
{
    assert(connection->context == NULL && connection->tls == NULL);
    struct redisContext *context = address->is_unix
                                       ? redisConnectUnixNonBlock(address->host_or_path)
                                       : redisConnectNonBlock(address->host_or_path, address->port);
    if (context == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "connecting to Redis: out of memory");
    }
    if (context->err != 0) {
        error_set(error, ERROR_STORE_ERROR, "cannot connect to Redis: %s", context->errstr);
        redisFree(context);
        return false;
    }
    if (address->is_tls) {
        connection->tls = redis_tls_create(context->fd, address->host_or_path, files, error);
        if (connection->tls == NULL) {
            redisFree(context);
            return false;
        }
    }
    connection->context = context;
    connection->awaits_input = false;
    return true;
}

bool redis_connection_go_on_opening(struct redis_connection *connection, bool *is_open,
                                    struct error *error)
{
    char text[ERROR_QUOTE_BYTES_MAX];
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(connection->context->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    if (code != 0) {
        return error_set(error, ERROR_STORE_ERROR, "cannot connect to Redis: %s",
                         describe(code, text));
    }
    *is_open = connection->tls == NULL;
    if (*is_open) {
        return true;
    }
    enum redis_tls_outcome outcome = redis_tls_connect(connection->tls, error);
    *is_open = outcome == REDIS_TLS_DONE;
    connection->awaits_input = outcome == REDIS_TLS_WANTS_READ;
    return outcome != REDIS_TLS_FAILED;
}

void redis_connection_close(struct redis_connection *connection)
{
    redis_tls_destroy(connection->tls);
    connection->tls = NULL;
    if (connection->context != NULL) {
        redisFree(connection->context);
        connection->context = NULL;
    }
    buffer_clear(&connection->output);
    connection->sent = 0;
    connection->queued_total = 0;
    connection->sent_total = 0;
}

bool redis_connection_is_open(const struct redis_connection *connection)
{
    return connection->context != NULL;
}

int redis_connection_fd(const struct redis_connection *connection)
{
    return connection->context != NULL ? connection->context->fd : -1;
}

struct buffer *redis_connection_output(struct redis_connection *connection)
{
    return &connection->output;
}

/** Bytes of whole commands that are not sent yet. */
static size_t queued_bytes(const struct redis_connection *connection)
{
    return (size_t)(connection->queued_total - connection->sent_total);
}

bool redis_connection_end_command(struct redis_connection *connection)
{
    struct buffer *output = &connection->output;
    size_t end_before = connection->sent + queued_bytes(connection);
    if (output->failed) {
        output->size = end_before;
        output->failed = false;
        return false;
    }
    connection->queued_total += output->size - end_before;
    return true;
}

bool redis_connection_has_output(const struct redis_connection *connection)
{
    return queued_bytes(connection) > 0;
}

static bool would_block(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/** One attempt; `sent` is 0 where the socket takes nothing now. */
static bool send_some(struct redis_connection *connection, const void *bytes, size_t size,
                      size_t *sent, struct error *error)
{
    if (connection->tls != NULL) {
        return redis_tls_send(connection->tls, bytes, size, sent, error) != REDIS_TLS_FAILED;
    }
    /* Not by hiredis: it would raise SIGPIPE, and move the rest on every partial write. */
    ssize_t result = send(connection->context->fd, bytes, size, MSG_NOSIGNAL);
    if (result < 0 && !would_block(errno)) {
        char text[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_STORE_ERROR, "sending to Redis failed: %s",
                         describe(errno, text));
    }
    *sent = result > 0 ? (size_t)result : 0;
    return true;
}

bool redis_connection_send(struct redis_connection *connection, struct error *error)
{
    struct buffer *output = &connection->output;
    while (connection->sent < output->size) {
        size_t sent = 0;
        if (!send_some(connection, output->data + connection->sent, output->size - connection->sent,
                       &sent, error)) {
            return false;
        }
        if (sent == 0) {
            return true;
        }
        connection->sent += sent;
        connection->sent_total += sent;
    }
    connection->sent = 0;
    buffer_clear(output);
    if (output->capacity > OUTPUT_BYTES_KEPT) {
        buffer_deinit(output);
    }
    return true;
}

/** One attempt; `received` is 0 where there is nothing now. */
static bool receive_some(struct redis_connection *connection, void *bytes, size_t size,
                         size_t *received, struct error *error)
{
    if (connection->tls != NULL) {
        return redis_tls_receive(connection->tls, bytes, size, received, error) != REDIS_TLS_FAILED;
    }
    *received = 0;
    ssize_t result = recv(connection->context->fd, bytes, size, 0);
    if (result < 0 && would_block(errno)) {
        return true;
    }
    if (result < 0) {
        char text[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_STORE_ERROR, "receiving from Redis failed: %s",
                         describe(errno, text));
    }
    *received = (size_t)result;
    return result > 0 || error_set(error, ERROR_STORE_ERROR, "Redis closed the connection");
}

bool redis_connection_receive(struct redis_connection *connection, size_t *received,
                              struct error *error)
{
    char bytes[RECEIVE_BYTES_MAX];
    if (!receive_some(connection, bytes, sizeof bytes, received, error)) {
        return false;
    }
    redisReader *reader = connection->context->reader;
    if (*received > 0 && redisReaderFeed(reader, bytes, *received) != REDIS_OK) {
        return error_set(error, ERROR_STORE_ERROR, "reading Redis's reply failed: %s",
                         reader->errstr);
    }
    return true;
}

bool redis_connection_next_reply(struct redis_connection *connection, struct redisReply **reply,
                                 struct error *error)
{
    redisReader *reader = connection->context->reader;
    void *object = NULL;
    if (redisReaderGetReply(reader, &object) != REDIS_OK) {
        return error_set(error, ERROR_STORE_ERROR, "Redis's reply is malformed: %s",
                         reader->errstr);
    }
    *reply = object;
    return true;
}

#define VERSION_TEXT(number) VERSION_DIGITS(number)
#define VERSION_DIGITS(number) #number

const char *redis_store_library_version(void)
{
    return VERSION_TEXT(HIREDIS_MAJOR) "." VERSION_TEXT(HIREDIS_MINOR) "." VERSION_TEXT(
        HIREDIS_PATCH);
}
