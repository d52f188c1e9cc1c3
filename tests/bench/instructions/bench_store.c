#include "tests/bench/instructions/bench_store.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>

#include "store/memory_store.h"
#include "store/position.h"
#include "store/redis_commit.h"
#include "store/redis_load.h"
#include "store/redis_watermark.h"
#include "tests/bench/instructions/collect.h"

enum {
    QUEUE_MAX = 4096, /* a cycle has at most 1,024 scenes */
    BYTES_MAX = 1 << 30,
    FIELDS_PER_COMMAND_MAX = 128, /* redis_load.c's */
    RECORD_KEYS = 3
};

/** One of them; the rest NULL. */
struct request {
    struct scene_load *load;
    struct scene_commit *commit;
    struct watermark_request *watermark;
    size_t replies;
};

struct bench_store {
    struct store base; /* first: a struct store is this */
    struct store *memory;
    struct redis_scripts scripts;
    redisReader *reader;
    struct request queue[QUEUE_MAX];
    size_t queue_count;
    struct buffer commands, reply;
    struct arena arena; /* of one request to the memory store */
    uint64_t command_bytes, reply_bytes;
};

static struct bench_store *bench_store_of(struct store *store)
{
    return (struct bench_store *)store;
}

/* ---- Replies as Redis writes them ---- */

static void reply_array(struct buffer *out, size_t count)
{
    buffer_append_format(out, "*%zu\r\n", count);
}

static void reply_integer(struct buffer *out, int number)
{
    buffer_append_format(out, ":%d\r\n", number);
}

static void reply_value(struct buffer *out, struct span value)
{
    if (span_is_absent(value)) {
        buffer_append_format(out, "$-1\r\n");
        return;
    }
    buffer_append_format(out, "$%zu\r\n", value.size);
    buffer_append_span(out, value);
    buffer_append(out, "\r\n", 2);
}

static void reply_number(struct buffer *out, uint64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%" PRIu64, number);
    reply_value(out, span_make(text, (size_t)size));
}

/** The replies to the HMGETs of so many fields; `values` NULL: nothing is there. Returns how many.
 */
static size_t reply_fields(struct buffer *out, const struct span *values, size_t count)
{
    size_t replies = 0;
    for (size_t from = 0; from < count; from += FIELDS_PER_COMMAND_MAX, replies++) {
        size_t rest = count - from;
        size_t size = rest < FIELDS_PER_COMMAND_MAX ? rest : FIELDS_PER_COMMAND_MAX;
        reply_array(out, size);
        for (size_t i = 0; i < size; i++) {
            reply_value(out, values == NULL ? (struct span){0} : values[from + i]);
        }
    }
    return replies;
}

static size_t reply_load(const struct scene_load *load, struct buffer *out)
{
    bool is_there = load->version > 0;
    reply_array(out, 3 + load->position_count);
    if (is_there) {
        reply_number(out, load->version);
        reply_value(out, span_make(load->token.text, load->token.size));
        reply_number(out, load->scene_element_count);
    } else {
        reply_value(out, (struct span){0});
        reply_value(out, (struct span){0});
        reply_value(out, (struct span){0});
    }
    for (size_t i = 0; i < load->position_count; i++) {
        char text[POSITION_BYTES_MAX];
        const struct store_position *position = &load->positions[i];
        size_t size = position->known ? position_write(position, text) : 0;
        reply_value(out, position->known ? span_make(text, size) : (struct span){0});
    }
    size_t replies = 1;
    if (load->element_count > 0) {
        buffer_append_format(out, ":%" PRIu64 "\r\n", load->stored_count);
        replies++;
    }
    replies += reply_fields(out, load->element_values, load->element_count);
    for (size_t key = 0; key < RECORD_KEYS; key++) {
        /* Finished ones, which is what most are, stand under the second key. */
        replies += reply_fields(out, key == 1 ? load->record_values : NULL, load->record_count);
    }
    return replies;
}

static int script_says(enum store_status status, int disowned)
{
    return status == STORE_DONE ? 1 : (status == STORE_DISOWNED ? disowned : 0);
}

/* ---- The memory store's answers ---- */

static void *copy_of(struct arena *arena, const void *items, size_t count, size_t item_size)
{
    void *copy = arena_alloc_array(arena, count, item_size);
    assert(copy != NULL);
    if (count > 0) {
        memcpy(copy, items, count * item_size);
    }
    return copy;
}

