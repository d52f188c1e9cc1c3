/*
 * The reader and a server that says what no Redis says: replies of another shape, values that no
 * worker writes, bytes that are no reply, and nothing.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/redis_reader.h"
#include "tests/support/child_process.h"
#include "tests/support/fake_redis.h"

enum { COMMAND_MS = 100, TIMEOUT_MS = 250, HEARD_BYTES_MAX = 4096 };

/* The answers to the reader's greeting, and to a scene's transaction up to EXEC. */
#define GREETED "+OK\r\n"
#define QUEUED GREETED "+OK\r\n+QUEUED\r\n+QUEUED\r\n"
#define NO_ELEMENTS "*0\r\n"

/* One connection: everything is said at once, and everything heard until the reader hangs up. */
struct speaker {
    struct fake_redis fake;
    const char *says;
    char heard[HEARD_BYTES_MAX];
    pthread_t thread;
};

static void *speak(void *context)
{
    struct speaker *const speaker = context;
    const int connection = accept(speaker->fake.listener, NULL, NULL);
    const size_t size = strlen(speaker->says);
    if (connection >= 0 && send(connection, speaker->says, size, MSG_NOSIGNAL) == (ssize_t)size) {
        size_t heard = 0;
        ssize_t more = 1;
        while (more > 0 && heard < sizeof speaker->heard - 1) {
            more = recv(connection, speaker->heard + heard, sizeof speaker->heard - 1 - heard, 0);
            heard += more > 0 ? (size_t)more : 0;
        }
    }
    (void)close(connection);
    return NULL;
}

static uint64_t read_clock(void *context)
{
    (void)context;
    return monotonic_ms();
}

static struct speaker speaker;
static struct redis_reader *reader;
static struct arena arena;
static struct error error;

static void begin(const char *url, const char *username, const char *password, const char *says)
{
    speaker = (struct speaker){.fake = fake_redis_start(), .says = says};
    struct redis_store_options options = {.username = username,
                                          .password = password,
                                          .key_prefix = "scene:",
                                          .connect_timeout_ms = COMMAND_MS,
                                          .command_timeout_ms = COMMAND_MS,
                                          .monotonic_ms = read_clock};
    error = (struct error){.code = ERROR_NONE};
    cr_assert(redis_address_parse(url, &options.address, &error), "%s", error.message);
    options.address.port = speaker.fake.port;
    arena_init(&arena, 1 << 20);
    reader = redis_reader_create(&options);
    cr_assert_not_null(reader);
    cr_assert_eq(pthread_create(&speaker.thread, NULL, speak, &speaker), 0);
}

static void end(void)
{
    redis_reader_destroy(reader);
    cr_assert_eq(pthread_join(speaker.thread, NULL), 0);
    fake_redis_stop(&speaker.fake);
    arena_deinit(&arena);
}

#define ANYONE "redis://127.0.0.1:1/0"

TestSuite(redis_reader_replies, .timeout = 60);

