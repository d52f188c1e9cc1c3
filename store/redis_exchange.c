#include "store/redis_exchange.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <sys/time.h>
#include <time.h>

#include "store/redis_command.h"
#include "store/redis_errors.h"
#include "store/redis_tls.h"

enum { RETRY_INTERVAL_MS = 100 };

void redis_exchange_init(struct redis_exchange *exchange, const struct redis_store_options *options)
{
    *exchange = (struct redis_exchange){.options = *options};
    if (options->username == NULL && options->address.username[0] != '\0') {
        exchange->options.username = exchange->options.address.username;
    }
    buffer_init(&exchange->commands, REDIS_EXCHANGE_COMMAND_BYTES_MAX);
}

static void disconnect(struct redis_exchange *exchange)
{
    redis_tls_destroy(exchange->tls);
    exchange->tls = NULL;
    if (exchange->connection != NULL) {
        redisFree(exchange->connection);
        exchange->connection = NULL;
    }
}

void redis_exchange_deinit(struct redis_exchange *exchange)
{
    disconnect(exchange);
    buffer_deinit(&exchange->commands);
}

/* ---- Replies ---- */

void redis_replies_free(struct redis_replies *replies)
{
    for (size_t i = 0; i < replies->count; i++) {
        freeReplyObject(replies->items[i]);
    }
    replies->count = 0;
}

struct span redis_reply_span(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_ERROR) {
        return (struct span){0};
    }
    return span_make(reply->str, reply->len);
}

enum redis_read redis_exchange_judge(const redisReply *reply, struct error *error)
{
    char text[REDIS_ERROR_TEXT_BYTES_MAX];
    struct span said = redis_reply_span(reply);
    error_set(error, ERROR_STORE_ERROR, "%s", redis_error_describe(said, text));
    return redis_error_class_of(said) == REDIS_ERROR_REQUEST ? REDIS_READ_REFUSED
                                                             : REDIS_READ_UNAVAILABLE;
}

enum redis_read redis_exchange_no_memory(struct error *error)
{
    error_set(error, ERROR_OUT_OF_MEMORY, "out of memory while reading from Redis");
    return REDIS_READ_NO_MEMORY;
}

static enum redis_read lost(struct redis_exchange *exchange, struct error *error)
{
    bool is_memory = exchange->connection->err == REDIS_ERR_OOM;
    if (exchange->connection->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        error_set(error, ERROR_STORE_ERROR,
                  "Redis gave no answer within %d ms (redis.command_timeout_ms)",
                  exchange->options.command_timeout_ms);
    } else {
        error_set(error, ERROR_STORE_ERROR, "reading from Redis failed: %s",
                  exchange->connection->errstr);
    }
    disconnect(exchange);
    return is_memory ? redis_exchange_no_memory(error) : REDIS_READ_UNAVAILABLE;
}

/* ---- Bytes ---- */

/** The descriptor blocks, for redis.command_timeout_ms. Sets the error. */
static enum redis_read lost_tls(struct redis_exchange *exchange, enum redis_tls_outcome outcome,
                                struct error *error)
{
    if (outcome != REDIS_TLS_FAILED) {
        error_set(error, ERROR_STORE_ERROR,
                  "Redis gave no answer by TLS within %d ms (redis.command_timeout_ms)",
                  exchange->options.command_timeout_ms);
    }
    disconnect(exchange);
    return REDIS_READ_UNAVAILABLE;
}

static enum redis_read send_commands(struct redis_exchange *exchange, struct error *error)
{
    const struct buffer *commands = &exchange->commands;
    if (exchange->tls == NULL) {
        return redisAppendFormattedCommand(exchange->connection, (const char *)commands->data,
                                           commands->size) == REDIS_OK
                   ? REDIS_READ_DONE
                   : lost(exchange, error);
    }
    for (size_t sent = 0, step; sent < commands->size; sent += step) {
        enum redis_tls_outcome outcome = redis_tls_send(exchange->tls, commands->data + sent,
                                                        commands->size - sent, &step, error);
        if (outcome != REDIS_TLS_DONE) {
            return lost_tls(exchange, outcome, error);
        }
    }
    return REDIS_READ_DONE;
}

static enum redis_read receive_reply(struct redis_exchange *exchange, void **reply,
                                     struct error *error)
{
    if (exchange->tls == NULL) {
        return redisGetReply(exchange->connection, reply) == REDIS_OK ? REDIS_READ_DONE
                                                                      : lost(exchange, error);
    }
    redisReader *reader = exchange->connection->reader;
    char bytes[REDIS_TLS_RECORD_BYTES_MAX];
    while (redisReaderGetReply(reader, reply) == REDIS_OK) {
        if (*reply != NULL) {
            return REDIS_READ_DONE;
        }
        size_t size;
        enum redis_tls_outcome outcome =
            redis_tls_receive(exchange->tls, bytes, sizeof bytes, &size, error);
        if (outcome != REDIS_TLS_DONE) {
            return lost_tls(exchange, outcome, error);
        }
        (void)redisReaderFeed(reader, bytes, size); /* the next turn tells of its failure */
    }
    bool is_memory = reader->err == REDIS_ERR_OOM;
    error_set(error, ERROR_STORE_ERROR, "reading from Redis failed: %s", reader->errstr);
    disconnect(exchange);
    return is_memory ? redis_exchange_no_memory(error) : REDIS_READ_UNAVAILABLE;
}

