/* Batches, requeues, results and records read while memory is refused. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "store/record.h"
#include "tests/allocations/refusing.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "worker/requeue.h"

/* More keys than are compared one by one, in the batch, an operation and an element. */
#define MANY_KEYS                                                                                  \
    "'k1':1,'k2':2,'k3':3,'k4':4,'k5':5,'k6':6,'k7':7,'k8':8,'k9':9,'k10':10,'k11':11,'k12':12,"   \
    "'k13':13,'k14':14,'k15':15,'k16':16,'k17':17"
#define UUID_BYTES "'bin:000102030405060708090a0b0c0d0e0f'"
#define OPERATIONS_OF_ALL_SORTS                                                                    \
    ADD("a", 1, 10)                                                                                \
    "," UPDATE("a", 2, 20) "," REMOVE("a", 30) "," INTERACTION(                                    \
        40) "," INVALID "," MALFORMED ",{'op':'remove','id':" UUID_BYTES ",'timestamp':1}"         \
            ",{'op':'update','id':'b','changes':{" MANY_KEYS "},'timestamp':2}"

struct decoding {
    struct span message;
    bool from_retry_topic;
    struct limits limits;
    enum error_code code; /* that it is refused with; ERROR_NONE: it is accepted */
    struct arena arena;
    struct batch batch;
    enum error_code found;
};

static struct batch_context context_of(const struct decoding *decoding)
{
    return (struct batch_context){.limits = &decoding->limits,
                                  .default_strategy = STRATEGY_LAST_WRITE_WINS,
                                  .allow_batch_strategy = true,
                                  .from_retry_topic = decoding->from_retry_topic};
}

static void decode_prepare(void *context)
{
    struct decoding *const decoding = context;
    arena_init(&decoding->arena, (size_t)64 << 20);
}

/* Done is what ends as it should, in a refusal too. */
static bool decode_work(void *context, struct error *error)
{
    struct decoding *const decoding = context;
    const struct batch_context batch_context = context_of(decoding);
    const bool is_batch =
        batch_decode(decoding->message, &batch_context, &decoding->arena, &decoding->batch, error);
    decoding->found = is_batch ? ERROR_NONE : error->code;
    return decoding->found == decoding->code;
}

static struct span written(const struct batch *batch)
{
    struct span raws[16];
    cr_assert_leq(batch->operation_count, 16);
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        raws[i] = batch->operations[i].raw;
    }
    const struct batch_parts parts = {.session_id = batch->session_id,
                                      .batch_id = batch->batch_id,
                                      .client_id = batch->client_id,
                                      .strategy = batch->strategy,
                                      .operations = raws,
                                      .operation_count = batch->operation_count,
                                      .retry = batch->retry};
    buffer_clear(test_scratch());
    batch_encode(&parts, test_scratch());
    return buffer_span(test_scratch());
}

static void decode_verify(void *context, bool is_done)
{
    static const char uuid[] = "00010203-0405-0607-0809-0a0b0c0d0e0f";
    struct decoding *const decoding = context;
    const struct batch *const batch = &decoding->batch;
    if (!is_done || decoding->code != ERROR_NONE) {
        cr_assert(batch->operations == NULL && batch->operation_count == 0 && batch->retry == NULL);
    }
    if (is_done) {
        cr_assert(span_equal_text(batch->session_id, "s"));
        cr_assert(span_equal_text(batch->batch_id, uuid));
    }
    if (is_done && decoding->code == ERROR_NONE) {
        const struct span once = bytes_keep(written(batch));
        const struct batch copy = decoding->from_retry_topic ? retry_of_bytes(decoding->message)
                                                             : batch_of_bytes(decoding->message);
        cr_assert(span_equal(once, written(&copy)));
    }
    arena_deinit(&decoding->arena);
}

static void refuse_each_of_decode(struct decoding decoding, unsigned long least)
{
    decoding.limits = decoding.limits.depth_max == 0 ? limits_default() : decoding.limits;
    const struct trial trial = {decode_prepare, decode_work, decode_verify, &decoding};
    refuse_each(&trial, least);
}

Test(allocations, a_batch_is_decoded_or_not)
{
    refuse_each_of_decode(
        (struct decoding){.message = message_of("{'session_id':'s','batch_id':" UUID_BYTES
                                                ",'operations':[" OPERATIONS_OF_ALL_SORTS
                                                "]," MANY_KEYS "}")},
        6);
}

Test(allocations, a_requeued_batch_is_decoded_or_not)
{
    static const char json[] =
        "{'session_id':'s','batch_id':" UUID_BYTES ",'strategy':'local_wins','operations':[" UPDATE(
            "a", 1, 1) "],'retry':{'attempt':2,'not_before':5,'arrival':4,'source':{'topic':'t',"
                       "'partition':0,'offset':7},'total':3,'indexes':[1],'synced_count':1,"
                       "'clamped_count':0,'duration_ms':1,'attempt_versions':[6],'conflicts':"
                       "[{'index':1,'reason':'ElementNotFound','resolution':'keep_local',"
                       "'resolved':false,'local':{'version':0,'timestamp':0,'removed':false}}],"
                       "'failed_operations':[{'index':2,'code':'element_removed','error':'gone',"
                       "'retryable':false,'operation':null}]," MANY_KEYS "}}";
    refuse_each_of_decode((struct decoding){.message = message_of(json), .from_retry_topic = true},
                          8);
}

