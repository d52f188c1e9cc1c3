/* Requests as the Redis store sends and takes them, without a server, while memory is refused. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "store/redis_load.h"
#include "store/redis_queue.h"
#include "tests/allocations/refusing.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/redis_replies.h"

struct asking {
    struct redis_scripts scripts;
    struct redis_probe probe;
    const char *const *answers; /* as they stand on the wire, one per command */
    redisReply *replies[8];
    size_t reply_count;
    struct span sent; /* as it should be; absent: not known yet */
    struct span ids[2], fields[1];
    struct store_position positions[1];
    struct watermark_entry entries[1];
    struct arena arena;
    struct buffer out;
    struct redis_queue queue;
    struct redis_request request;
    struct scene_load load;
    struct scene_commit commit;
    struct watermark_request watermark;
    struct redis_scene_read scene_read;
    enum redis_request_kind kind;
    bool is_write; /* of the watermark: refused */
};

static void asking_init(struct asking *asking, enum redis_request_kind kind,
                        const char *const *answers)
{
    *asking = (struct asking){.kind = kind, .answers = answers};
    asking->scripts = (struct redis_scripts){.key_prefix = span_of_text("scene:"),
                                             .group = span_of_text("g"),
                                             .retention = {.dedupe_batches_max = 4}};
    asking->probe.scripts = &asking->scripts;
    asking->ids[0] = span_of_text("a");
    asking->ids[1] = span_of_text("b");
    asking->fields[0] = span_of_text("batch client");
    for (; *answers != NULL; answers++) {
        asking->replies[asking->reply_count++] = redis_reply_of(*answers);
    }
}

static void asking_end(struct asking *asking)
{
    for (size_t i = 0; i < asking->reply_count; i++) {
        freeReplyObject(asking->replies[i]);
    }
}

static const struct element_write writes[] = {{.kind = ELEMENT_WRITE_TOMBSTONE,
                                               .id = {(const uint8_t *)"a", 1},
                                               .value = {(const uint8_t *)"\x93\x01\x01\xc0", 4}}};
static const struct record_write records[] = {{.field = {(const uint8_t *)"batch client", 12},
                                               .value = {(const uint8_t *)"1 t/0 7\n", 8},
                                               .attempt = 1}};

static void prepare(void *context)
{
    struct asking *const asking = context;
    arena_init(&asking->arena, (size_t)64 << 20);
    buffer_init(&asking->out, (size_t)64 << 20);
    redis_queue_init(&asking->queue);
    asking->positions[0] = (struct store_position){.name = span_of_text("t/0"), .offset = 7};
    asking->entries[0] = (struct watermark_entry){.name = span_of_text("t/0")};
    asking->load = (struct scene_load){.session_id = span_of_text("s"),
                                       .element_ids = asking->ids,
                                       .element_count = 2,
                                       .record_fields = asking->fields,
                                       .record_count = 1,
                                       .positions = asking->positions,
                                       .position_count = 1,
                                       .arena = &asking->arena};
    asking->commit = (struct scene_commit){.session_id = span_of_text("s"),
                                           .checked = true,
                                           .version = 1,
                                           .token = {.size = 1, .text = "t"},
                                           .elements = writes,
                                           .element_count = 1,
                                           .records = records,
                                           .record_count = 1,
                                           .positions = asking->positions,
                                           .position_count = 1,
                                           .settled_offsets = span_of_text("t/0=1 "),
                                           .arena = &asking->arena};
    asking->watermark = (struct watermark_request){.entries = asking->entries,
                                                   .count = 1,
                                                   .is_write = asking->is_write,
                                                   .arena = &asking->arena};
    asking->scene_read =
        (struct redis_scene_read){.session_id = span_of_text("s"), .arena = &asking->arena};
    asking->request = (struct redis_request){.kind = asking->kind, .status = STORE_DONE};
    switch (asking->kind) {
    case REDIS_REQUEST_LOAD:
        asking->request.of.load = &asking->load;
        break;
    case REDIS_REQUEST_COMMIT:
        asking->request.of.commit = &asking->commit;
        break;
    case REDIS_REQUEST_WATERMARK:
        asking->request.of.watermark = &asking->watermark;
        break;
    case REDIS_REQUEST_SCENE_READ:
        asking->request.of.scene_read = &asking->scene_read;
        break;
    case REDIS_REQUEST_PROBE:
    case REDIS_REQUEST_SCRIPT:
        cr_assert_fail("none of a caller's");
    }
}

static const struct error *error_of(const struct asking *asking)
{
    switch (asking->kind) {
    case REDIS_REQUEST_LOAD:
        return &asking->load.error;
    case REDIS_REQUEST_COMMIT:
        return &asking->commit.error;
    case REDIS_REQUEST_WATERMARK:
        return &asking->watermark.error;
    case REDIS_REQUEST_SCENE_READ:
        return &asking->scene_read.error;
    case REDIS_REQUEST_PROBE:
    case REDIS_REQUEST_SCRIPT:
        break;
    }
    abort();
}

