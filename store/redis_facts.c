#include "store/redis_facts.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/redis_command.h"

struct facts_step {
    uint64_t (*wall_ms)(void *context);
    void *clock_context;
    struct redis_facts facts;
};

/* ---- INFO: "name:value" lines ---- */

static void copy(char out[REDIS_FACT_BYTES], struct span text)
{
    size_t size = text.size < REDIS_FACT_BYTES - 1 ? text.size : REDIS_FACT_BYTES - 1;
    memcpy(out, text.data, size);
    out[size] = '\0';
}

/** The value of a name in INFO's text; absent where it is not there. */
static struct span find(struct span text, const char *name)
{
    size_t name_bytes = strlen(name);
    const char *at = (const char *)text.data;
    const char *end = at + text.size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((line_end == NULL ? end : line_end) - at);
        if (size > name_bytes && memcmp(at, name, name_bytes) == 0 && at[name_bytes] == ':') {
            size_t value_bytes = size - name_bytes - 1;
            const char *value = at + name_bytes + 1;
            value_bytes -= value_bytes > 0 && value[value_bytes - 1] == '\r';
            return span_make(value, value_bytes);
        }
        at += size + 1;
    }
    return (struct span){0};
}

static void take_text(struct span info, const char *name, char out[REDIS_FACT_BYTES])
{
    struct span value = find(info, name);
    if (!span_is_absent(value)) {
        copy(out, value);
    }
}

static uint64_t take_uint(struct span info, const char *name)
{
    char text[REDIS_FACT_BYTES] = "";
    take_text(info, name, text);
    return strtoull(text, NULL, 10);
}

static bool is_said(struct span info, const char *name, const char *value)
{
    return span_equal_text(find(info, name), value);
}

static void take_info(struct span info, struct redis_facts *facts)
{
    take_text(info, "redis_version", facts->redis_version);
    take_text(info, "server_name", facts->server);
    take_text(info, "valkey_version", facts->version);
    if (facts->server[0] == '\0') {
        copy(facts->server, span_of_text("redis"));
    }
    if (facts->version[0] == '\0') {
        take_text(info, "redis_version", facts->version);
    }
    facts->is_replica = is_said(info, "role", "slave");
    facts->is_cluster = is_said(info, "redis_mode", "cluster");
    facts->replica_count = take_uint(info, "connected_slaves");
    take_text(info, "maxmemory_policy", facts->eviction_policy);
    facts->memory_used_bytes = take_uint(info, "used_memory");
    facts->memory_bytes_max = take_uint(info, "maxmemory");
    facts->has_append_file = is_said(info, "aof_enabled", "1");
    facts->append_failed = is_said(info, "aof_last_write_status", "err");
    facts->snapshot_failed = is_said(info, "rdb_last_bgsave_status", "err");
    facts->server_time_us = (int64_t)take_uint(info, "server_time_usec");
}

/* ---- What the user may not be allowed to ask ---- */

static void take_config(const redisReply *reply, struct redis_facts *facts)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct span name = redis_reply_span(reply->element[i]);
        struct span value = redis_reply_span(reply->element[i + 1]);
        if (span_equal_text(name, "appendfsync") && !span_is_absent(value)) {
            copy(facts->append_fsync, value);
            facts->knows_config = true;
        } else if (span_equal_text(name, "save") && !span_is_absent(value)) {
            copy(facts->save, value);
        }
    }
}

/** Runs what stands in `commands`; true and the reply, where it is not refused. */
static bool ask(struct redis_exchange *exchange, struct redis_replies *replies)
{
    struct error error;
    return exchange->connection != NULL &&
           redis_exchange_run(exchange, 1, replies, &error) == REDIS_READ_DONE;
}

static void ask_config(struct redis_exchange *exchange, struct redis_facts *facts)
{
    struct redis_replies replies = {0};
    buffer_clear(&exchange->commands);
    redis_command_begin(&exchange->commands, 4);
    redis_command_add_text(&exchange->commands, "CONFIG");
    redis_command_add_text(&exchange->commands, "GET");
    redis_command_add_text(&exchange->commands, "appendfsync");
    redis_command_add_text(&exchange->commands, "save");
    if (ask(exchange, &replies)) {
        take_config(replies.items[0], facts);
    }
    redis_replies_free(&replies);
}

static void ask_cluster(struct redis_exchange *exchange, struct redis_facts *facts)
{
    struct redis_replies replies = {0};
    buffer_clear(&exchange->commands);
    redis_command_begin(&exchange->commands, 2);
    redis_command_add_text(&exchange->commands, "CLUSTER");
    redis_command_add_text(&exchange->commands, "INFO");
    if (ask(exchange, &replies)) {
        facts->cluster_size = take_uint(redis_reply_span(replies.items[0]), "cluster_size");
    }
    redis_replies_free(&replies);
}

/* ---- All of it ---- */

static enum redis_read read_facts(struct redis_exchange *exchange, void *context,
                                  struct error *error)
{
    struct facts_step *step = context;
    struct redis_replies replies;
    step->facts = (struct redis_facts){.asked_ms = step->wall_ms(step->clock_context)};
    buffer_clear(&exchange->commands);
    redis_command_begin(&exchange->commands, 1);
    redis_command_add_text(&exchange->commands, "INFO");
    enum redis_read outcome = redis_exchange_run(exchange, 1, &replies, error);
    step->facts.answered_ms = step->wall_ms(step->clock_context);
    if (outcome == REDIS_READ_DONE) {
        take_info(redis_reply_span(replies.items[0]), &step->facts);
    }
    redis_replies_free(&replies);
    if (outcome == REDIS_READ_DONE) {
        ask_config(exchange, &step->facts);
    }
    if (outcome == REDIS_READ_DONE && step->facts.is_cluster) {
        ask_cluster(exchange, &step->facts);
    }
    return outcome;
}

enum redis_read redis_facts_read(const struct redis_store_options *options,
                                 uint64_t (*wall_ms)(void *context), void *clock_context,
                                 int timeout_ms, struct redis_facts *out, struct error *error)
{
    struct redis_exchange exchange;
    struct facts_step step = {.wall_ms = wall_ms, .clock_context = clock_context};
    redis_exchange_init(&exchange, options);
    enum redis_read outcome = redis_exchange_try(&exchange, timeout_ms, read_facts, &step, error);
    if (outcome == REDIS_READ_DONE) {
        *out = step.facts;
    }
    redis_exchange_deinit(&exchange);
    return outcome;
}
