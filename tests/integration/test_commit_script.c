/* store/commit.lua as another program calls it, and store/watermark.lua: wrong arguments are
 * refused before anything is written, right ones do what store/README.md says. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/redis_server.h"

#define SCRIPT_PATH TESTS_DATA_DIR "/../../store/commit.lua"
#define WATERMARK_PATH TESTS_DATA_DIR "/../../store/watermark.lua"

enum { SCRIPT_BYTES_MAX = 65536, ARGUMENTS_MAX = 48, KEYS = 6, HEAD = 6, COMMAND_HEAD = 3 };

/** Valid until the next call. */
static const char *read_script(const char *path)
{
    static char script[SCRIPT_BYTES_MAX];
    FILE *const file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    const size_t size = fread(script, 1, sizeof(script) - 1, file);
    cr_assert(size > 0 && size < sizeof(script) - 1);
    script[size] = '\0';
    (void)fclose(file);
    return script;
}

/** A call, as a list of texts that a test may change before it is made. */
struct call {
    const char *texts[ARGUMENTS_MAX];
    size_t count;
};

static void add_texts(struct call *call, const char *const *texts, size_t count)
{
    cr_assert_lt(call->count + count, ARGUMENTS_MAX);
    memcpy(call->texts + call->count, texts, count * sizeof(*texts));
    call->count += count;
}

/** A commit of a new scene: one element, one settled record, one position. */
static struct call make_call(void)
{
    static const char *const keys[KEYS] = {
        "scene:{s}",         "scene:{s}:elements",    "scene:{s}:tombstones",
        "scene:{s}:batches", "scene:{s}:batches.old", "scene:{s}:pending"};
    static const char *const head[HEAD] = {
        "0", "", "1", "token", "1 1700000000000 1 0 0 1 0 1 0 5 256 524288 3600000", ""};
    static const char *const sections[] = {"a",      "value",          "batch", "1 t/0 5\nresult",
                                           "at:t/0", "5 1700000000000"};
    const char *const command[COMMAND_HEAD] = {"EVAL", read_script(SCRIPT_PATH), "6"};
    struct call call = {0};
    add_texts(&call, command, COMMAND_HEAD);
    add_texts(&call, keys, KEYS);
    add_texts(&call, head, HEAD);
    add_texts(&call, sections, sizeof(sections) / sizeof(*sections));
    return call;
}

/** ARGV[number], as the script counts it. */
static const char **argument(struct call *call, size_t number)
{
    return &call->texts[COMMAND_HEAD + KEYS + number - 1];
}

static redisReply *run(struct redis_server *server, const struct call *call)
{
    return redis_server_query(server, call->texts);
}

static void expect_refusal(struct redis_server *server, const struct call *call, const char *text)
{
    redisReply *reply = run(server, call);
    cr_assert_eq(reply->type, REDIS_REPLY_ERROR, "not refused: %s", text);
    cr_assert_eq(strncmp(reply->str, "SCENESYNC ", 10), 0, "%s", reply->str);
    cr_assert_not_null(strstr(reply->str, text), "%s, expected %s", reply->str, text);
    freeReplyObject(reply);
    reply = redis_server_query(server, (const char *const[]){"DBSIZE", NULL});
    cr_assert_eq(reply->integer, 0, "%s: something was written", text);
    freeReplyObject(reply);
}

static void expect_integer(struct redis_server *server, const struct call *call, long long expected)
{
    redisReply *const reply = run(server, call);
    cr_assert_eq(reply->type, REDIS_REPLY_ARRAY, "%s", reply->str);
    cr_assert_eq(reply->elements, 1);
    cr_assert_eq(reply->element[0]->integer, expected);
    freeReplyObject(reply);
}

Test(commit_script, does_what_it_is_told)
{
    struct redis_server *const server = redis_server_start();
    const struct call call = make_call();
    redisReply *reply = run(server, &call);
    cr_assert_eq(reply->type, REDIS_REPLY_ARRAY, "%s", reply->str);
    cr_assert_eq(reply->elements, 1);
    cr_assert_eq(reply->element[0]->integer, 1);
    freeReplyObject(reply);
    reply = redis_server_query(server, (const char *const[]){"HMGET", "scene:{s}", "version",
                                                             "commit", "element_count",
                                                             "updated_at", "at:t/0", NULL});
    const char *const expected[] = {"1", "token", "1", "1700000000000", "5 1700000000000"};
    for (size_t i = 0; i < reply->elements; i++) {
        cr_assert_str_eq(reply->element[i]->str, expected[i]);
    }
    freeReplyObject(reply);
    redis_server_stop(server);
}

