#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

enum {
    TEXT_BYTES_MAX = 512,
    ARGUMENTS_MAX = 64,
    START_TRIES_MAX = 5, /* another process may be faster to take the port */
    AWAIT_MS = 10000,
    COMMAND_TIMEOUT_MS = 10000
};

struct redis_server {
    struct temp_dir directory;
    char url[TEXT_BYTES_MAX], socket_path[TEXT_BYTES_MAX], log_path[TEXT_BYTES_MAX];
    char port_text[8];
    char password[TEXT_BYTES_MAX];
    const char *arguments[ARGUMENTS_MAX];
    int port;
    pid_t pid; /* 0: not running */
};

/* Redis is no dependency of the tests' build: it is looked for when a test wants it. */
static const char *find_program(void)
{
    static const char *const paths[] = {"/usr/bin/redis-server", "/usr/local/bin/redis-server",
                                        "/usr/bin/valkey-server", "/usr/local/bin/valkey-server"};
    const char *const chosen = getenv("TEST_REDIS_SERVER");
    if (chosen != NULL) {
        return chosen;
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        if (access(paths[i], X_OK) == 0) {
            return paths[i];
        }
    }
    cr_assert_fail("no redis-server found: install it, or set TEST_REDIS_SERVER to its path");
    return NULL;
}

static int find_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(descriptor >= 0 && bind(descriptor, (struct sockaddr *)&address, size) == 0 &&
              getsockname(descriptor, (struct sockaddr *)&address, &size) == 0);
    (void)close(descriptor);
    return ntohs(address.sin_port);
}

static void choose_port(struct redis_server *server)
{
    server->port = find_free_port();
    (void)snprintf(server->port_text, sizeof(server->port_text), "%d", server->port);
    (void)snprintf(server->url, sizeof(server->url), "redis://127.0.0.1:%d", server->port);
}

void redis_server_launch(struct redis_server *server)
{
    const struct child_options options = {.arguments = server->arguments,
                                          .output_path = server->log_path,
                                          .error_path = server->log_path};
    cr_assert_eq(server->pid, 0);
    server->pid = child_start(&options);
}

static redisContext *connect_to(struct redis_server *server)
{
    const struct timeval timeout = {.tv_sec = COMMAND_TIMEOUT_MS / 1000};
    redisContext *const context = redisConnectUnixWithTimeout(server->socket_path, timeout);
    if (context == NULL || context->err != 0) {
        redisFree(context);
        return NULL;
    }
    (void)redisSetTimeout(context, timeout);
    if (server->password[0] != '\0') {
        const char *arguments[] = {"AUTH", server->password};
        redisReply *const reply = redisCommandArgv(context, 2, arguments, NULL);
        freeReplyObject(reply);
    }
    return context;
}

/** True when it answers within the time; false when it has ended. */
static bool await_answer(struct redis_server *server)
{
    const uint64_t deadline_ms = monotonic_ms() + AWAIT_MS;
    int exit_code;
    while (monotonic_ms() < deadline_ms) {
        const char *arguments[] = {"PING"};
        redisContext *const context = connect_to(server);
        redisReply *const reply =
            context != NULL ? redisCommandArgv(context, 1, arguments, NULL) : NULL;
        const bool answers = reply != NULL;
        if (reply != NULL) {
            freeReplyObject(reply);
        }
        redisFree(context);
        if (answers) {
            return true;
        }
        if (child_wait(server->pid, 0, &exit_code)) {
            server->pid = 0;
            return false;
        }
        sleep_ms(5);
    }
    return false;
}

void redis_server_await(struct redis_server *server)
{
    cr_assert(await_answer(server), "redis-server does not answer; see %s (TEST_KEEP keeps it)",
              server->log_path);
}

struct redis_server *redis_server_start_with(const char *const *arguments)
{
    struct redis_server *const server = calloc(1, sizeof(*server));
    cr_assert_not_null(server);
    temp_dir_create(&server->directory);
    const char *const path = server->directory.path;
    (void)snprintf(server->socket_path, sizeof(server->socket_path), "%s/redis.sock", path);
    (void)snprintf(server->log_path, sizeof(server->log_path), "%s/redis.log", path);
    const char *const fixed[] = {find_program(),
                                 "--bind",
                                 "127.0.0.1",
                                 "--port",
                                 server->port_text,
                                 "--unixsocket",
                                 server->socket_path,
                                 "--dir",
                                 path,
                                 "--save",
                                 "",
                                 "--appendonly",
                                 "no"};
    size_t count = sizeof(fixed) / sizeof(*fixed);
    memcpy(server->arguments, fixed, sizeof(fixed));
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        cr_assert_lt(count + 1, ARGUMENTS_MAX);
        server->arguments[count++] = *arguments;
    }
    for (int i = 0; i < START_TRIES_MAX; i++) {
        choose_port(server);
        redis_server_launch(server);
        if (await_answer(server)) {
            return server;
        }
        redis_server_kill(server);
    }
    cr_assert_fail("redis-server does not start; see %s (TEST_KEEP keeps it)", server->log_path);
    return NULL;
}

struct redis_server *redis_server_start(void)
{
    return redis_server_start_with(NULL);
}

void redis_server_stop(struct redis_server *server)
{
    if (server != NULL) {
        redis_server_kill(server);
        temp_dir_release(&server->directory);
        free(server);
    }
}

int redis_server_port(const struct redis_server *server)
{
    return server->port;
}

const char *redis_server_url(const struct redis_server *server)
{
    return server->url;
}

const char *redis_server_socket_path(const struct redis_server *server)
{
    return server->socket_path;
}

const char *redis_server_directory(const struct redis_server *server)
{
    return server->directory.path;
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid != 0) {
        child_kill(server->pid);
        server->pid = 0;
    }
}

void redis_server_pause(struct redis_server *server)
{
    cr_assert_eq(kill(server->pid, SIGSTOP), 0);
}

void redis_server_resume(struct redis_server *server)
{
    cr_assert_eq(kill(server->pid, SIGCONT), 0);
}

void redis_server_set_password(struct redis_server *server, const char *password)
{
    (void)snprintf(server->password, sizeof(server->password), "%s", password);
}

struct redisReply *redis_server_query(struct redis_server *server, const char *const *arguments)
{
    const char *texts[ARGUMENTS_MAX];
    int count = 0;
    for (; arguments[count] != NULL; count++) {
        cr_assert_lt(count, ARGUMENTS_MAX);
        texts[count] = arguments[count];
    }
    redisContext *const context = connect_to(server);
    cr_assert_not_null(context, "redis-server cannot be reached; see %s", server->log_path);
    redisReply *const reply = redisCommandArgv(context, count, texts, NULL);
    cr_assert_not_null(reply, "%s: %s", texts[0], context->errstr);
    redisFree(context);
    return reply;
}

void redis_server_run(struct redis_server *server, const char *const *arguments)
{
    redisReply *const reply = redis_server_query(server, arguments);
    cr_assert_neq(reply->type, REDIS_REPLY_ERROR, "%s: %s", arguments[0], reply->str);
    freeReplyObject(reply);
}
