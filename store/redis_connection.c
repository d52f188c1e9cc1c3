#include "store/redis_connection.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "store/redis_store.h"

enum {
    RECEIVE_BYTES_MAX = 64 * 1024,
    OUTPUT_BYTES_KEPT = 16 * 1024 * 1024 /* a larger buffer is given back when all is sent */
};

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
                           struct error *error)
{
    assert(connection->context == NULL);
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
    connection->context = context;
    return true;
}

bool redis_connection_finish_open(struct redis_connection *connection, struct error *error)
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
    return true;
}

void redis_connection_close(struct redis_connection *connection)
{
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

bool redis_connection_send(struct redis_connection *connection, struct error *error)
{
    struct buffer *output = &connection->output;
    while (connection->sent < output->size) {
        /* Not by hiredis: it would raise SIGPIPE, and move the rest on every partial write. */
        ssize_t size = send(connection->context->fd, output->data + connection->sent,
                            output->size - connection->sent, MSG_NOSIGNAL);
        if (size < 0 && would_block(errno)) {
            return true;
        }
        if (size < 0) {
            char text[ERROR_QUOTE_BYTES_MAX];
            return error_set(error, ERROR_STORE_ERROR, "sending to Redis failed: %s",
                             describe(errno, text));
        }
        connection->sent += (size_t)size;
        connection->sent_total += (size_t)size;
    }
    connection->sent = 0;
    buffer_clear(output);
    if (output->capacity > OUTPUT_BYTES_KEPT) {
        buffer_deinit(output);
    }
    return true;
}

bool redis_connection_receive(struct redis_connection *connection, size_t *received,
                              struct error *error)
{
    char bytes[RECEIVE_BYTES_MAX];
    *received = 0;
    ssize_t size = recv(connection->context->fd, bytes, sizeof bytes, 0);
    if (size < 0 && would_block(errno)) {
        return true;
    }
    if (size < 0) {
        char text[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_STORE_ERROR, "receiving from Redis failed: %s",
                         describe(errno, text));
    }
    if (size == 0) {
        return error_set(error, ERROR_STORE_ERROR, "Redis closed the connection");
    }
    redisReader *reader = connection->context->reader;
    if (redisReaderFeed(reader, bytes, (size_t)size) != REDIS_OK) {
        return error_set(error, ERROR_STORE_ERROR, "reading Redis's reply failed: %s",
                         reader->errstr);
    }
    *received = (size_t)size;
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