Test(redis_reader_replies, a_scene_that_is_none_is_refused)
{
    static const struct {
        const char *says;
        enum redis_read outcome;
        const char *message;
    } cases[] = {
        {QUEUED "*2\r\n*0\r\n*0\r\n", REDIS_READ_DONE, ""},
        {QUEUED "*2\r\n:1\r\n" NO_ELEMENTS, REDIS_READ_REFUSED, "another shape"},
        {QUEUED "*2\r\n-WRONGTYPE it is a list\r\n" NO_ELEMENTS, REDIS_READ_REFUSED, "WRONGTYPE"},
        {QUEUED "*2\r\n*2\r\n$13\r\nelement_count\r\n$1\r\nx\r\n" NO_ELEMENTS, REDIS_READ_REFUSED,
         "`element_count`"},
        {QUEUED "*2\r\n*2\r\n$10\r\nupdated_at\r\n$1\r\nx\r\n" NO_ELEMENTS, REDIS_READ_REFUSED,
         "`updated_at`"},
        /* Another program's field that looks like nothing of ours is passed over. */
        {QUEUED "*2\r\n*2\r\n$9\r\nabcd/7890\r\n$1\r\nx\r\n" NO_ELEMENTS, REDIS_READ_DONE, ""},
        /* What may pass is tried again until the time is over. */
        {QUEUED "*1\r\n*0\r\n", REDIS_READ_UNAVAILABLE, ""},
        {QUEUED "*-1\r\n", REDIS_READ_UNAVAILABLE, ""},
        {GREETED "what?\r\n", REDIS_READ_UNAVAILABLE, ""},
        {GREETED, REDIS_READ_UNAVAILABLE, ""},
        {"-LOADING Redis is loading the dataset\r\n", REDIS_READ_UNAVAILABLE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene_snapshot scene;
        begin(ANYONE, NULL, NULL, cases[i].says);
        cr_expect_eq(
            redis_reader_scene(reader, span_of_text("s"), TIMEOUT_MS, &arena, &scene, &error),
            cases[i].outcome, "case %zu: %s", i, error.message);
        cr_expect_not_null(strstr(error.message, cases[i].message), "case %zu: %s", i,
                           error.message);
        end();
    }
}

static bool take_two(void *context, struct span session_id)
{
    size_t *const taken = context;
    cr_expect(span_equal_text(session_id, "a"));
    return ++*taken < 3;
}

Test(redis_reader_replies, a_scan_gives_sessions_and_nothing_else)
{
    static const struct {
        const char *says;
        enum redis_read outcome;
        size_t taken;
    } cases[] = {
        {GREETED "*2\r\n$1\r\n0\r\n*2\r\n$9\r\nscene:{a}\r\n$14\r\nscene:{a}:meta\r\n",
         REDIS_READ_DONE, 2},
        {GREETED "*2\r\n$1\r\n7\r\n*0\r\n*2\r\n$1\r\n0\r\n*1\r\n$9\r\nscene:{a}\r\n",
         REDIS_READ_DONE, 1},
        /* A server that does not heed the pattern. */
        {GREETED "*2\r\n$1\r\n0\r\n*5\r\n$3\r\nfoo\r\n$8\r\nscene:{a\r\n$9\r\nscene:xyz\r\n"
                 "$9\r\nother:{a}\r\n$10\r\nscene:{a}x\r\n",
         REDIS_READ_DONE, 0},
        {GREETED "*2\r\n$1\r\n0\r\n*1\r\n:5\r\n", REDIS_READ_DONE, 0},
        {GREETED "+OK\r\n", REDIS_READ_REFUSED, 0},
        {GREETED "*1\r\n$1\r\n0\r\n", REDIS_READ_REFUSED, 0},
        {GREETED "*2\r\n:0\r\n*0\r\n", REDIS_READ_REFUSED, 0},
        {GREETED "*2\r\n$40\r\n0123456789012345678901234567890123456789\r\n*0\r\n",
         REDIS_READ_REFUSED, 0},
        {GREETED "*2\r\n$1\r\n0\r\n$1\r\nx\r\n", REDIS_READ_REFUSED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t taken = 0;
        begin(ANYONE, NULL, NULL, cases[i].says);
        cr_expect_eq(redis_reader_scan(reader, TIMEOUT_MS, take_two, &taken, &error),
                     cases[i].outcome, "case %zu: %s", i, error.message);
        cr_expect_eq(taken, cases[i].taken, "case %zu", i);
        end();
    }
}

Test(redis_reader_replies, a_scan_ends_where_there_is_no_memory_for_a_session)
{
    size_t taken = 0;
    begin(ANYONE, NULL, NULL,
          GREETED "*2\r\n$1\r\n0\r\n*4\r\n$9\r\nscene:{a}\r\n$9\r\nscene:{a}\r\n$9\r\nscene:{a}\r\n"
                  "$9\r\nscene:{a}\r\n");
    cr_expect_neq(redis_reader_scan(reader, TIMEOUT_MS, take_two, &taken, &error), REDIS_READ_DONE);
    cr_expect_eq(error.code, ERROR_OUT_OF_MEMORY);
    cr_expect_eq(taken, 3);
    end();
}

Test(redis_reader_replies, it_says_who_it_is)
{
    static const struct {
        const char *url, *username, *password, *hears;
    } cases[] = {
        {ANYONE, NULL, "secret", "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT"},
        {ANYONE, "me", "secret", "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"},
        {ANYONE, "me", NULL, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$0\r\n\r\n"},
        {"redis://you@127.0.0.1:1/3", NULL, "secret",
         "*3\r\n$4\r\nAUTH\r\n$3\r\nyou\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(cases[i].url, cases[i].username, cases[i].password, "+OK\r\n+OK\r\n");
        cr_expect_eq(redis_reader_connect(reader, TIMEOUT_MS, &error), REDIS_READ_DONE, "%s",
                     error.message);
        end();
        cr_expect_eq(strncmp(speaker.heard, cases[i].hears, strlen(cases[i].hears)), 0, "%s",
                     speaker.heard);
    }
}