/* As store/redis_store.c does it. */
static bool work(void *context, struct error *error)
{
    struct asking *const asking = context;
    struct redis_request *const request = &asking->request;
    if (asking->kind == REDIS_REQUEST_LOAD && !redis_load_begin(&asking->load)) {
        *error = asking->load.error;
        return false;
    }
    if (!redis_queue_reserve(&asking->queue)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a request");
    }
    request->replies = redis_request_encode(request, &asking->probe, &asking->out);
    if (asking->out.failed) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a command");
    }
    redis_queue_push(&asking->queue, request);
    struct redis_request *const first = redis_queue_first(&asking->queue);
    for (size_t i = 0; i < asking->reply_count; i++) {
        redis_request_take(first, asking->replies[i]);
        first->replies_taken++;
    }
    *request = redis_queue_pop(&asking->queue);
    redis_request_complete(request);
    if (request->status == STORE_FAILED) {
        *error = *error_of(asking);
        return false;
    }
    /* A commit took effect and cannot say all of it: the scene is read again. */
    return request->status != STORE_UNKNOWN ||
           error_set(error, ERROR_OUT_OF_MEMORY, "status %d", (int)request->status);
}

static void verify(void *context, bool is_done)
{
    struct asking *const asking = context;
    if (is_done) {
        cr_assert_eq(asking->request.status, asking->is_write ? STORE_DISOWNED : STORE_DONE);
        cr_assert_eq(asking->request.replies, asking->reply_count);
        const struct span sent = bytes_keep(buffer_span(&asking->out));
        cr_assert(span_is_absent(asking->sent) || span_equal(sent, asking->sent));
        asking->sent = sent;
    }
    redis_queue_deinit(&asking->queue);
    buffer_deinit(&asking->out);
    arena_deinit(&asking->arena);
}

static void refuse_each_of(struct asking *asking, unsigned long least)
{
    struct error error = {.code = ERROR_NONE};
    prepare(asking);
    cr_assert(work(asking, &error), "%s", error.message);
    verify(asking, true);
    const struct trial trial = {prepare, work, verify, asking};
    refuse_each(&trial, least);
    asking_end(asking);
}

Test(allocations, a_load_is_asked_and_taken_or_not)
{
    static const char *const answers[] = {"*4\r\n$1\r\n5\r\n$1\r\nt\r\n$1\r\n2\r\n$3\r\n7 9\r\n",
                                          ":2\r\n",
                                          "*2\r\n$4\r\n\x93\x01\x01\xc0\r\n$-1\r\n",
                                          "*1\r\n$8\r\n1 t/0 7\n\r\n",
                                          "*1\r\n$-1\r\n",
                                          "*1\r\n$-1\r\n",
                                          NULL};
    struct asking asking;
    asking_init(&asking, REDIS_REQUEST_LOAD, answers);
    refuse_each_of(&asking, 6);
    cr_assert_eq(asking.load.version, 5);
}

Test(allocations, a_commit_is_asked_and_taken_or_not)
{
    static const char *const answers[] = {"*2\r\n:1\r\n$1\r\na\r\n", NULL};
    struct asking asking;
    asking_init(&asking, REDIS_REQUEST_COMMIT, answers);
    refuse_each_of(&asking, 3);
}

Test(allocations, the_watermark_is_asked_and_taken_or_not)
{
    static const char *const answers[] = {"*1\r\n$3\r\n1 2\r\n", NULL};
    struct asking asking;
    asking_init(&asking, REDIS_REQUEST_WATERMARK, answers);
    refuse_each_of(&asking, 3);
}

Test(allocations, a_disowned_watermark_is_told_or_not)
{
    static const char *const answers[] = {"*2\r\n:0\r\n$3\r\n1 2\r\n", NULL};
    struct asking asking;
    asking_init(&asking, REDIS_REQUEST_WATERMARK, answers);
    asking.is_write = true;
    refuse_each_of(&asking, 3);
}

Test(allocations, a_scene_is_read_whole_or_not)
{
    static const char *const answers[] = {"*3\r\n$1\r\n5\r\n$1\r\n9\r\n$1\r\nt\r\n",
                                          "*2\r\n$1\r\na\r\n$4\r\n\x93\x01\x01\xc0\r\n",
                                          "*3\r\n$1\r\n5\r\n$1\r\n9\r\n$1\r\nt\r\n", NULL};
    struct asking asking;
    asking_init(&asking, REDIS_REQUEST_SCENE_READ, answers);
    refuse_each_of(&asking, 4);
    cr_assert(asking.scene_read.consistent);
}