Test(commit_script, tells_what_is_there_where_the_check_fails)
{
    struct redis_server *const server = redis_server_start();
    const struct call call = make_call();
    freeReplyObject(run(server, &call));
    redisReply *const reply = run(server, &call);
    cr_assert_eq(reply->type, REDIS_REPLY_ARRAY, "%s", reply->str);
    cr_assert_eq(reply->elements, 3);
    cr_assert_eq(reply->element[0]->integer, 0);
    cr_assert_str_eq(reply->element[1]->str, "1");
    cr_assert_str_eq(reply->element[2]->str, "token");
    freeReplyObject(reply);
    redis_server_stop(server);
}

Test(commit_script, refuses_wrong_arguments_before_it_writes)
{
    static const struct {
        size_t number;
        const char *value;
        const char *text;
    } cases[] = {
        {1, "", "without the check must not change elements"},
        {3, "", "argument 3 must be a number"},
        {3, "-1", "argument 3 must be a number"},
        {5, "", "argument 5 thirteen integers"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 524288", "argument 5 thirteen integers"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 524288 3600000 1", "argument 5 thirteen integers"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 524288 0", "argument 5 thirteen integers"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 524288 1000000000000000", "argument 5 thirteen integers"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 524288 -1000000000000000", "argument 5 thirteen integers"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 524288 -0", "argument 5 thirteen integers"},
        {5,
         "\xa1"
         "1\xa1"
         "2\x01",
         "argument 5 thirteen integers"}, /* MessagePack */
        {10, "result", "argument 10 must start with an attempt and a space"},
        {10, "0 t/0 5\nresult", "argument 10 must start with an attempt and a space"},
        {5, "1 2 1 0 0 1 0 1 0 5 256 x 3600000", "argument 5 thirteen integers"},
        {5, "1.5 2 1 0 0 1 0 1 0 5 256 524288 3600000", "argument 5 thirteen integers"},
        {5, "1 2 2 0 0 1 0 1 0 5 256 524288 3600000", "the counts make 14 arguments; got 12"},
        {5, "1 2 1 1 0 1 0 1 0 5 256 524288 3600000", "the counts make"},
        {5, "1 2 1 0 1 1 0 1 0 5 256 524288 3600000", "the counts make"},
        {5, "1 2 1 0 0 0 0 1 0 5 256 524288 3600000", "the counts make"},
        {5, "1 2 1 0 0 1 1 1 0 5 256 524288 3600000", "the counts make"},
        {5, "1 2 1 0 0 1 0 0 0 5 256 524288 3600000", "the counts make"},
        {5, "1 2 99999999999999999999 0 0 1 0 1 0 5 256 524288 3600000", "the counts make"},
        /* The element becomes an addition to the index. */
        {5, "1 2 0 1 0 1 0 1 0 5 256 524288 3600000", "argument 7 must be a record time"},
    };
    struct redis_server *const server = redis_server_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct call call = make_call();
        *argument(&call, cases[i].number) = cases[i].value;
        expect_refusal(server, &call, cases[i].text);
    }
    redis_server_stop(server);
}

Test(commit_script, refuses_other_numbers_of_keys_and_arguments)
{
    struct redis_server *const server = redis_server_start();
    struct call call = make_call();
    call.texts[2] = "5";
    expect_refusal(server, &call, "6 or 7 keys and at least 6 arguments");
    call = make_call();
    *argument(&call, HEAD) = NULL;
    expect_refusal(server, &call, "6 or 7 keys and at least 6 arguments");
    call = make_call();
    call.texts[call.count - 1] = NULL;
    expect_refusal(server, &call, "the counts make 12 arguments; got 11");
    redis_server_stop(server);
}

/* An error half-way would leave the writes before it: whichever key is of a wrong type, nothing may
 * have been written. */
Test(commit_script, finds_every_wrong_type_before_it_writes)
{
    struct redis_server *const server = redis_server_start();
    for (size_t i = 0; i < KEYS; i++) {
        struct call call = make_call();
        REDIS_RUN(server, "FLUSHALL");
        REDIS_RUN(server, "SET", call.texts[COMMAND_HEAD + i], "a string");
        redisReply *reply = run(server, &call);
        cr_assert_eq(reply->type, REDIS_REPLY_ERROR, "%s", call.texts[COMMAND_HEAD + i]);
        cr_assert_eq(strncmp(reply->str, "WRONGTYPE ", 10), 0, "%s", reply->str);
        freeReplyObject(reply);
        reply = redis_server_query(server, (const char *const[]){"DBSIZE", NULL});
        cr_assert_eq(reply->integer, 1, "%s: half of the commit was written",
                     call.texts[COMMAND_HEAD + i]);
        freeReplyObject(reply);
    }
    redis_server_stop(server);
}

