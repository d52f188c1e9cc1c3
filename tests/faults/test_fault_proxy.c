/*
 * The bad network itself: what it passes on, delays, loses and cuts, with a Redis behind it.
 */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include "tests/support/child_process.h"
#include "tests/support/command_scanner.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/redis_server.h"
#include "tests/support/sent_batch.h"

enum { SHORT_MS = 300, LONG_MS = 10000, LARGE_BYTES = 3 << 20 };

static struct redis_server *server;
static struct fault_proxy *proxy;

static void begin(void)
{
    server = redis_server_start();
    proxy = fault_proxy_start(redis_server_port(server));
}

static void end(void)
{
    fault_proxy_stop(proxy);
    redis_server_stop(server);
}

TestSuite(fault_proxy, .init = begin, .fini = end, .timeout = 60);

static redisContext *connect_by(int timeout_ms)
{
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                                    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    redisContext *const client = redisConnect("127.0.0.1", fault_proxy_port(proxy));
    cr_assert_not_null(client);
    if (client->err == 0) {
        cr_assert_eq(redisSetTimeout(client, timeout), REDIS_OK);
    }
    return client;
}

static redisReply *ask(redisContext *client, const char *name, const char *argument)
{
    const char *arguments[] = {name, argument};
    return redisCommandArgv(client, argument == NULL ? 1 : 2, arguments, NULL);
}

static void expect_answer(redisContext *client)
{
    redisReply *const reply = ask(client, "PING", NULL);
    cr_assert_not_null(reply, "%s", client->errstr);
    cr_assert_str_eq(reply->str, "PONG");
    freeReplyObject(reply);
}

static void expect_no_answer(redisContext *client, const char *name, const char *argument)
{
    redisReply *const reply = ask(client, name, argument);
    cr_assert_null(reply, "%s was answered", name);
}

/* What Redis itself says. */
static long long count_of(const char *key)
{
    const char *const arguments[] = {"GET", key, NULL};
    redisReply *const reply = redis_server_query(server, arguments);
    const long long count = reply->str == NULL ? 0 : strtoll(reply->str, NULL, 10);
    freeReplyObject(reply);
    return count;
}

static void await_count(const char *key, long long count)
{
    const uint64_t deadline_ms = monotonic_ms() + LONG_MS;
    while (count_of(key) != count) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "%s is not %lld", key, count);
        sleep_ms(5);
    }
}

static void await_connections(size_t count)
{
    const uint64_t deadline_ms = monotonic_ms() + LONG_MS;
    while (fault_proxy_connections(proxy) != count) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "there are not %zu connections", count);
        sleep_ms(5);
    }
}

Test(fault_proxy, passes_on_more_than_it_holds)
{
    redisContext *const client = connect_by(LONG_MS);
    char *const value = malloc(LARGE_BYTES);
    cr_assert_not_null(value);
    memset(value, 'x', LARGE_BYTES);
    const char *arguments[] = {"ECHO", value};
    const size_t sizes[] = {4, LARGE_BYTES};
    redisReply *const reply = redisCommandArgv(client, 2, arguments, sizes);
    cr_assert_not_null(reply, "%s", client->errstr);
    cr_assert_eq(reply->len, (size_t)LARGE_BYTES);
    cr_assert_eq(memcmp(reply->str, value, LARGE_BYTES), 0);
    freeReplyObject(reply);
    free(value);
    redisFree(client);
    await_connections(0);
    cr_assert_eq(fault_proxy_accepted(proxy), 1);
}

Test(fault_proxy, tells_each_side_that_the_other_hung_up)
{
    redisContext *const client = connect_by(LONG_MS);
    expect_answer(client);
    redis_server_kill(server);
    expect_no_answer(client, "PING", NULL);
    cr_assert_eq(client->err, REDIS_ERR_EOF);
    redisFree(client);
    await_connections(0);
}

