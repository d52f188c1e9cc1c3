#include "tests/support/redis_replies.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <string.h>

struct redisReply *redis_reply_of(const char *wire)
{
    redisReader *const reader = redisReaderCreate();
    void *reply = NULL;
    cr_assert_not_null(reader);
    cr_assert_eq(redisReaderFeed(reader, wire, strlen(wire)), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK, "%s", wire);
    cr_assert_not_null(reply, "%s", wire);
    redisReaderFree(reader);
    return reply;
}