static long long query_integer(struct redis_server *server, const char *command, const char *key)
{
    redisReply *const reply = redis_server_query(server, (const char *const[]){command, key, NULL});
    const long long value = reply->integer;
    freeReplyObject(reply);
    return value;
}

/* What a worker does that has set it a while ago. */
Test(commit_script, sets_the_time_to_live_of_a_new_generation_at_least)
{
    struct redis_server *const server = redis_server_start();
    struct call call = make_call();
    *argument(&call, 5) = "1 1700000000000 1 0 0 1 0 1 0 5 2 524288 -3600000";
    expect_integer(server, &call, 1);
    cr_assert_gt(query_integer(server, "PTTL", "scene:{s}:batches"), 3590000);

    REDIS_RUN(server, "PEXPIRE", "scene:{s}:batches", "100000");
    *argument(&call, 1) = "1";
    *argument(&call, 2) = "token";
    *argument(&call, 9) = "second";
    expect_integer(server, &call, 1);
    cr_assert_leq(query_integer(server, "PTTL", "scene:{s}:batches"), 100000);

    *argument(&call, 9) = "third"; /* more than a generation holds */
    expect_integer(server, &call, 1);
    cr_assert_gt(query_integer(server, "PTTL", "scene:{s}:batches"), 3590000);
    cr_assert_gt(query_integer(server, "PTTL", "scene:{s}:batches.old"), 3590000);
    redis_server_stop(server);
}

static void expect_dedupe(struct redis_server *server, const char *expected)
{
    redisReply *const reply =
        redis_server_query(server, (const char *const[]){"HGET", "scene:{s}", "dedupe", NULL});
    cr_assert_eq(reply->type, REDIS_REPLY_STRING);
    cr_assert_str_eq(reply->str, expected);
    freeReplyObject(reply);
}

/* What older workers wrote counts: they say nothing of the other two keys. */
Test(commit_script, looks_for_records_wherever_an_older_worker_may_have_put_them)
{
    static const char *const keys[] = {"scene:{s}:pending", "scene:{s}:batches.old"};
    struct redis_server *const server = redis_server_start();
    for (size_t i = 0; i < 2; i++) {
        struct call call = make_call();
        REDIS_RUN(server, "FLUSHALL");
        REDIS_RUN(server, "HSET", "scene:{s}", "version", "0", "dedupe", "3 100");
        REDIS_RUN(server, "HSET", keys[i], "batch", "1 t/0 4\nresult");
        redisReply *const reply = run(server, &call); /* the first attempt again */
        cr_assert_eq(reply->type, REDIS_REPLY_ARRAY, "%s", reply->str);
        cr_assert_eq(reply->element[0]->integer, 0, "%s", keys[i]);
        freeReplyObject(reply);
        *argument(&call, 10) = "2 t/0 5\nresult";
        expect_integer(server, &call, 1);
        expect_dedupe(server, i == 0 ? "4 119 00" : "4 119 01");
    }
    redis_server_stop(server);
}

/* With the watermark. */

/** The same commit, with a seventh key and a mark of its one position. */
static struct call make_marked_call(const char *mark)
{
    struct call call = make_call();
    cr_assert_lt(call.count + 2, ARGUMENTS_MAX);
    memmove(&call.texts[COMMAND_HEAD + KEYS + 1], &call.texts[COMMAND_HEAD + KEYS],
            (call.count - COMMAND_HEAD - KEYS) * sizeof(*call.texts));
    call.texts[2] = "7";
    call.texts[COMMAND_HEAD + KEYS] = "scene:watermark:g";
    call.count++;
    call.texts[call.count++] = mark;
    return call;
}

Test(commit_script, builds_on_the_watermark_that_it_names)
{
    struct redis_server *const server = redis_server_start();
    struct call call = make_marked_call("5 me");
    expect_integer(server, &call, 2);
    REDIS_RUN(server, "HSET", "scene:watermark:g", "at:t/0", "6 me", "at:t/1", "5 me");
    expect_integer(server, &call, 2);
    REDIS_RUN(server, "HSET", "scene:watermark:g", "at:t/0", "5 me");
    expect_integer(server, &call, 1);
    REDIS_RUN(server, "FLUSHALL");
    call = make_marked_call("");
    expect_integer(server, &call, 1);
    redis_server_stop(server);
}

