#include "worker/sink_topics.h"

#include <stdlib.h>

#include "worker/topic_plan.h"

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
    size_t count = topic_plan_count(settings);
    *topics = (struct sink_topics){.handles = calloc(count, sizeof(rd_kafka_topic_t *))};
    if (topics->handles == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char name[SETTINGS_TOPIC_BYTES_MAX + 1];
        if (topic_plan_name(settings, i, name) != TOPIC_ROLE_OPS) {
            open_one(topics, producer, name);
        }
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
