#include "worker/sink_topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIXED_TOPICS = 2, TOPIC_NAME_BYTES = SETTINGS_TOPIC_BYTES_MAX + 12 };

static void open_one(struct sink_topics *topics, rd_kafka_t *producer, const char *name)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, name, NULL);
    if (handle != NULL) {
        topics->handles[topics->count++] = handle;
    }
}

void sink_topics_open(struct sink_topics *topics, rd_kafka_t *producer,
                      const struct settings *settings)
{
    *topics = (struct sink_topics){
        .handles = calloc(FIXED_TOPICS + settings->retry_retries_max, sizeof(rd_kafka_topic_t *)),
    };
    if (topics->handles == NULL) {
        return;
    }
    open_one(topics, producer, settings->topic_results);
    open_one(topics, producer, settings->topic_dead_letter);
    for (uint32_t retry = 1; retry <= settings->retry_retries_max; retry++) {
        char name[TOPIC_NAME_BYTES];
        (void)snprintf(name, sizeof name, "%s%" PRIu32, settings->topic_retry_prefix, retry);
        open_one(topics, producer, name);
    }
}

void sink_topics_close(struct sink_topics *topics)
{
    for (size_t i = 0; i < topics->count; i++) {
        rd_kafka_topic_destroy(topics->handles[i]);
    }
    free(topics->handles);
    *topics = (struct sink_topics){0};
}