Test(commit_script, counts_the_marks)
{
    struct redis_server *const server = redis_server_start();
    struct call call = make_marked_call("5 me");
    call.texts[call.count - 1] = NULL;
    expect_refusal(server, &call, "the counts make 13 arguments; got 12");
    call = make_marked_call("5 me");
    call.texts[call.count++] = "6 me";
    expect_refusal(server, &call, "the counts make 13 arguments; got 14");
    call = make_marked_call("5 me");
    call.texts[2] = "8";
    expect_refusal(server, &call, "6 or 7 keys and at least 6 arguments");
    redis_server_stop(server);
}

Test(commit_script, says_where_the_watermark_is_of_a_wrong_type)
{
    struct redis_server *const server = redis_server_start();
    const struct call call = make_marked_call("5 me");
    REDIS_RUN(server, "SET", "scene:watermark:g", "5 me");
    redisReply *const reply = run(server, &call);
    cr_assert_eq(reply->type, REDIS_REPLY_ERROR);
    cr_assert_eq(strncmp(reply->str, "WATERMARK WRONGTYPE ", 20), 0, "%s", reply->str);
    freeReplyObject(reply);
    redis_server_stop(server);
}

Test(watermark_script, refuses_wrong_arguments_before_it_writes)
{
    static const struct {
        const char *keys;
        const char *arguments[8]; /* keys included */
    } cases[] = {
        {"0", {""}},
        {"0", {"", "at:t/0", "", "at:t/0", "1"}},
        {"1", {"k"}},
        {"1", {"k", "", "at:t/0"}},
        {"1", {"k", "", "at:t/0", "", "at:t/0"}},
        {"1", {"k", "", "at:t/0", "", "at:t/0", "1", "at:t/1"}},
        {"2", {"k", "l", "", "at:t/0", "", "at:t/0", "1"}},
    };
    struct redis_server *const server = redis_server_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct call call = {.texts = {"EVAL", read_script(WATERMARK_PATH), cases[i].keys},
                            .count = COMMAND_HEAD};
        add_texts(&call, cases[i].arguments, sizeof(cases[i].arguments) / sizeof(const char *));
        expect_refusal(server, &call, "1 key and 1 argument are needed");
    }
    redis_server_stop(server);
}

/* A commit that also writes a tombstone into the index, which makes it look for old ones. */
static struct call make_tombstone_call(void)
{
    struct call call = make_call();
    static const char *const tail[] = {"1700000000000",   "a",      "batch",
                                       "1 t/0 5\nresult", "at:t/0", "5 1700000000000"};
    *argument(&call, 5) = "0 1700000000000 1 1 0 1 0 1 0 0 256 524288 3600000";
    call.count = COMMAND_HEAD + KEYS + HEAD + 2;
    add_texts(&call, tail, sizeof(tail) / sizeof(*tail));
    return call;
}

/* Without the right to one of its commands nothing is written, not even what comes before it. */
Test(commit_script, writes_nothing_without_all_rights)
{
    static const char *const commands[] = {"hset", "zadd", "pexpire", "zrange", "zrem", "hdel"};
    struct redis_server *const server = redis_server_start();
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        char right[16];
        (void)snprintf(right, sizeof(right), "-%s", commands[i]);
        REDIS_RUN(server, "ACL", "SETUSER", "default", right);
        const struct call call = make_tombstone_call();
        redisReply *reply = run(server, &call);
        cr_expect_eq(reply->type, REDIS_REPLY_ERROR, "not refused: %s", right);
        freeReplyObject(reply);
        reply = redis_server_query(server, (const char *const[]){"DBSIZE", NULL});
        cr_expect_eq(reply->integer, 0, "%s: something was written", right);
        freeReplyObject(reply);
        right[0] = '+';
        REDIS_RUN(server, "ACL", "SETUSER", "default", right);
        REDIS_RUN(server, "FLUSHALL");
    }
    const struct call call = make_tombstone_call();
    redisReply *const reply = run(server, &call);
    cr_expect_eq(reply->type, REDIS_REPLY_ARRAY, "with all rights it works");
    freeReplyObject(reply);
    redis_server_stop(server);
}
