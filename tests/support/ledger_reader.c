#include "tests/support/ledger_reader.h"

#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    QUIET_MS_MAX = 60000, /* without a record or the end of a partition */
    HEADERS_MAX = 256,
    SCAN_KEYS = 1000,
    REDIS_TIMEOUT_S = 30
};

static bool complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "ledger_reader: %s: %s\n", what, why);
    return false;
}

/* --- Kafka --- */

static rd_kafka_t *create_reader(const char *bootstrap)
{
    static const char *const pairs[][2] = {
        {"group.id", "ledger"},           {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"}, {"fetch.wait.max.ms", "10"},
        {"auto.offset.reset", "error"},   {"log_level", "3"},
    };
    char reason[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    bool is_set = rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, reason, sizeof(reason)) ==
                  RD_KAFKA_CONF_OK;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        is_set = is_set && rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], reason,
                                             sizeof(reason)) == RD_KAFKA_CONF_OK;
    }
    rd_kafka_t *const reader =
        is_set ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason)) : NULL;
    if (reader == NULL) {
        (void)complain("no consumer", reason);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(reader);
    return reader;
}

static const char *or_default(const char *given, const char *otherwise)
{
    return given != NULL ? given : otherwise;
}

/* The number behind the prefix of the retry topics; 0: it is none. */
static uint32_t tier_of(const struct ledger_topics *topics, const char *name)
{
    const char *const prefix = or_default(topics->retry_prefix, "scene.ops.retry-");
    const size_t size = strlen(prefix);
    if (strncmp(name, prefix, size) != 0 || name[size] < '1' || name[size] > '9') {
        return 0;
    }
    char *end = NULL;
    const unsigned long tier = strtoul(name + size, &end, 10);
    return *end == '\0' && tier <= 1000 ? (uint32_t)tier : 0;
}

/* Which of the ledger's topics this is; false: none. */
static bool classify(const struct ledger_topics *topics, const char *name, enum ledger_topic *topic)
{
    if (strcmp(name, or_default(topics->ops, "scene.ops")) == 0) {
        *topic = LEDGER_OPS;
    } else if (strcmp(name, or_default(topics->results, "scene.results")) == 0) {
        *topic = LEDGER_RESULTS;
    } else if (strcmp(name, or_default(topics->dead_letter, "scene.ops.dlq")) == 0) {
        *topic = LEDGER_DEAD;
    } else if (tier_of(topics, name) > 0) {
        *topic = LEDGER_RETRY;
    } else {
        return false;
    }
    return true;
}

/* Assigns all partitions of the topics from their beginning. Returns how many, or -1. */
static int assign_everything(rd_kafka_t *reader, const struct ledger_topics *topics)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(reader, 1, NULL, &metadata, QUIET_MS_MAX);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)complain("no metadata", rd_kafka_err2str(error));
        return -1;
    }
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(64);
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *const topic = &metadata->topics[i];
        enum ledger_topic kind;
        for (int32_t j = 0; classify(topics, topic->topic, &kind) && j < topic->partition_cnt;
             j++) {
            rd_kafka_topic_partition_list_add(list, topic->topic, topic->partitions[j].id)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
        }
    }
    const int count = list->cnt;
    error = rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)complain("no assignment", rd_kafka_err2str(error));
        return -1;
    }
    return count;
}

static struct span span_of(const void *data, size_t size)
{
    return data == NULL ? (struct span){0} : span_make(data, size);
}