static size_t answer_load(struct bench_store *store, const struct scene_load *load)
{
    struct scene_load shadow = *load;
    shadow.arena = &store->arena;
    shadow.positions = copy_of(&store->arena, load->positions, load->position_count,
                               sizeof(struct store_position));
    store_submit_load(store->memory, &shadow);
    (void)store_poll(store->memory, 0);
    assert(shadow.status == STORE_DONE);
    return reply_load(&shadow, &store->reply);
}

static size_t answer_commit(struct bench_store *store, const struct scene_commit *commit)
{
    struct scene_commit shadow = *commit;
    shadow.arena = &store->arena;
    store_submit_commit(store->memory, &shadow);
    (void)store_poll(store->memory, 0);
    assert(shadow.status == STORE_DONE || shadow.status == STORE_REFUSED ||
           shadow.status == STORE_DISOWNED);
    reply_array(&store->reply, 1 + shadow.dropped_count);
    reply_integer(&store->reply, script_says(shadow.status, 2));
    for (size_t i = 0; i < shadow.dropped_count; i++) {
        reply_value(&store->reply, shadow.dropped[i]);
    }
    return 1;
}

static size_t answer_watermark(struct bench_store *store, const struct watermark_request *request)
{
    struct watermark_request shadow = *request;
    shadow.arena = &store->arena;
    shadow.entries =
        copy_of(&store->arena, request->entries, request->count, sizeof(struct watermark_entry));
    store_submit_watermark(store->memory, &shadow);
    (void)store_poll(store->memory, 0);
    bool is_told = !request->is_write || shadow.status == STORE_DISOWNED;
    reply_array(&store->reply, (request->is_write ? 1U : 0U) + (is_told ? request->count : 0));
    if (request->is_write) {
        reply_integer(&store->reply, script_says(shadow.status, 0));
    }
    for (size_t i = 0; is_told && i < request->count; i++) {
        reply_value(&store->reply, shadow.entries[i].found);
    }
    return 1;
}

static void answer(struct bench_store *store, const struct request *request)
{
    size_t replies = 0;
    arena_reset(&store->arena);
    buffer_clear(&store->reply);
    if (request->load != NULL) {
        replies = answer_load(store, request->load);
    } else if (request->commit != NULL) {
        replies = answer_commit(store, request->commit);
    } else {
        replies = answer_watermark(store, request->watermark);
    }
    /* Another number means that redis_load.c asks differently now: reply_fields() must follow. */
    assert(replies == request->replies && !store->reply.failed);
    store->reply_bytes += store->reply.size;
}

/* ---- The Redis store's share ---- */

static void enqueue(struct bench_store *store, struct request request)
{
    assert(store->queue_count < QUEUE_MAX);
    store->queue[store->queue_count++] = request;
}

static void submit_load(struct store *base, struct scene_load *load)
{
    struct bench_store *store = bench_store_of(base);
    load->status = STORE_IN_FLIGHT;
    bool has_room = redis_load_begin(load);
    assert(has_room);
    (void)has_room;
    size_t replies = redis_load_encode(load, store->scripts.key_prefix, &store->commands);
    enqueue(store, (struct request){.load = load, .replies = replies});
}

static void submit_commit(struct store *base, struct scene_commit *commit)
{
    struct bench_store *store = bench_store_of(base);
    commit->status = STORE_IN_FLIGHT;
    commit->dropped_count = 0;
    redis_commit_encode(commit, &store->scripts, &store->commands);
    enqueue(store, (struct request){.commit = commit, .replies = 1});
}

static void submit_watermark(struct store *base, struct watermark_request *watermark)
{
    struct bench_store *store = bench_store_of(base);
    watermark->status = STORE_IN_FLIGHT;
    redis_watermark_encode(watermark, &store->scripts, &store->commands);
    enqueue(store, (struct request){.watermark = watermark, .replies = 1});
}

static void take(const struct request *request, size_t index, const redisReply *reply)
{
    if (request->load != NULL) {
        bool is_taken = redis_load_take(request->load, index, reply);
        assert(is_taken);
        (void)is_taken;
        request->load->status = index + 1 == request->replies ? STORE_DONE : STORE_IN_FLIGHT;
    } else if (request->commit != NULL) {
        request->commit->status = redis_commit_take(request->commit, reply);
    } else {
        request->watermark->status = redis_watermark_take(request->watermark, reply);
    }
}