/* A result goes to whom the batch names, so the name must not get lost for want of memory. */
Test(allocations, a_refused_batch_keeps_its_name_or_is_not_refused)
{
    struct limits limits = limits_default();
    limits.operations_max = 1;
    refuse_each_of_decode(
        (struct decoding){.message = message_of("{'session_id':'s','batch_id':" UUID_BYTES
                                                ",'operations':[1,2]}"),
                          .limits = limits,
                          .code = ERROR_TOO_MANY_OPERATIONS},
        2);
}

/* A record of the store, the result in it, and its requeue. */

struct remembering {
    struct scene *scene;
    struct batch batch;
    struct sync_result result;
    struct span record_bytes, result_bytes, requeue_bytes; /* as they should be */
    struct arena arena;
    struct buffer out;
    struct batch_record record;
};

static void remembering_init(struct remembering *remembering)
{
    const struct process_context context = process_context_default();
    remembering->scene = scene_at_version(5);
    remembering->batch = batch_of(BATCH(ADD("a", 1, 10), UPDATE("b", 1, 10), REMOVE("c", 10),
                                        INVALID, MALFORMED, ADD("a", 2, 5)));
    remembering->result = batch_process(remembering->scene, &remembering->batch, &context);
    remembering->result_bytes = result_bytes(&remembering->result);
    remembering->requeue_bytes = batch_requeue(&remembering->result, &remembering->batch);
    uint32_t pending[8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < remembering->result.failure_entry_count; i++) {
        if (remembering->result.failures[i].pending) {
            pending[count++] = remembering->result.failures[i].index;
        }
    }
    cr_assert_gt(count, 1);
    const struct batch_record record = {.attempt = 1,
                                        .delivery = {.topic = span_of_text("t"), .offset = 7},
                                        .arrival_ms = TEST_NOW_MS,
                                        .pending_indexes = pending,
                                        .pending_count = count,
                                        .result = remembering->result};
    buffer_clear(test_scratch());
    record_encode(&record, test_scratch());
    remembering->record_bytes = bytes_keep(buffer_span(test_scratch()));
}

static void remember_prepare(void *context)
{
    struct remembering *const remembering = context;
    arena_init(&remembering->arena, (size_t)64 << 20);
    buffer_init(&remembering->out, (size_t)64 << 20);
}

static bool remember_work(void *context, struct error *error)
{
    struct remembering *const remembering = context;
    return record_decode(remembering->record_bytes, &remembering->arena, &remembering->record,
                         error);
}

static void remember_verify(void *context, bool is_done)
{
    struct remembering *const remembering = context;
    if (is_done) {
        record_refill_bodies(&remembering->record.result, &remembering->batch);
        cr_assert(span_equal(result_bytes(&remembering->record.result), remembering->result_bytes));
    }
    buffer_deinit(&remembering->out);
    arena_deinit(&remembering->arena);
}

static bool requeue_work(void *context, struct error *error)
{
    struct remembering *const remembering = context;
    bool fits = false;
    return requeue_encode(&remembering->result, &remembering->batch, TEST_NOW_MS,
                          limits_default().message_bytes_max, &remembering->arena,
                          &remembering->out, &fits, error) &&
           fits;
}

static void requeue_verify(void *context, bool is_done)
{
    struct remembering *const remembering = context;
    cr_assert(!is_done || span_equal(buffer_span(&remembering->out), remembering->requeue_bytes));
    buffer_deinit(&remembering->out);
    arena_deinit(&remembering->arena);
}

static bool encode_work(void *context, struct error *error)
{
    struct remembering *const remembering = context;
    sync_result_encode(&remembering->result, BODIES_AS_THEY_ARE, 0, &remembering->out);
    return !remembering->out.failed ||
           error_set(error, ERROR_OUT_OF_MEMORY, "the buffer has failed");
}

static void encode_verify(void *context, bool is_done)
{
    struct remembering *const remembering = context;
    cr_assert(!is_done || span_equal(buffer_span(&remembering->out), remembering->result_bytes));
    buffer_deinit(&remembering->out);
    arena_deinit(&remembering->arena);
}

Test(allocations, a_record_is_read_or_not)
{
    struct remembering remembering;
    remembering_init(&remembering);
    const struct trial trial = {remember_prepare, remember_work, remember_verify, &remembering};
    refuse_each(&trial, 4);
    scene_destroy(remembering.scene);
}

Test(allocations, a_requeue_is_written_or_not)
{
    struct remembering remembering;
    remembering_init(&remembering);
    const struct trial trial = {remember_prepare, requeue_work, requeue_verify, &remembering};
    refuse_each(&trial, 3);
    scene_destroy(remembering.scene);
}

Test(allocations, a_result_is_written_or_not)
{
    struct remembering remembering;
    remembering_init(&remembering);
    const struct trial trial = {remember_prepare, encode_work, encode_verify, &remembering};
    refuse_each(&trial, 1);
    scene_destroy(remembering.scene);
}
