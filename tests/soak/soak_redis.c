#include "tests/soak/soak_redis.h"

#include <string.h>

#include "tests/support/redis_server.h"

enum { TIMEOUT_MS = 2000, ARGUMENTS_MAX = 16 };

redisContext *soak_redis_connect(const struct redis_server *server)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_MS / 1000};
    redisContext *const context =
        redisConnectWithTimeout("127.0.0.1", redis_server_port(server), timeout);
    if (context == NULL || context->err != 0) {
        redisFree(context);
        return NULL;
    }
    (void)redisSetTimeout(context, timeout);
    return context;
}

redisReply *soak_redis_query(const struct redis_server *server, const char *const *arguments)
{
    const char *texts[ARGUMENTS_MAX];
    int count = 0;
    for (; count < ARGUMENTS_MAX && arguments[count] != NULL; count++) {
        texts[count] = arguments[count];
    }
    redisContext *const context = soak_redis_connect(server);
    if (context == NULL) {
        return NULL;
    }
    redisReply *const reply = redisCommandArgv(context, count, texts, NULL);
    redisFree(context);
    return reply;
}

bool soak_redis_run(const struct redis_server *server, const char *const *arguments)
{
    redisReply *const reply = soak_redis_query(server, arguments);
    const bool worked = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return worked;
}

bool soak_redis_serves(const struct redis_server *server)
{
    return SOAK_REDIS_RUN(server, "PING");
}

bool soak_redis_follows(const struct redis_server *server)
{
    const char *const arguments[] = {"INFO", "replication", NULL};
    redisReply *const reply = soak_redis_query(server, arguments);
    const bool follows =
        reply != NULL && reply->str != NULL && strstr(reply->str, "master_link_status:up") != NULL;
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return follows;
}