static size_t list_headers(const rd_kafka_message_t *message, struct ledger_header *headers)
{
    rd_kafka_headers_t *list = NULL;
    size_t count = 0;
    if (rd_kafka_message_headers(message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    while (count < HEADERS_MAX && rd_kafka_header_get_all(list, count, &name, &value, &size) ==
                                      RD_KAFKA_RESP_ERR_NO_ERROR) {
        headers[count++] = (struct ledger_header){.name = name, .value = span_of(value, size)};
    }
    return count;
}

static void add_message(struct ledger *ledger, const struct ledger_topics *topics,
                        const rd_kafka_message_t *message)
{
    struct ledger_header headers[HEADERS_MAX];
    rd_kafka_timestamp_type_t kind;
    struct ledger_record record = {
        .topic_name = rd_kafka_topic_name(message->rkt),
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &kind),
        .key = span_of(message->key, message->key_len),
        .value = span_of(message->payload, message->len),
        .headers = headers,
        .header_count = list_headers(message, headers),
    };
    record.log_append_time = kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    record.tier = tier_of(topics, record.topic_name);
    if (classify(topics, record.topic_name, &record.topic)) {
        ledger_add_record(ledger, &record);
    }
}

/* Until every partition has told its end. */
static bool read_to_the_ends(rd_kafka_t *reader, const struct ledger_topics *topics,
                             int partition_count, struct ledger *ledger)
{
    int open_count = partition_count;
    while (open_count > 0) {
        rd_kafka_message_t *const message = rd_kafka_consumer_poll(reader, QUIET_MS_MAX);
        if (message == NULL) {
            return complain("a topic", "no record and no end in time");
        }
        const rd_kafka_resp_err_t error = message->err;
        if (error == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            open_count--;
        } else if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            add_message(ledger, topics, message);
        }
        const bool is_fatal =
            error == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || error == RD_KAFKA_RESP_ERR__FATAL;
        rd_kafka_message_destroy(message);
        if (is_fatal) {
            return complain("a topic", rd_kafka_err2str(error));
        }
    }
    return true;
}

bool ledger_read_kafka(struct ledger *ledger, const struct ledger_topics *topics)
{
    rd_kafka_t *const reader = create_reader(topics->bootstrap);
    if (reader == NULL) {
        return false;
    }
    const int partition_count = assign_everything(reader, topics);
    const bool is_read = partition_count > 0
                             ? read_to_the_ends(reader, topics, partition_count, ledger)
                             : complain(topics->bootstrap, "there are no topics to read");
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return is_read;
}

/* --- Redis --- */

struct keys {
    char **names;
    size_t count, room;
};

struct redis_reader {
    struct ledger *ledger;
    redisContext *connection;
    const char *prefix;
};

static redisReply *query(struct redis_reader *reader, const char *const *arguments,
                         const size_t *sizes, int count)
{
    const char *list[8] = {0};
    for (int i = 0; i < count; i++) {
        list[i] = arguments[i];
    }
    redisReply *const reply = redisCommandArgv(reader->connection, count, list, sizes);
    if (reply == NULL) {
        (void)complain("Redis", reader->connection->errstr);
    }
    return reply;
}

/* Hash or sorted set of this key as pairs; NULL: Redis is away. */
static redisReply *read_pairs(struct redis_reader *reader, struct span key, bool is_sorted_set)
{
    const char *const name = (const char *)key.data;
    if (is_sorted_set) {
        return query(reader, (const char *const[]){"ZRANGE", name, "0", "-1", "WITHSCORES"},
                     (const size_t[]){6, key.size, 1, 2, 10}, 5);
    }
    return query(reader, (const char *const[]){"HGETALL", name}, (const size_t[]){7, key.size}, 2);
}

static bool add_fields(struct redis_reader *reader, struct span key, struct span session_id,
                       enum ledger_key kind)
{
    redisReply *const reply = read_pairs(reader, key, kind == LEDGER_TOMBSTONES);
    if (reply == NULL) {
        return false;
    }
    if (reply->type != REDIS_REPLY_ARRAY) { /* WRONGTYPE: somebody else's */
        ledger_add_stray_key(reader->ledger, key);
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *const field = reply->element[i];
        const redisReply *const value = reply->element[i + 1];
        ledger_add_field(reader->ledger, session_id, kind, span_of(field->str, field->len),
                         span_of(value->str, value->len));
    }
    freeReplyObject(reply);
    return true;
}

static bool begins_with(struct span text, const char *start)
{
    return text.size >= strlen(start) && memcmp(text.data, start, strlen(start)) == 0;
}

/* What stands behind "<prefix>{sid}". */
static bool classify_suffix(struct span suffix, enum ledger_key *kind)
{
    static const struct {
        const char *suffix;
        enum ledger_key kind;
    } suffixes[] = {
        {"", LEDGER_META},
        {":elements", LEDGER_ELEMENTS},
        {":tombstones", LEDGER_TOMBSTONES},
        {":batches", LEDGER_BATCHES},
        {":batches.old", LEDGER_BATCHES},
        {":pending", LEDGER_PENDING},
    };
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (span_equal_text(suffix, suffixes[i].suffix)) {
            *kind = suffixes[i].kind;
            return true;
        }
    }
    return false;
}