Test(fault_proxy, delays_each_direction)
{
    enum { DELAY_MS = 150 };
    redisContext *const client = connect_by(LONG_MS);
    expect_answer(client);
    fault_proxy_set_delay(proxy, DELAY_MS);
    const uint64_t since_ms = monotonic_ms();
    expect_answer(client);
    const uint64_t taken_ms = monotonic_ms() - since_ms;
    cr_assert(taken_ms >= 2 * (uint64_t)DELAY_MS && taken_ms < LONG_MS, "%d ms", (int)taken_ms);
    fault_proxy_set_delay(proxy, 0);
    expect_answer(client);
    redisFree(client);
}

Test(fault_proxy, loses_replies_after_their_effect_and_cuts_when_it_is_over)
{
    redisContext *const client = connect_by(SHORT_MS);
    fault_proxy_set_mode(proxy, FAULT_PROXY_DROP_REPLIES);
    expect_no_answer(client, "INCR", "n");
    redisContext *const waiting = connect_by(LONG_MS);
    cr_assert_eq(redisAppendCommandArgv(waiting, 2, (const char *[]){"INCR", "n"}, NULL), REDIS_OK);
    int is_written = 0;
    while (is_written == 0) {
        cr_assert_eq(redisBufferWrite(waiting, &is_written), REDIS_OK);
    }
    await_count("n", 2);
    sleep_ms(SHORT_MS);
    fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
    void *reply = NULL;
    cr_assert_eq(redisGetReply(waiting, &reply), REDIS_ERR);
    cr_assert_eq(waiting->err, REDIS_ERR_EOF);
    redisFree(client);
    redisFree(waiting);
    redisContext *const next = connect_by(LONG_MS);
    expect_answer(next);
    redisFree(next);
}

Test(fault_proxy, swallows_without_effect)
{
    redisContext *const client = connect_by(SHORT_MS);
    expect_answer(client);
    fault_proxy_set_mode(proxy, FAULT_PROXY_SWALLOW);
    expect_no_answer(client, "INCR", "n");
    redisContext *const newcomer = connect_by(SHORT_MS);
    cr_assert_eq(newcomer->err, 0, "it still accepts");
    expect_no_answer(newcomer, "INCR", "n");
    redisFree(newcomer);
    fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
    redisFree(client);
    cr_assert_eq(count_of("n"), 0);
}

Test(fault_proxy, strands_the_connections_there_are)
{
    redisContext *const client = connect_by(SHORT_MS);
    expect_answer(client);
    fault_proxy_strand(proxy);
    redisContext *const newcomer = connect_by(LONG_MS);
    expect_answer(newcomer);
    expect_no_answer(client, "INCR", "n");
    cr_assert_neq(client->err, REDIS_ERR_EOF, "it stays open");
    fault_proxy_set_mode(proxy, FAULT_PROXY_SWALLOW);
    fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
    cr_assert_eq(fault_proxy_connections(proxy), 2, "and is not cut when something else is over");
    redisFree(client);
    await_connections(1);
    redisFree(newcomer);
    cr_assert_eq(count_of("n"), 0);
}

Test(fault_proxy, goes_on_where_it_froze)
{
    redisContext *const client = connect_by(LONG_MS);
    expect_answer(client);
    fault_proxy_set_mode(proxy, FAULT_PROXY_FREEZE);
    cr_assert_eq(redisAppendCommandArgv(client, 2, (const char *[]){"INCR", "n"}, NULL), REDIS_OK);
    int is_written = 0;
    while (is_written == 0) {
        cr_assert_eq(redisBufferWrite(client, &is_written), REDIS_OK);
    }
    sleep_ms(SHORT_MS);
    cr_assert_eq(count_of("n"), 0);
    fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
    void *reply = NULL;
    cr_assert_eq(redisGetReply(client, &reply), REDIS_OK);
    freeReplyObject(reply);
    cr_assert_eq(count_of("n"), 1);
    redisFree(client);
}

