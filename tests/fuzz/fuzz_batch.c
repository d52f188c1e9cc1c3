/*
 * OperationBatch: any bytes as a record's value, on the ops topic, on a retry topic and under
 * narrow limits. The decoder and the model (tests/model) must read the same in it or refuse it with
 * the same code; what is accepted survives being written and read again; an add that is accepted
 * becomes the model's element.
 */
#include "protocol/batch.h"
#include "protocol/element.h"
#include "tests/fuzz/fuzz.h"

struct round {
    struct limits limits;
    struct batch_context context;
    struct model_settings settings;
    struct arena *arena;
    struct pool *pool;
};

static void round_prepare(struct round *round, struct limits limits, bool from_retry_topic)
{
    round->limits = limits;
    round->context = (struct batch_context){.limits = &round->limits,
                                            .default_strategy = STRATEGY_LAST_WRITE_WINS,
                                            .allow_batch_strategy = true,
                                            .from_retry_topic = from_retry_topic};
    round->settings = model_settings_default();
    round->settings.message_bytes_max = limits.message_bytes_max;
    round->settings.operations_max = limits.operations_max;
    round->settings.element_bytes_max = limits.element_bytes_max;
    round->settings.text_bytes_max = limits.text_bytes_max;
    round->settings.depth_max = limits.depth_max;
}

static bool is_same_identity(struct span found, struct span expected)
{
    return span_is_absent(found) == span_is_absent(expected) && span_equal(found, expected);
}

static void demand_same_identity(const struct batch *batch, const struct model_batch *model)
{
    fuzz_demand(is_same_identity(batch->session_id, model->session_id),
                "the decoder and the model read the same session_id");
    fuzz_demand(is_same_identity(batch->batch_id, model->batch_id), "... the same batch_id");
    fuzz_demand(is_same_identity(batch->client_id, model->client_id), "... the same client_id");
}

static void demand_same_element(const struct round *round, const struct operation *operation,
                                const struct model_operation *model)
{
    struct buffer out;
    struct error error = {.code = ERROR_NONE};
    buffer_init(&out, FUZZ_BUFFER_BYTES_MAX);
    if (element_complete(operation->document, &round->limits, round->arena, &out, &error)) {
        char path[256];
        const struct value *const found = value_read(buffer_span(&out), round->pool);
        fuzz_demand(out.size <= round->limits.element_bytes_max, "an element keeps its limit");
        fuzz_demand(found != NULL && value_is_sound(found), "a stored element is well-formed");
        fuzz_demand(value_is_same(model->content, found, path, sizeof path),
                    "an add makes the model's element");
    } else {
        fuzz_demand_refusal(&error);
        fuzz_demand(error.code == ERROR_ELEMENT_TOO_LARGE, "a checked add fails for size only");
        fuzz_demand(out.size == 0, "... and leaves nothing behind");
    }
    buffer_deinit(&out);
}

static void demand_same_operation(const struct round *round, const struct operation *operation,
                                  const struct model_operation *model)
{
    static const char *const kinds[] = {[MODEL_INVALID] = "invalid",
                                        [MODEL_ADD] = "add",
                                        [MODEL_UPDATE] = "update",
                                        [MODEL_REMOVE] = "remove",
                                        [MODEL_INTERACTION] = "interaction"};
    fuzz_demand_equal(operation->raw, model->raw, "an operation is what was received");
    fuzz_demand(operation->well_formed == model->is_echoed, "both agree on what may be echoed");
    fuzz_demand(strcmp(operation_kind_name(operation->kind), kinds[model->kind]) == 0,
                "the decoder and the model see the same kind of operation");
    if (operation->kind == OPERATION_INVALID) {
        fuzz_demand_line(operation->invalid_reason, ERROR_MESSAGE_BYTES_MAX);
        return;
    }
    fuzz_demand(operation->has_timestamp && operation->timestamp_ms == model->timestamp_ms,
                "... with the same timestamp");
    fuzz_demand(
        operation->has_base_version == model->has_base_version &&
            (!operation->has_base_version || operation->base_version == model->base_version),
        "... with the same base_version");
    if (operation->kind != OPERATION_INTERACTION) {
        fuzz_demand_equal(operation->id, model->id, "... on the same element");
    }
    if (operation->kind == OPERATION_ADD) {
        demand_same_element(round, operation, model);
    }
    if (operation->kind == OPERATION_UPDATE) {
        fuzz_demand_equal(operation->document, model->content->raw, "... with the same changes");
    }
}