static bool add_key(struct redis_reader *reader, struct span key)
{
    const size_t start = strlen(reader->prefix);
    const struct span rest = span_make(key.data + start, key.size - start);
    const uint8_t *const brace =
        rest.size < 2 || rest.data[0] != '{' ? NULL : memchr(rest.data, '}', rest.size);
    enum ledger_key kind;
    if (begins_with(rest, "watermark:")) {
        return true;
    }
    if (brace != NULL) {
        const struct span session_id = span_make(rest.data + 1, (size_t)(brace - rest.data) - 1);
        const struct span suffix = span_make(brace + 1, rest.size - session_id.size - 2);
        if (classify_suffix(suffix, &kind)) {
            return add_fields(reader, key, session_id, kind);
        }
    }
    ledger_add_stray_key(reader->ledger, key);
    return true;
}

static void keep_key(struct keys *keys, const redisReply *name)
{
    if (keys->count == keys->room) {
        keys->room = keys->room * 2 + 64;
        keys->names = realloc(keys->names, keys->room * sizeof(char *));
        if (keys->names == NULL) {
            abort();
        }
    }
    char *const copy = malloc(name->len + 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, name->str, name->len);
    copy[name->len] = '\0';
    keys->names[keys->count++] = copy;
}

/* Takes the keys of one SCAN reply, and its cursor; false: it was none. */
static bool take_scanned(const redisReply *reply, struct keys *keys, char *cursor,
                         size_t cursor_size)
{
    if (reply == NULL) {
        return false;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return complain("SCAN", reply->str != NULL ? reply->str : "an unexpected reply");
    }
    (void)snprintf(cursor, cursor_size, "%s", reply->element[0]->str);
    for (size_t i = 0; i < reply->element[1]->elements; i++) {
        keep_key(keys, reply->element[1]->element[i]);
    }
    return true;
}

static bool scan(struct redis_reader *reader, struct keys *keys)
{
    char cursor[32] = "0";
    char pattern[300];
    char count[16];
    (void)snprintf(pattern, sizeof(pattern), "%s*", reader->prefix);
    (void)snprintf(count, sizeof(count), "%d", SCAN_KEYS);
    bool goes_on = true;
    do {
        const size_t sizes[] = {4, strlen(cursor), 5, strlen(pattern), 5, strlen(count)};
        redisReply *const reply =
            query(reader, (const char *const[]){"SCAN", cursor, "MATCH", pattern, "COUNT", count},
                  sizes, 6);
        goes_on = take_scanned(reply, keys, cursor, sizeof(cursor));
        freeReplyObject(reply);
    } while (goes_on && strcmp(cursor, "0") != 0);
    return goes_on;
}

static int name_order(const void *left, const void *right)
{
    const char *const *const a = left;
    const char *const *const b = right;
    return strcmp(*a, *b);
}

/* SCAN may name a key twice. */
static bool add_keys(struct redis_reader *reader, struct keys *keys)
{
    bool is_added = true;
    if (keys->count > 0) {
        qsort(keys->names, keys->count, sizeof(char *), name_order);
    }
    for (size_t i = 0; i < keys->count && is_added; i++) {
        if (i == 0 || strcmp(keys->names[i], keys->names[i - 1]) != 0) {
            is_added = add_key(reader, span_of_text(keys->names[i]));
        }
    }
    return is_added;
}

bool ledger_read_redis(struct ledger *ledger, const char *host, int port, const char *prefix)
{
    const struct timeval timeout = {.tv_sec = REDIS_TIMEOUT_S};
    struct redis_reader reader = {.ledger = ledger, .prefix = or_default(prefix, "scene:")};
    struct keys keys = {0};
    reader.connection = redisConnectWithTimeout(host, port, timeout);
    if (reader.connection == NULL || reader.connection->err != 0 ||
        redisSetTimeout(reader.connection, timeout) != REDIS_OK) {
        (void)complain("Redis",
                       reader.connection == NULL ? "no memory" : reader.connection->errstr);
        redisFree(reader.connection);
        return false;
    }
    const bool is_read = scan(&reader, &keys) && add_keys(&reader, &keys);
    for (size_t i = 0; i < keys.count; i++) {
        free(keys.names[i]);
    }
    free(keys.names);
    redisFree(reader.connection);
    return is_read;
}