static void take_all(struct bench_store *store, const struct request *request)
{
    int fed = redisReaderFeed(store->reader, (const char *)store->reply.data, store->reply.size);
    assert(fed == REDIS_OK);
    (void)fed;
    for (size_t i = 0; i < request->replies; i++) {
        void *reply = NULL;
        int read = redisReaderGetReply(store->reader, &reply);
        assert(read == REDIS_OK && reply != NULL);
        (void)read;
        take(request, i, reply);
        freeReplyObject(reply);
    }
}

static size_t poll_store(struct store *base, int timeout_ms)
{
    struct bench_store *store = bench_store_of(base);
    (void)timeout_ms;
    assert(!store->commands.failed);
    store->command_bytes += store->commands.size;
    buffer_clear(&store->commands); /* sent */
    for (size_t i = 0; i < store->queue_count; i++) {
        collect_pause();
        answer(store, &store->queue[i]);
        collect_resume();
        take_all(store, &store->queue[i]);
    }
    store->queue_count = 0;
    return 0;
}

static bool is_ready(const struct store *store)
{
    (void)store;
    return true;
}

static uint64_t epoch(const struct store *store)
{
    (void)store;
    return 1;
}

static void destroy(struct store *base)
{
    struct bench_store *store = bench_store_of(base);
    store_destroy(store->memory);
    if (store->reader != NULL) {
        redisReaderFree(store->reader);
    }
    buffer_deinit(&store->commands);
    buffer_deinit(&store->reply);
    arena_deinit(&store->arena);
    free(store);
}

struct store *bench_store_create(const struct redis_store_options *options)
{
    static const struct store_interface interface = {
        .submit_load = submit_load,
        .submit_commit = submit_commit,
        .submit_watermark = submit_watermark,
        .poll = poll_store,
        .is_ready = is_ready,
        .epoch = epoch,
        .destroy = destroy,
    };
    struct bench_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->base.interface = &interface;
    store->memory = memory_store_create(&options->retention);
    store->reader = redisReaderCreate();
    store->scripts = (struct redis_scripts){
        .key_prefix = span_of_text(options->key_prefix),
        .group = span_of_text(options->group),
        .retention = options->retention,
        .history_size = REDIS_SHA_BYTES, /* as long as Redis's replication ids are */
    };
    memset(store->scripts.shas, 'a', sizeof store->scripts.shas);
    memset(store->scripts.history, 'a', store->scripts.history_size);
    buffer_init(&store->commands, BYTES_MAX);
    buffer_init(&store->reply, BYTES_MAX);
    arena_init(&store->arena, BYTES_MAX);
    if (store->memory == NULL || store->reader == NULL) {
        destroy(&store->base);
        return NULL;
    }
    return &store->base;
}

/* ---- The benchmark's side ---- */

bool bench_store_seed(struct store *base, const struct workload *workload,
                      const struct workload_sizes *sizes, uint32_t scene, int64_t now_ms)
{
    struct bench_store *store = bench_store_of(base);
    char session[WORKLOAD_SESSION_BYTES_MAX];
    arena_reset(&store->arena);
    struct element_write *writes =
        arena_alloc_array(&store->arena, sizes->elements, sizeof(struct element_write));
    for (uint32_t i = 0; writes != NULL && i < sizes->elements; i++) {
        char id[WORKLOAD_ID_BYTES];
        workload_element_id(workload, scene, i, id);
        buffer_clear(&store->reply);
        workload_encode_stored(workload, scene, i, &store->reply);
        writes[i].id = arena_copy(&store->arena, span_make(id, sizeof id));
        writes[i].value = arena_copy(&store->arena, buffer_span(&store->reply));
        if (span_is_absent(writes[i].id) || span_is_absent(writes[i].value)) {
            return false;
        }
    }
    struct scene_commit commit = {
        .session_id = span_make(session, workload_session(scene, session)),
        .checked = true,
        .version = 1,
        .token = {.size = 4, .text = "seed"},
        .scene_element_count = sizes->elements,
        .updated_at_ms = now_ms,
        .elements = writes,
        .element_count = sizes->elements,
        .arena = &store->arena,
    };
    if (writes == NULL) {
        return false;
    }
    store_submit_commit(store->memory, &commit);
    (void)store_poll(store->memory, 0);
    return commit.status == STORE_DONE;
}

uint64_t bench_store_command_bytes(const struct store *store)
{
    return ((const struct bench_store *)store)->command_bytes;
}

uint64_t bench_store_reply_bytes(const struct store *store)
{
    return ((const struct bench_store *)store)->reply_bytes;
}
