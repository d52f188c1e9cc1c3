/* What the Redis store makes of replies that have another shape than they should, or say what the
 * worker never writes: somebody else's program, a proxy, another server. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include "store/redis_commit.h"
#include "store/redis_load.h"
#include "store/redis_probe.h"
#include "store/redis_request.h"
#include "store/redis_scene_read.h"
#include "store/redis_watermark.h"
#include "tests/support/redis_replies.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 1 << 20);
}

static void teardown(void)
{
    arena_deinit(&arena);
}

TestSuite(redis_replies, .init = setup, .fini = teardown);

/* A load of one element, one record and one position: the replies to its commands, by index. */
enum { LOAD_META, LOAD_COUNT, LOAD_ELEMENTS, LOAD_PENDING, LOAD_BATCHES, LOAD_OLD, LOAD_COMMANDS };

struct loading {
    struct span id, field;
    struct store_position position;
    struct scene_load load;
};

static void loading_begin(struct loading *loading)
{
    *loading = (struct loading){.id = span_of_text("a"),
                                .field = span_of_text("b c"),
                                .position = {.name = span_of_text("t/0")}};
    loading->load = (struct scene_load){.session_id = span_of_text("s"),
                                        .element_ids = &loading->id,
                                        .element_count = 1,
                                        .record_fields = &loading->field,
                                        .record_count = 1,
                                        .positions = &loading->position,
                                        .position_count = 1,
                                        .arena = &arena};
    cr_assert(redis_load_begin(&loading->load));
}

static bool load_takes(struct loading *loading, size_t index, const char *wire)
{
    redisReply *const reply = redis_reply_of(wire);
    const bool taken = redis_load_take(&loading->load, index, reply);
    freeReplyObject(reply);
    return taken;
}

static const char *const good_load[LOAD_COMMANDS] = {
    "*4\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n$3\r\n7 9\r\n",
    ":2\r\n",
    "*1\r\n$1\r\nv\r\n",
    "*1\r\n$8\r\n1 t/0 7\n\r\n",
    "*1\r\n$8\r\n2 t/0 8\n\r\n",
    "*1\r\n$8\r\n1 t/0 7\n\r\n",
};

Test(redis_replies, load_takes_the_latest_attempt_of_a_record)
{
    struct loading loading;
    loading_begin(&loading);
    for (size_t i = 0; i < LOAD_COMMANDS; i++) {
        cr_assert(load_takes(&loading, i, good_load[i]), "%zu: %s", i, loading.load.error.message);
    }
    cr_expect_eq(loading.load.version, 5);
    cr_expect_eq(loading.load.stored_count, 2);
    cr_expect(span_equal_text(loading.load.element_values[0], "v"));
    cr_expect(span_equal_text(loading.load.record_values[0], "2 t/0 8\n"));
    cr_expect(loading.position.known && loading.position.offset == 7);
}

