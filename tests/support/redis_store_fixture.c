#include "tests/support/redis_store_fixture.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/child_process.h"

enum { LINES_MAX = 40000 };

static uint64_t read_clock(void *context)
{
    (void)context;
    return monotonic_ms();
}

struct redis_store_options redis_fixture_options(const struct redis_server *server,
                                                 const struct store_retention *retention)
{
    struct redis_store_options options = {
        .key_prefix = "scene:",
        .group = "group",
        .connect_timeout_ms = REDIS_FIXTURE_CONNECT_MS,
        .command_timeout_ms = REDIS_FIXTURE_COMMAND_MS,
        .retention = *retention,
        .monotonic_ms = read_clock,
        .jitter_seed = monotonic_ms(),
    };
    struct error error;
    cr_assert(redis_address_parse(redis_server_url(server), &options.address, &error), "%s",
              error.message);
    return options;
}

struct store *redis_fixture_create_store(const struct redis_server *server,
                                         const struct store_retention *retention)
{
    const struct redis_store_options options = redis_fixture_options(server, retention);
    struct store *const store = redis_store_create(&options);
    cr_assert_not_null(store);
    return store;
}

void redis_fixture_key(struct span session_id, const char *suffix, char out[128])
{
    const int size = snprintf(out, 128, "scene:{%.*s}%s", SPAN_ARGS(session_id), suffix);
    cr_assert_lt(size, 128);
}

static void append_field(struct buffer *out, const redisReply *field)
{
    for (size_t i = 0; i < field->len; i++) {
        const uint8_t byte = (uint8_t)field->str[i];
        const bool is_plain = byte >= ' ' && byte < 0x7f && byte != '\\';
        buffer_append_format(out, is_plain ? "%c" : "\\x%02x", byte);
    }
}

/** One field as a line, for sorting: Redis has no order within a hash. */
static char *make_line(const char *name, const redisReply *field, const redisReply *value)
{
    struct buffer line;
    buffer_init(&line, 1 << 20);
    buffer_append_format(&line, "%s ", name);
    append_field(&line, field);
    buffer_append(&line, " ", 1);
    for (size_t i = 0; i < value->len; i++) {
        buffer_append_format(&line, "%02x", (uint8_t)value->str[i]);
    }
    buffer_append(&line, "\n", 2);
    cr_assert(!line.failed);
    return (char *)line.data;
}

static int compare_fields(const void *a, const void *b)
{
    const redisReply *const *const first = a;
    const redisReply *const *const second = b;
    const size_t size = first[0]->len < second[0]->len ? first[0]->len : second[0]->len;
    const int order = memcmp(first[0]->str, second[0]->str, size);
    if (order != 0 || first[0]->len == second[0]->len) {
        return order;
    }
    return first[0]->len < second[0]->len ? -1 : 1;
}

static void dump_key(struct redis_server *server, const char *const *command, const char *name,
                     struct buffer *out)
{
    redisReply *const reply = redis_server_query(server, command);
    cr_assert_eq(reply->type, REDIS_REPLY_ARRAY, "%s %s: %s", command[0], command[1], reply->str);
    cr_assert_leq(reply->elements, LINES_MAX);
    if (reply->elements > 0) {
        qsort(reply->element, reply->elements / 2, 2 * sizeof(redisReply *), compare_fields);
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        char *const line = make_line(name, reply->element[i], reply->element[i + 1]);
        buffer_append(out, line, strlen(line));
        free(line);
    }
    freeReplyObject(reply);
}

void redis_fixture_dump(struct redis_server *server, struct span session_id, struct buffer *out)
{
    static const char *const names[] = {"meta",    "elements",    "tombstones",
                                        "batches", "batches.old", "pending"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char suffix[32] = "", key[128];
        if (i > 0) {
            (void)snprintf(suffix, sizeof(suffix), ":%s", names[i]);
        }
        redis_fixture_key(session_id, suffix, key);
        const char *const hash[] = {"HGETALL", key, NULL};
        const char *const zset[] = {"ZRANGE", key, "0", "-1", "WITHSCORES", NULL};
        dump_key(server, i == 2 ? zset : hash, names[i], out);
    }
}