/* Written again as a requeue or a dead letter would be. */
static void encode(const struct batch *batch, struct arena *arena, struct buffer *out)
{
    struct span *const raws = arena_alloc_array(arena, batch->operation_count, sizeof *raws);
    fuzz_demand(raws != NULL, "an input of this size fits the memory");
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        raws[i] = batch->operations[i].raw;
    }
    const bool has_id = !span_is_absent(batch->batch_id);
    const struct batch_parts parts = {.session_id = batch->session_id,
                                      .batch_id = has_id ? batch->batch_id : span_of_text("t/0/1"),
                                      .client_id = batch->client_id,
                                      .strategy = batch->strategy,
                                      .operations = raws,
                                      .operation_count = batch->operation_count,
                                      .retry = batch->retry};
    batch_encode(&parts, out);
    fuzz_demand(!out->failed, "a batch can be written");
}

static void demand_survives(const struct round *round, const struct batch *batch)
{
    struct buffer written, again;
    buffer_init(&written, FUZZ_BUFFER_BYTES_MAX);
    buffer_init(&again, FUZZ_BUFFER_BYTES_MAX);
    encode(batch, round->arena, &written);

    struct limits limits = round->limits; /* it may have grown by what was left out */
    limits.message_bytes_max = FUZZ_BUFFER_BYTES_MAX;
    struct batch_context context = round->context;
    context.limits = &limits;
    struct batch copy;
    struct error error = {.code = ERROR_NONE};
    fuzz_demand(batch_decode(buffer_span(&written), &context, round->arena, &copy, &error),
                "what was accepted and written is accepted");
    fuzz_demand(copy.operation_count == batch->operation_count, "... with as many operations");
    for (uint32_t i = 0; i < copy.operation_count; i++) {
        fuzz_demand(copy.operations[i].kind == batch->operations[i].kind &&
                        copy.operations[i].index == batch->operations[i].index,
                    "... that are the same ones");
    }
    encode(&copy, round->arena, &again);
    fuzz_demand_equal(buffer_span(&again), buffer_span(&written), "... and is written the same");
    buffer_deinit(&again);
    buffer_deinit(&written);
}

/* The model does not look into a `retry` section as hard as the decoder, which may then refuse it;
 * what comes behind that check is not reached. */
static void demand_same_code(const struct round *round, const struct error *error,
                             const struct model_batch *model)
{
    const char *const code = error_code_name(error->code);
    const bool is_late = model->code == NULL || strcmp(model->code, "too_many_operations") == 0;
    const bool is_stricter =
        round->context.from_retry_topic && error->code == ERROR_INVALID_RETRY && is_late;
    fuzz_demand(is_stricter || (model->code != NULL && strcmp(code, model->code) == 0),
                "the decoder and the model refuse with the same code");
}

static void decode(struct span payload, struct round *round)
{
    struct batch batch;
    struct model_batch model;
    struct error error = {.code = ERROR_NONE};
    model_batch_read(payload, &round->settings, round->context.from_retry_topic, round->pool,
                     &model);
    if (!batch_decode(payload, &round->context, round->arena, &batch, &error)) {
        fuzz_demand_refusal(&error);
        fuzz_demand(batch.operations == NULL && batch.retry == NULL && batch.operation_count == 0,
                    "a refused batch has no operations");
        demand_same_code(round, &error, &model);
        if (model.code != NULL) {
            demand_same_identity(&batch, &model);
        }
        return;
    }
    fuzz_demand(model.code == NULL, "the model accepts what the decoder accepts");
    demand_same_identity(&batch, &model);
    fuzz_demand(strcmp(strategy_name(batch.strategy), model_strategy_name(model.strategy)) == 0,
                "... and reads the same strategy");
    fuzz_demand_equal(batch.operations_raw, model.operations_raw, "... and the same bytes");
    fuzz_demand(batch.operation_count == model.operation_count, "... of as many operations");
    fuzz_demand((batch.retry != NULL) == round->context.from_retry_topic,
                "there is a retry section on a retry topic, and only there");
    for (uint32_t i = 0; i < batch.operation_count; i++) {
        demand_same_operation(round, &batch.operations[i], &model.operations[i]);
    }
    demand_survives(round, &batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct limits usual = limits_default();
    struct limits narrow = usual;
    narrow.message_bytes_max = 1024;
    narrow.element_bytes_max = 256;
    narrow.text_bytes_max = 16;
    narrow.operations_max = 3;
    narrow.depth_max = 4;
    const struct {
        struct limits limits;
        bool from_retry_topic;
    } rounds[] = {{usual, false}, {usual, true}, {narrow, false}};

    const struct span payload = span_make(data, size);
    struct arena arena;
    struct pool pool = {0};
    arena_init(&arena, FUZZ_ARENA_BYTES_MAX);
    (void)fuzz_readers_agree(payload, &arena, &pool);
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
        struct round round = {.arena = &arena, .pool = &pool};
        round_prepare(&round, rounds[i].limits, rounds[i].from_retry_topic);
        decode(payload, &round);
    }
    pool_free(&pool);
    arena_deinit(&arena);
    return 0;
}