Test(fault_proxy, refuses_and_listens_again_on_the_same_port)
{
    redisContext *const client = connect_by(LONG_MS);
    expect_answer(client);
    fault_proxy_set_mode(proxy, FAULT_PROXY_REFUSE);
    expect_no_answer(client, "PING", NULL);
    redisFree(client);
    redisContext *const refused = connect_by(LONG_MS);
    cr_assert_neq(refused->err, 0);
    redisFree(refused);
    fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
    redisContext *const next = connect_by(LONG_MS);
    expect_answer(next);
    redisFree(next);
}

/* Three of these at once, with others between: the second one's reply and the third are lost. */
Test(fault_proxy, cuts_between_effect_and_reply)
{
    redisContext *const client = connect_by(LONG_MS);
    fault_proxy_cut_after(proxy, 2, "INCR \nn\r");
    for (int i = 0; i < 3; i++) {
        const char *counted[] = {"INCR", "n"};
        const char *other[] = {"INCR", "k"};
        cr_assert_eq(redisAppendCommandArgv(client, 2, other, NULL), REDIS_OK);
        cr_assert_eq(redisAppendCommandArgv(client, 2, counted, NULL), REDIS_OK);
    }
    size_t answers = 0;
    void *reply = NULL;
    while (redisGetReply(client, &reply) == REDIS_OK) {
        freeReplyObject(reply);
        answers++;
    }
    cr_assert_leq(answers, 3);
    cr_assert_eq(client->err, REDIS_ERR_EOF);
    cr_assert_eq(count_of("n"), 2);
    cr_assert_eq(count_of("k"), 2);
    cr_assert_eq(fault_proxy_cuts(proxy), 1);
    redisFree(client);
    redisContext *const next = connect_by(LONG_MS);
    for (int i = 0; i < 3; i++) {
        freeReplyObject(ask(next, "INCR", "n"));
    }
    cr_assert_eq(count_of("n"), 5, "only once");
    redisFree(next);
}

Test(fault_proxy, leads_to_another_server)
{
    struct redis_server *const other = redis_server_start();
    REDIS_RUN(server, "SET", "who", "first");
    REDIS_RUN(other, "SET", "who", "other");
    redisContext *const client = connect_by(LONG_MS);
    expect_answer(client);
    fault_proxy_retarget(proxy, redis_server_port(other));
    expect_no_answer(client, "PING", NULL);
    redisFree(client);
    redisContext *const next = connect_by(LONG_MS);
    redisReply *const reply = ask(next, "GET", "who");
    cr_assert_not_null(reply);
    cr_assert_str_eq(reply->str, "other");
    freeReplyObject(reply);
    redisFree(next);
    redis_server_stop(other);
}

/* Whole or in pieces of any size, the same ends are found. */
Test(command_scanner, finds_the_ends_of_commands_in_pieces)
{
    static const char stream[] = "*2\r\n$4\r\nECHO\r\n$7\r\n*1\r\n$x\n\r\n"
                                 "*1\r\n$0\r\n\r\n"
                                 "PING\r\n"
                                 "*0\r\n"
                                 "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    static const size_t ends[] = {27, 37, 43, 47, 67};
    for (size_t piece = 1; piece < sizeof(stream); piece++) {
        struct command_scanner scanner = {.is_ended = false};
        size_t found = 0;
        for (size_t at = 0; at < sizeof(stream) - 1;) {
            const size_t left = sizeof(stream) - 1 - at;
            at += command_scanner_take(&scanner, (const uint8_t *)stream + at,
                                       left < piece ? left : piece);
            if (scanner.is_ended) {
                cr_assert_eq(at, ends[found], "end %zu is found at %zu", found, at);
                found++;
            }
        }
        cr_assert_eq(found, sizeof(ends) / sizeof(ends[0]));
        cr_assert(command_scanner_has(&scanner, "GET"));
        cr_assert(command_scanner_has(&scanner, "k GET"));
        cr_assert_not(command_scanner_has(&scanner, "ECHO"));
        cr_assert_not(command_scanner_has(&scanner, "GET ECHO"));
    }
}