Test(redis_replies, load_refuses_what_no_worker_writes)
{
    static const struct {
        size_t index;
        const char *wire, *says;
    } cases[] = {
        {LOAD_META, ":1\r\n", "another shape"},
        {LOAD_META, "*3\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n", "another shape"},
        {LOAD_META, "*4\r\n$1\r\nx\r\n$1\r\nt\r\n$1\r\n2\r\n$3\r\n7 9\r\n", "`version` is \"x\""},
        {LOAD_META, "*4\r\n$1\r\n5\r\n$1\r\nt\r\n$2\r\n-1\r\n$3\r\n7 9\r\n", "`element_count`"},
        {LOAD_META,
         "*4\r\n$1\r\n5\r\n$33\r\n012345678901234567890123456789012\r\n$1\r\n2\r\n$3\r\n7 9\r\n",
         "at most 32 bytes"},
        {LOAD_META, "*4\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n$1\r\n7\r\n", "<offset> <timestamp>"},
        {LOAD_META, "*4\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n$0\r\n\r\n", "<offset> <timestamp>"},
        {LOAD_META, "*4\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n$3\r\nx 1\r\n", "<offset> <timestamp>"},
        {LOAD_META, "*4\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n$3\r\n1 x\r\n", "<offset> <timestamp>"},
        {LOAD_COUNT, "$1\r\n2\r\n", "another shape"},
        {LOAD_COUNT, ":-1\r\n", "another shape"},
        {LOAD_ELEMENTS, "*0\r\n", "another shape"},
        {LOAD_ELEMENTS, "$1\r\nv\r\n", "another shape"},
        {LOAD_PENDING, "*2\r\n$-1\r\n$-1\r\n", "another shape"},
        {LOAD_OLD, ":0\r\n", "another shape"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loading loading;
        loading_begin(&loading);
        cr_expect_not(load_takes(&loading, cases[i].index, cases[i].wire), "case %zu", i);
        cr_expect_eq(loading.load.error.code, ERROR_STORE_ERROR);
        cr_expect_not_null(strstr(loading.load.error.message, cases[i].says), "case %zu: %s", i,
                           loading.load.error.message);
    }
}

Test(redis_replies, commit_means_what_the_script_says)
{
    static const struct {
        const char *wire;
        enum store_status status;
        size_t dropped;
    } cases[] = {
        {"*1\r\n:1\r\n", STORE_DONE, 0},
        {"*3\r\n:1\r\n$1\r\na\r\n$1\r\nb\r\n", STORE_DONE, 2},
        {"*3\r\n:0\r\n:4\r\n$1\r\nt\r\n", STORE_REFUSED, 0},
        {"*1\r\n:2\r\n", STORE_DISOWNED, 0},
        /* It took effect, and what it dropped is not known: the scene is read again. */
        {"*2\r\n:1\r\n:5\r\n", STORE_UNKNOWN, 0},
        {"*18\r\n:1\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$"
         "1\r\ng\r\n"
         "$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n$1\r\nl\r\n$1\r\nm\r\n$1\r\nn\r\n$1\r\no\r\n"
         "$1\r\np\r\n$1\r\nq\r\n",
         STORE_UNKNOWN, 16},
        {":1\r\n", STORE_FAILED, 0},
        {"*0\r\n", STORE_FAILED, 0},
        {"*1\r\n$1\r\n1\r\n", STORE_FAILED, 0},
        {"*1\r\n:3\r\n", STORE_FAILED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene_commit commit = {.session_id = span_of_text("s"), .arena = &arena};
        redisReply *const reply = redis_reply_of(cases[i].wire);
        cr_expect_eq(redis_commit_take(&commit, reply), cases[i].status, "case %zu", i);
        cr_expect_eq(commit.dropped_count, cases[i].dropped, "case %zu", i);
        cr_expect_eq(commit.error.code,
                     cases[i].status == STORE_FAILED ? ERROR_STORE_ERROR : ERROR_NONE);
        freeReplyObject(reply);
    }
}

Test(redis_replies, watermark_means_what_the_script_says)
{
    static const struct {
        bool is_write;
        const char *wire;
        enum store_status status;
        const char *found;
    } cases[] = {
        {false, "*1\r\n$3\r\n1 2\r\n", STORE_DONE, "1 2"},
        {false, "*1\r\n$-1\r\n", STORE_DONE, NULL},
        {false, "*2\r\n$-1\r\n$-1\r\n", STORE_FAILED, NULL},
        {false, ":1\r\n", STORE_FAILED, NULL},
        {true, "*1\r\n:1\r\n", STORE_DONE, NULL},
        {true, "*2\r\n:0\r\n$3\r\n1 2\r\n", STORE_DISOWNED, "1 2"},
        {true, "*1\r\n:0\r\n", STORE_FAILED, NULL},
        {true, "*2\r\n:7\r\n$3\r\n1 2\r\n", STORE_FAILED, NULL},
        {true, "*0\r\n", STORE_FAILED, NULL},
        {true, "*1\r\n$1\r\n1\r\n", STORE_FAILED, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct watermark_entry entry = {.name = span_of_text("t/0")};
        struct watermark_request request = {
            .entries = &entry, .count = 1, .is_write = cases[i].is_write, .arena = &arena};
        redisReply *const reply = redis_reply_of(cases[i].wire);
        cr_expect_eq(redis_watermark_take(&request, reply), cases[i].status, "case %zu", i);
        cr_expect_eq(cases[i].found == NULL, span_is_absent(entry.found), "case %zu", i);
        cr_expect(cases[i].found == NULL || span_equal_text(entry.found, cases[i].found));
        freeReplyObject(reply);
    }
}

static bool scene_read_takes(struct redis_scene_read *read, size_t index, const char *wire)
{
    redisReply *const reply = redis_reply_of(wire);
    const bool taken = redis_scene_read_take(read, index, reply);
    freeReplyObject(reply);
    return taken;
}

#define META "*3\r\n$1\r\n5\r\n$2\r\n-9\r\n$1\r\nt\r\n"

Test(redis_replies, scene_read_tells_whether_the_scene_stood_still)
{
    static const struct {
        const char *again;
        bool consistent;
    } cases[] = {
        {META, true},
        {"*3\r\n$1\r\n6\r\n$2\r\n-9\r\n$1\r\nt\r\n", false},
        {"*3\r\n$1\r\n5\r\n$2\r\n-9\r\n$1\r\nu\r\n", false},
        {"*3\r\n$-1\r\n$-1\r\n$-1\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_scene_read read = {.session_id = span_of_text("s"), .arena = &arena};
        cr_assert(scene_read_takes(&read, 0, META));
        cr_assert(scene_read_takes(&read, 1, "*2\r\n$1\r\na\r\n$1\r\nv\r\n"));
        cr_assert(scene_read_takes(&read, 2, cases[i].again));
        cr_expect_eq(read.consistent, cases[i].consistent, "case %zu", i);
        cr_expect(read.dump.version == 5 && read.dump.updated_at_ms == -9 && read.dump.count == 1);
    }
}

/* A reply of `count` strings "v", as many as there may be in the step. */
static char *strings(size_t count)
{
    struct buffer wire;
    buffer_init(&wire, 1 << 20);
    buffer_append_format(&wire, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(&wire, "$1\r\nv\r\n");
    }
    buffer_append(&wire, "", 1);
    char *const text = arena_alloc(&arena, wire.size);
    cr_assert(!wire.failed && text != NULL);
    memcpy(text, wire.data, wire.size);
    buffer_deinit(&wire);
    return text;
}

/* Without a server: the commands of a step, counted. */
static size_t commands_of(const struct redis_scene_read *read)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    const size_t commands = redis_scene_read_encode(read, span_of_text("scene:"), &out);
    cr_assert(!out.failed);
    buffer_deinit(&out);
    return commands;
}

Test(redis_replies, scene_read_asks_for_a_few_values_at_a_time)
{
    struct redis_scene_read read = {
        .session_id = span_of_text("s"), .arena = &arena, .step = REDIS_SCENE_READ_HEAD};
    cr_assert_eq(commands_of(&read), 2);
    cr_assert(scene_read_takes(&read, 0, META) && scene_read_takes(&read, 1, ":3000\r\n"));
    cr_assert(redis_scene_read_go_on(&read));
    cr_assert_eq(read.step, REDIS_SCENE_READ_IDS);
    cr_assert_eq(commands_of(&read), 1);
    cr_assert(scene_read_takes(&read, 0, strings(3000)));
    static const size_t counts[] = {128, 2048, 824};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        cr_assert(redis_scene_read_go_on(&read));
        cr_assert_eq(read.step, REDIS_SCENE_READ_VALUES);
        cr_assert_eq(read.step_count, counts[i], "step %zu: %zu", i, read.step_count);
        const size_t commands = commands_of(&read);
        for (size_t k = 0; k < commands; k++) {
            const size_t rest = counts[i] - 128 * k;
            cr_assert(scene_read_takes(&read, k, strings(rest < 128 ? rest : 128)));
        }
        cr_assert_geq(128 * commands, counts[i]);
    }
    cr_assert(redis_scene_read_go_on(&read));
    cr_assert_eq(read.step, REDIS_SCENE_READ_META_AGAIN);
    cr_assert(scene_read_takes(&read, 0, META));
    cr_assert(!redis_scene_read_go_on(&read));
    cr_expect(read.consistent);
    for (size_t i = 0; i < 3000; i++) {
        cr_assert(span_equal_text(read.dump.values[i], "v"));
    }
}

Test(redis_replies, scene_read_sees_that_an_element_went_meanwhile)
{
    struct redis_scene_read read = {
        .session_id = span_of_text("s"), .arena = &arena, .step = REDIS_SCENE_READ_IDS};
    read.dump.version = 5;
    read.token = (struct store_token){.size = 1, .text = "t"};
    cr_assert(scene_read_takes(&read, 0, "*2\r\n$1\r\na\r\n$1\r\nb\r\n"));
    cr_assert(redis_scene_read_go_on(&read));
    cr_assert(scene_read_takes(&read, 0, "*2\r\n$1\r\nv\r\n$-1\r\n"));
    cr_assert(redis_scene_read_go_on(&read));
    cr_assert(scene_read_takes(&read, 0, META));
    cr_expect_not(read.consistent);
}

Test(redis_replies, scene_read_refuses_replies_of_another_shape_in_every_step)
{
    static const struct {
        enum redis_scene_read_step step;
        size_t index;
        const char *wire;
        enum error_code code;
    } cases[] = {
        {REDIS_SCENE_READ_HEAD, 0, ":1\r\n", ERROR_STORE_ERROR},
        {REDIS_SCENE_READ_HEAD, 1, ":-1\r\n", ERROR_STORE_ERROR},
        {REDIS_SCENE_READ_HEAD, 1, "$1\r\n1\r\n", ERROR_STORE_ERROR},
        {REDIS_SCENE_READ_HEAD, 1, ":16385\r\n", ERROR_OUT_OF_MEMORY},
        {REDIS_SCENE_READ_IDS, 0, ":1\r\n", ERROR_STORE_ERROR},
        {REDIS_SCENE_READ_VALUES, 0, ":1\r\n", ERROR_STORE_ERROR},
        {REDIS_SCENE_READ_VALUES, 0, "*1\r\n$-1\r\n", ERROR_STORE_ERROR},
        {REDIS_SCENE_READ_META_AGAIN, 0, ":1\r\n", ERROR_STORE_ERROR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_scene_read read = {.session_id = span_of_text("s"),
                                        .arena = &arena,
                                        .step = cases[i].step,
                                        .step_count = 2};
        cr_expect_not(scene_read_takes(&read, cases[i].index, cases[i].wire), "case %zu", i);
        cr_expect_eq(read.error.code, cases[i].code, "case %zu", i);
    }
}

Test(redis_replies, scene_read_refuses_what_no_worker_writes)
{
    static const struct {
        size_t index;
        const char *wire;
    } cases[] = {
        {0, ":1\r\n"},
        {0, "*2\r\n$1\r\n5\r\n$1\r\n9\r\n"},
        {0, "*3\r\n$1\r\nx\r\n$1\r\n9\r\n$1\r\nt\r\n"},
        {0, "*3\r\n$1\r\n5\r\n$1\r\nx\r\n$1\r\nt\r\n"},
        {2, "*3\r\n$1\r\n5\r\n$1\r\n9\r\n$33\r\n012345678901234567890123456789012\r\n"},
        {1, "$1\r\na\r\n"},
        {1, "*1\r\n$1\r\na\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_scene_read read = {.session_id = span_of_text("s"), .arena = &arena};
        cr_expect_not(scene_read_takes(&read, cases[i].index, cases[i].wire), "case %zu", i);
        cr_expect_eq(read.error.code, ERROR_STORE_ERROR, "case %zu", i);
    }
}

#define SHA "$40\r\n0123456789012345678901234567890123456789\r\n"
#define EXECUTED(first) "*6\r\n:0\r\n" first "*1\r\n:1\r\n*2\r\n:1\r\n$1\r\na\r\n*1\r\n:1\r\n:1\r\n"

Test(redis_replies, probe_takes_a_server_that_can_do_the_work_and_no_other)
{
    static const struct {
        enum redis_probe_step step;
        const char *wire, *says; /* NULL: it goes on */
    } cases[] = {
        {REDIS_PROBE_HELLO, "*4\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n$4\r\nrole\r\n$6\r\nmaster\r\n",
         NULL},
        {REDIS_PROBE_HELLO, "*2\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n", NULL},
        {REDIS_PROBE_HELLO, "+OK\r\n", "names no version"},
        {REDIS_PROBE_HELLO, "*2\r\n$7\r\nversion\r\n:7\r\n", "names no version"},
        {REDIS_PROBE_HELLO, "*2\r\n:7\r\n:7\r\n", "names no version"},
        {REDIS_PROBE_HELLO, "*2\r\n$7\r\nversion\r\n$5\r\n3.2.1\r\n", "version is 3.2.1"},
        {REDIS_PROBE_HELLO, "*2\r\n$7\r\nversion\r\n$3\r\nnew\r\n", "version is new"},
        {REDIS_PROBE_HELLO, "*4\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n$4\r\nrole\r\n$5\r\nslave\r\n",
         "READONLY"},
        {REDIS_PROBE_SELECT, "+OK\r\n", NULL},
        {REDIS_PROBE_LOAD_WATERMARK, SHA, NULL},
        {REDIS_PROBE_LOAD_WATERMARK, ":1\r\n", "no sha"},
        {REDIS_PROBE_LOAD_COMMIT, SHA, NULL},
        {REDIS_PROBE_LOAD_COMMIT, "$3\r\nsha\r\n", "no sha"},
        {REDIS_PROBE_WATERMARK, "*2\r\n:1\r\n$2\r\nid\r\n", NULL},
        {REDIS_PROBE_WATERMARK, ":1\r\n", "watermark's script"},
        {REDIS_PROBE_WATERMARK, "*1\r\n:1\r\n", "watermark's script"},
        {REDIS_PROBE_WATERMARK, "*2\r\n:1\r\n:1\r\n", "watermark's script"},
        {REDIS_PROBE_WATERMARK, "*2\r\n:1\r\n$0\r\n\r\n", "watermark's script"},
        {REDIS_PROBE_BEGIN, "+QUEUED\r\n", NULL},
        {REDIS_PROBE_EXECUTE, EXECUTED("*1\r\n:1\r\n"), NULL},
        {REDIS_PROBE_EXECUTE, "*-1\r\n", "was not executed"},
        {REDIS_PROBE_EXECUTE, "*1\r\n:1\r\n", "was not executed"},
        {REDIS_PROBE_EXECUTE, EXECUTED("-OOM command not allowed\r\n"), "OOM command"},
        {REDIS_PROBE_EXECUTE, EXECUTED(":1\r\n"), "SELFTEST commit 0"},
        {REDIS_PROBE_EXECUTE, EXECUTED("*1\r\n:0\r\n"), "SELFTEST commit 0"},
        {REDIS_PROBE_EXECUTE, EXECUTED("*1\r\n$1\r\n1\r\n"), "SELFTEST commit 0"},
        {REDIS_PROBE_EXECUTE, EXECUTED("*2\r\n:1\r\n$1\r\na\r\n"), "SELFTEST commit 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_scripts scripts = {.key_prefix = span_of_text("scene:")};
        struct redis_probe probe = {.scripts = &scripts};
        struct error error = {.message = ""};
        redisReply *const reply = redis_reply_of(cases[i].wire);
        const bool goes_on = redis_probe_take(&probe, cases[i].step, reply, &error);
        cr_expect_eq(goes_on, cases[i].says == NULL, "case %zu: %s", i, error.message);
        cr_expect(goes_on || strstr(error.message, cases[i].says) != NULL, "case %zu: %s", i,
                  error.message);
        freeReplyObject(reply);
    }
}

Test(redis_replies, the_first_failure_of_a_request_counts)
{
    struct watermark_request watermark = {.arena = &arena};
    struct redis_request request = {
        .kind = REDIS_REQUEST_WATERMARK, .of.watermark = &watermark, .status = STORE_DONE};
    redis_request_fail(&request, ERROR_STORE_ERROR, "the first");
    redis_request_fail(&request, ERROR_OUT_OF_MEMORY, "the second");
    redisReply *const reply = redis_reply_of("*0\r\n");
    redis_request_take(&request, reply);
    freeReplyObject(reply);
    redis_request_complete(&request);
    cr_expect_eq(watermark.status, STORE_FAILED);
    cr_expect_str_eq(watermark.error.message, "the first");
    request.status = STORE_UNKNOWN;
    redis_request_fail(&request, ERROR_STORE_ERROR, "too late");
    cr_expect_eq(request.status, STORE_UNKNOWN);
    cr_expect_str_eq(watermark.error.message, "the first");
}