enum redis_read redis_exchange_run(struct redis_exchange *exchange, size_t count,
                                   struct redis_replies *replies, struct error *error)
{
    assert(count > 0 && count <= REDIS_EXCHANGE_REPLIES_MAX && exchange->connection != NULL);
    *replies = (struct redis_replies){0};
    if (exchange->commands.failed) {
        return redis_exchange_no_memory(error);
    }
    enum redis_read outcome = send_commands(exchange, error);
    if (outcome != REDIS_READ_DONE) {
        return outcome;
    }
    while (replies->count < count) {
        void *reply = NULL;
        enum redis_read received = receive_reply(exchange, &reply, error);
        if (received != REDIS_READ_DONE) {
            return received;
        }
        assert(reply != NULL);
        replies->items[replies->count++] = reply;
        const redisReply *last = reply;
        if (last->type == REDIS_REPLY_ERROR && outcome == REDIS_READ_DONE) {
            outcome = redis_exchange_judge(last, error);
        }
    }
    return outcome;
}

/* ---- Connecting ---- */

static struct timeval timeval_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/** Who we are, and which database. Returns the number of replies to come. */
static size_t add_greeting(struct redis_exchange *exchange)
{
    const struct redis_store_options *options = &exchange->options;
    size_t count = 1;
    if (options->password != NULL || options->username != NULL) {
        bool has_user = options->username != NULL;
        redis_command_begin(&exchange->commands, has_user ? 3 : 2);
        redis_command_add_text(&exchange->commands, "AUTH");
        if (has_user) {
            redis_command_add_text(&exchange->commands, options->username);
        }
        redis_command_add_text(&exchange->commands,
                               options->password != NULL ? options->password : "");
        count++;
    }
    redis_command_begin(&exchange->commands, 2);
    redis_command_add_text(&exchange->commands, "SELECT");
    redis_command_add_int(&exchange->commands, options->address.database);
    return count;
}

static enum redis_read open_tls(struct redis_exchange *exchange, struct error *error)
{
    const struct redis_store_options *options = &exchange->options;
    exchange->tls = redis_tls_create(exchange->connection->fd, options->address.host_or_path,
                                     &options->tls, error);
    if (exchange->tls == NULL) {
        disconnect(exchange);
        return error->code == ERROR_OUT_OF_MEMORY ? REDIS_READ_NO_MEMORY : REDIS_READ_UNAVAILABLE;
    }
    enum redis_tls_outcome outcome = redis_tls_connect(exchange->tls, error);
    return outcome == REDIS_TLS_DONE ? REDIS_READ_DONE : lost_tls(exchange, outcome, error);
}

static enum redis_read open_connection(struct redis_exchange *exchange, struct error *error)
{
    const struct redis_store_options *options = &exchange->options;
    const struct redis_address *address = &options->address;
    struct timeval connect_time = timeval_of(options->connect_timeout_ms);
    redisContext *connection =
        address->is_unix
            ? redisConnectUnixWithTimeout(address->host_or_path, connect_time)
            : redisConnectWithTimeout(address->host_or_path, address->port, connect_time);
    if (connection == NULL) {
        return redis_exchange_no_memory(error);
    }
    exchange->connection = connection;
    if (connection->err != 0 ||
        redisSetTimeout(connection, timeval_of(options->command_timeout_ms)) != REDIS_OK) {
        error_set(error, ERROR_STORE_ERROR, "cannot connect to Redis: %s", connection->errstr);
        disconnect(exchange);
        return REDIS_READ_UNAVAILABLE;
    }
    if (address->is_tls) {
        enum redis_read opened = open_tls(exchange, error);
        if (opened != REDIS_READ_DONE) {
            return opened;
        }
    }
    buffer_clear(&exchange->commands);
    struct redis_replies replies;
    size_t count = add_greeting(exchange);
    enum redis_read outcome = redis_exchange_run(exchange, count, &replies, error);
    redis_replies_free(&replies);
    if (outcome != REDIS_READ_DONE) {
        disconnect(exchange);
    }
    return outcome;
}

/* ---- Trying again ---- */

static uint64_t now_ms(const struct redis_exchange *exchange)
{
    return exchange->options.monotonic_ms(exchange->options.clock_context);
}

static void rest(void)
{
    struct timespec pause = {.tv_nsec = RETRY_INTERVAL_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

static enum redis_read try_step(struct redis_exchange *exchange, redis_step step, void *context,
                                struct error *error)
{
    if (exchange->connection == NULL) {
        enum redis_read outcome = open_connection(exchange, error);
        if (outcome != REDIS_READ_DONE) {
            return outcome;
        }
    }
    return step(exchange, context, error);
}

enum redis_read redis_exchange_try(struct redis_exchange *exchange, int timeout_ms, redis_step step,
                                   void *context, struct error *error)
{
    uint64_t deadline_ms = now_ms(exchange) + (uint64_t)timeout_ms;
    enum redis_read outcome = try_step(exchange, step, context, error);
    while (outcome == REDIS_READ_UNAVAILABLE && now_ms(exchange) < deadline_ms) {
        rest();
        outcome = try_step(exchange, step, context, error);
    }
    return outcome;
}
