#include "tests/soak/soak_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/soak/soak_redis.h"

#define WATERMARK_KEY "scene:watermark:" SOAK_GROUP

/* A field "at:<topic>/<partition>" has the value "<next offset> <owner>". */
static int64_t find_mark(const redisReply *reply, int topic, int partition)
{
    char name[SOAK_TOPIC_BYTES];
    char field[SOAK_TOPIC_BYTES + 16];
    soak_look_write_topic(topic, name);
    (void)snprintf(field, sizeof(field), "at:%s/%d", name, partition);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (strcmp(reply->element[i]->str, field) == 0) {
            return strtoll(reply->element[i + 1]->str, NULL, 10);
        }
    }
    return 0;
}

bool soak_progress_take(struct soak_progress *progress, const struct soak_look *look,
                        const struct redis_server *primary)
{
    const char *const arguments[] = {"HGETALL", WATERMARK_KEY, NULL};
    redisReply *const reply = soak_redis_query(primary, arguments);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(reply);
        return false;
    }
    *progress = (struct soak_progress){.look = look->number};
    for (int topic = 0; topic < SOAK_CONSUMED_TOPICS; topic++) {
        for (int partition = 0; partition < SOAK_PARTITIONS; partition++) {
            const int64_t committed = look->committed[topic][partition];
            const int64_t end = look->end[topic][partition];
            const int64_t mark = find_mark(reply, topic, partition);
            const int64_t done = mark < committed ? mark : committed;
            progress->lag += done < end ? end - done : 0;
            progress->work += mark + committed;
        }
    }
    freeReplyObject(reply);
    return true;
}
