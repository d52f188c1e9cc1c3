/* A batch applied to a scene in memory while memory is refused. */
#include <criterion/criterion.h>

#include "tests/allocations/refusing.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

/* More than are planned on the stack, and than are compared one by one. */
#define SEVENTEEN_KEYS                                                                             \
    "'k1':1,'k2':2,'k3':3,'k4':4,'k5':5,'k6':6,'k7':7,'k8':8,'k9':9,'k10':10,'k11':11,'k12':12,"   \
    "'k13':13,'k14':14,'k15':15,'k16':16,'k17':17"
/* On an element that has clocks: what is older than some of them, and what is newer. */
#define ON_CLOCKS                                                                                  \
    "{'op':'update','id':'clocked','changes':{'n':2,'old':null,'kind':{'data':{" SEVENTEEN_KEYS    \
    "}}},'timestamp':650}," ADD("clocked", 1, 690) "," UPDATE("clocked", 5, 950)
#define UUID "'bin:000102030405060708090a0b0c0d0e0f'"

struct applying {
    struct batch batch;
    struct span ids[10];
    struct span values[10]; /* what the store has */
    size_t id_count;
    struct span result_bytes, scene_bytes; /* as they should be; absent: not known yet */
    struct scene *scene;
    struct arena arena;
    struct buffer scratch;
    struct sync_result result;
};

static void applying_init(struct applying *applying, enum strategy strategy)
{
    static const char *const stored[][2] = {
        {"a", "[3,100,{'id':'a','kind':{'type':'T','data':{'x':1}},'transform':{'x':1.0,'y':0.0,"
              "'width':1,'height':1,'rotation':0,'z_index':0},'interactive':true,'selected':false,"
              "'parent':null,'n':1}]"},
        {"b", "[4,200,{'id':'b','kind':{'type':'T'},'n':1}]"},
        {"gone", "[2,300,null]"},
        {"c", "[2,50,{'id':'c','kind':{'type':'T'}}]"},
        {"clocked",
         "[3,700,{'id':'clocked','kind':{'type':'T','data':{'x':1}},'n':1,'old':{'m':1}},"
         "{'':100,'/n':700,'/old/m':300}]"},
    };
    *applying = (struct applying){.id_count = sizeof stored / sizeof stored[0]};
    for (size_t i = 0; i < applying->id_count; i++) {
        applying->ids[i] = span_of_text(stored[i][0]);
        applying->values[i] = message_of(stored[i][1]);
    }
    applying->ids[applying->id_count++] = span_of_text("new");
    applying->ids[applying->id_count++] = span_of_text("unknown");
    applying->batch = batch_of(BATCH(
        ADD("new", 1, 500),
        "{'op':'update','id':'a','changes':{" SEVENTEEN_KEYS ",'parent':" UUID
        ",'kind':{'data':{" SEVENTEEN_KEYS ",'long':'a text that makes it longer than it was'}},"
        "'new map':{" SEVENTEEN_KEYS "}},'timestamp':600}",
        UPDATE("b", 2, 100), ADD("gone", 1, 200), REMOVE("c", 700), UPDATE("unknown", 1, 1),
        UPDATE_ON(9, "b", 3, 800), INVALID, REMOVE("new", 900) "," ON_CLOCKS));
    applying->batch.strategy = strategy;
}

/* All that there is to read of the scene. */
static struct span scene_bytes(const struct applying *applying)
{
    struct buffer *const out = test_scratch();
    buffer_clear(out);
    buffer_append_format(out, "%llu %llu;", (unsigned long long)applying->scene->version,
                         (unsigned long long)applying->scene->element_count);
    for (size_t i = 0; i < applying->id_count; i++) {
        const struct element *const element = scene_find(applying->scene, applying->ids[i]);
        if (element->presence != ELEMENT_UNKNOWN) {
            buffer_append_span(out, applying->ids[i]);
            buffer_append_span(out, element_value_encode(element, out));
        }
    }
    return bytes_keep(buffer_span(out));
}

static bool load(struct applying *applying, struct error *error)
{
    for (size_t i = 0; i < applying->id_count; i++) {
        struct element *const element = scene_note(applying->scene, applying->ids[i]);
        if (element == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to note an element");
        }
        if (!scene_load_element(applying->scene, element, applying->values[i], error)) {
            return false;
        }
    }
    applying->scene->is_loaded = true;
    applying->scene->version = applying->scene->committed_version = 5;
    applying->scene->element_count = 4;
    return true;
}

static bool process(struct applying *applying, struct error *error)
{
    struct process_context context = process_context_default();
    context.arena = &applying->arena;
    context.scratch = &applying->scratch;
    return load(applying, error) &&
           process_batch(applying->scene, &applying->batch, &context, &applying->result, error);
}

static void apply_prepare(void *context)
{
    struct applying *const applying = context;
    applying->scene = NULL;
    arena_init(&applying->arena, (size_t)64 << 20);
    buffer_init(&applying->scratch, (size_t)64 << 20);
}

static bool apply_work(void *context, struct error *error)
{
    struct applying *const applying = context;
    applying->scene = scene_create(span_of_text("s"));
    if (applying->scene == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene");
    }
    return process(applying, error);
}

/* What failed is forgotten, read again and processed as if it had never been tried. */
static void apply_verify(void *context, bool is_done)
{
    struct applying *const applying = context;
    struct error error = {.code = ERROR_NONE};
    if (!is_done && applying->scene != NULL) {
        scene_forget(applying->scene, false);
        cr_assert_eq(applying->scene->dirty_count, 0);
        cr_assert(process(applying, &error), "%s", error.message);
        is_done = true;
    }
    if (is_done) {
        const struct span result = result_bytes(&applying->result);
        const struct span scene = scene_bytes(applying);
        cr_assert(span_is_absent(applying->result_bytes) ||
                  span_equal(result, applying->result_bytes));
        cr_assert(span_is_absent(applying->scene_bytes) ||
                  span_equal(scene, applying->scene_bytes));
        applying->result_bytes = result;
        applying->scene_bytes = scene;
    }
    scene_destroy(applying->scene);
    buffer_deinit(&applying->scratch);
    arena_deinit(&applying->arena);
}

static void refuse_all(enum strategy strategy)
{
    struct applying applying;
    applying_init(&applying, strategy);
    /* What it makes where nothing is refused. */
    struct error error = {.code = ERROR_NONE};
    apply_prepare(&applying);
    cr_assert(apply_work(&applying, &error), "%s", error.message);
    cr_assert(applying.result.synced_count > 2 && applying.result.pending_count > 0 &&
              applying.result.failed_count > 1);
    apply_verify(&applying, true);
    const struct trial trial = {apply_prepare, apply_work, apply_verify, &applying};
    refuse_each(&trial, 20);
}

Test(allocations, a_batch_is_applied_or_the_scene_can_be_read_again)
{
    refuse_all(STRATEGY_LAST_WRITE_WINS);
}

Test(allocations, a_batch_is_merged_or_the_scene_can_be_read_again)
{
    refuse_all(STRATEGY_MERGE);
}
