#include "store/memory_store.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/buffer.h"
#include "store/memory_commit.h"
#include "store/memory_watermark.h"

enum { FAULT_COUNT = MEMORY_STORE_FAULT_REFUSE + 1, QUEUE_CAPACITY_MIN = 16 };

/** One of them. */
struct request {
    struct scene_load *load;
    struct scene_commit *commit;
    struct watermark_request *watermark;
};

struct memory_store {
    struct store base; /* first: a struct store is this */
    struct store_retention retention;
    struct memory_scene **scenes; /* by session id */
    size_t scene_count, scene_capacity;
    struct memory_scene watermark;
    struct request *queue;
    size_t queue_count, queue_capacity;
    struct memory_log history[MEMORY_STORE_HISTORY_WRITES]; /* a ring, of the latest writes */
    size_t history_first, history_count;
    unsigned faults[FAULT_COUNT]; /* how often each is still to happen */
    uint64_t epoch;
    bool is_down;
    bool is_history_changed; /* nobody has noticed yet */
};

static struct memory_store *memory_store_of(struct store *store)
{
    return (struct memory_store *)store;
}

/* Scenes. */

static size_t find_place(const struct memory_store *store, struct span session_id, bool *found)
{
    size_t low = 0, high = store->scene_count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memory_key_compare(session_id, memory_item_key(store->scenes[middle]->session));
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
            *found = order == 0;
        }
    }
    return low;
}

static struct memory_scene *create_scene(struct span session_id)
{
    struct memory_scene *scene = calloc(1, sizeof *scene);
    if (scene == NULL) {
        return NULL;
    }
    scene->session = memory_item_create(session_id, span_make("", 0));
    if (scene->session == NULL) {
        free(scene);
        return NULL;
    }
    return scene;
}

/** The scene, made empty where there is none yet; NULL when out of memory. */
static struct memory_scene *provide_scene(struct memory_store *store, struct span session_id)
{
    bool found;
    size_t place = find_place(store, session_id, &found);
    if (found) {
        return store->scenes[place];
    }
    if (store->scene_count == store->scene_capacity) {
        size_t capacity = store->scene_capacity > 0 ? store->scene_capacity * 2 : 8;
        struct memory_scene **scenes =
            realloc(store->scenes, capacity * sizeof(struct memory_scene *));
        if (scenes == NULL) {
            return NULL;
        }
        store->scenes = scenes;
        store->scene_capacity = capacity;
    }
    struct memory_scene *scene = create_scene(session_id);
    if (scene != NULL) {
        memmove(store->scenes + place + 1, store->scenes + place,
                (store->scene_count - place) * sizeof(struct memory_scene *));
        store->scenes[place] = scene;
        store->scene_count++;
    }
    return scene;
}

/* History. */

static void remember(struct memory_store *store, const struct memory_log *log)
{
    if (store->history_count == MEMORY_STORE_HISTORY_WRITES) {
        memory_log_clear(&store->history[store->history_first]);
        store->history_first = (store->history_first + 1) % MEMORY_STORE_HISTORY_WRITES;
        store->history_count--;
    }
    size_t place = (store->history_first + store->history_count) % MEMORY_STORE_HISTORY_WRITES;
    store->history[place] = *log;
    store->history_count++;
}

void memory_store_forget_tail(struct store *base, size_t writes)
{
    struct memory_store *store = memory_store_of(base);
    assert(writes <= MEMORY_STORE_HISTORY_WRITES);
    for (size_t i = 0; i < writes && store->history_count > 0; i++) {
        store->history_count--;
        memory_log_undo(&store->history[(store->history_first + store->history_count) %
                                        MEMORY_STORE_HISTORY_WRITES]);
    }
}

/* Requests. */

static bool take_fault(struct memory_store *store, enum memory_store_fault fault)
{
    if (store->faults[fault] == 0) {
        return false;
    }
    store->faults[fault]--;
    return true;
}

static enum store_status run_load(struct memory_store *store, struct scene_load *load)
{
    struct memory_scene *scene = provide_scene(store, load->session_id);
    if (scene == NULL) {
        error_set(&load->error, ERROR_OUT_OF_MEMORY, "the memory store is out of memory");
        return STORE_FAILED;
    }
    return memory_load_run(scene, load);
}

static enum store_status run_commit(struct memory_store *store, struct scene_commit *commit)
{
    if (take_fault(store, MEMORY_STORE_FAULT_REFUSE)) {
        return STORE_REFUSED;
    }
    struct memory_scene *scene = provide_scene(store, commit->session_id);
    if (scene == NULL) {
        error_set(&commit->error, ERROR_OUT_OF_MEMORY, "the memory store is out of memory");
        return STORE_FAILED;
    }
    if (!memory_watermark_bears(&store->watermark, commit)) {
        return STORE_DISOWNED;
    }
    struct memory_log log = {0};
    enum store_status status = memory_commit_run(scene, commit, &store->retention, &log);
    if (status == STORE_DONE) {
        remember(store, &log);
    }
    return take_fault(store, MEMORY_STORE_FAULT_LOSE_REPLY) ? STORE_UNKNOWN : status;
}

static enum store_status run_watermark(struct memory_store *store,
                                       struct watermark_request *request)
{
    struct memory_log log = {0};
    enum store_status status = memory_watermark_run(&store->watermark, request, &log);
    if (request->is_write && status == STORE_DONE) {
        remember(store, &log);
    }
    bool is_lost = request->is_write && take_fault(store, MEMORY_STORE_FAULT_LOSE_REPLY);
    return is_lost ? STORE_UNKNOWN : status;
}

static bool can_work(const struct memory_store *store)
{
    return !store->is_down && !store->watermark.is_wrong_type;
}

static void run(struct memory_store *store, struct request request, bool is_connected)
{
    bool is_lost =
        !is_connected || !can_work(store) || take_fault(store, MEMORY_STORE_FAULT_LOSE_REQUEST);
    if (request.load != NULL) {
        request.load->status = is_lost ? STORE_UNKNOWN : run_load(store, request.load);
    } else if (request.commit != NULL) {
        request.commit->status = is_lost ? STORE_UNKNOWN : run_commit(store, request.commit);
    } else {
        request.watermark->status =
            is_lost ? STORE_UNKNOWN : run_watermark(store, request.watermark);
    }
}

/** Completes at once as STORE_UNKNOWN where there is no memory to queue it. */
static bool enqueue(struct memory_store *store, struct request request)
{
    if (store->queue_count == store->queue_capacity) {
        size_t capacity =
            store->queue_capacity > 0 ? store->queue_capacity * 2 : QUEUE_CAPACITY_MIN;
        struct request *queue = realloc(store->queue, capacity * sizeof *queue);
        if (queue == NULL) {
            return false;
        }
        store->queue = queue;
        store->queue_capacity = capacity;
    }
    store->queue[store->queue_count++] = request;
    return true;
}

static void submit_load(struct store *store, struct scene_load *load)
{
    bool queued = enqueue(memory_store_of(store), (struct request){.load = load});
    load->status = queued ? STORE_IN_FLIGHT : STORE_UNKNOWN;
}

static void submit_commit(struct store *store, struct scene_commit *commit)
{
    bool queued = enqueue(memory_store_of(store), (struct request){.commit = commit});
    commit->status = queued ? STORE_IN_FLIGHT : STORE_UNKNOWN;
}

static void submit_watermark(struct store *store, struct watermark_request *watermark)
{
    assert(watermark->count > 0 && watermark->count <= STORE_WATERMARK_ENTRIES_MAX);
    bool queued = enqueue(memory_store_of(store), (struct request){.watermark = watermark});
    watermark->status = queued ? STORE_IN_FLIGHT : STORE_UNKNOWN;
}

/** True where the request finds that another primary took over. */
static bool notices_history(const struct memory_store *store, const struct request *request)
{
    return store->is_history_changed && can_work(store) && request->watermark != NULL &&
           request->watermark->is_write;
}

/** Requests take effect here, in the order of their submission. It never waits. */
static size_t poll_store(struct store *base, int timeout_ms)
{
    struct memory_store *store = memory_store_of(base);
    bool is_connected = true;
    (void)timeout_ms;
    for (size_t i = 0; i < store->queue_count; i++) {
        is_connected = is_connected && !notices_history(store, &store->queue[i]);
        run(store, store->queue[i], is_connected);
    }
    if (!is_connected) {
        store->is_history_changed = false;
        store->epoch++;
    }
    store->queue_count = 0;
    return 0;
}

static bool is_ready(const struct store *store)
{
    return can_work((const struct memory_store *)store);
}

static uint64_t epoch(const struct store *store)
{
    return ((const struct memory_store *)store)->epoch;
}

static void destroy(struct store *base)
{
    struct memory_store *store = memory_store_of(base);
    store->is_down = true;
    (void)poll_store(base, 0);
    for (size_t i = 0; i < MEMORY_STORE_HISTORY_WRITES; i++) {
        memory_log_clear(&store->history[i]);
    }
    for (size_t i = 0; i < store->scene_count; i++) {
        memory_scene_clear(store->scenes[i]);
        free(store->scenes[i]);
    }
    memory_scene_clear(&store->watermark);
    free(store->scenes);
    free(store->queue);
    free(store);
}

struct store *memory_store_create(const struct store_retention *retention)
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
    struct memory_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->base.interface = &interface;
    store->retention = *retention;
    store->epoch = 1;
    return &store->base;
}

/* For tests. */

void memory_store_inject(struct store *store, enum memory_store_fault fault)
{
    memory_store_of(store)->faults[fault]++;
}

void memory_store_set_wrong_type(struct store *store, struct span session_id, bool wrong)
{
    struct memory_scene *scene = &memory_store_of(store)->watermark;
    if (!span_is_absent(session_id)) {
        scene = provide_scene(memory_store_of(store), session_id);
    }
    assert(scene != NULL);
    scene->is_wrong_type = wrong;
}

void memory_store_set_down(struct store *base, bool down)
{
    struct memory_store *store = memory_store_of(base);
    if (store->is_down && !down) {
        store->epoch++;
        store->is_history_changed = false;
    }
    store->is_down = down;
}

void memory_store_change_history(struct store *store)
{
    memory_store_of(store)->is_history_changed = true;
}

static void append_escaped(struct buffer *out, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        bool is_plain = text.data[i] >= ' ' && text.data[i] < 0x7f && text.data[i] != '\\';
        buffer_append_format(out, is_plain ? "%c" : "\\x%02x", text.data[i]);
    }
}

static void append_hex(struct buffer *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        buffer_append_format(out, "%02x", bytes.data[i]);
    }
}

static void visit_scene(const struct memory_scene *scene,
                        void (*visit)(void *context, const struct memory_store_field *field),
                        void *context)
{
    static const char *const names[MEMORY_TOMBSTONES_BY_TIME] = {
        [MEMORY_META] = "meta",
        [MEMORY_ELEMENTS] = "elements",
        [MEMORY_TOMBSTONES] = "tombstones",
        [MEMORY_BATCHES] = "batches",
        [MEMORY_BATCHES_OLD] = "batches.old",
        [MEMORY_PENDING] = "pending",
    };
    for (size_t key = 0; key < MEMORY_TOMBSTONES_BY_TIME; key++) {
        const struct memory_table *table = &scene->tables[key];
        for (size_t i = 0; i < table->count; i++) {
            const struct memory_store_field field = {
                .session_id = memory_item_key(scene->session),
                .key = names[key],
                .name = memory_item_key(table->items[i]),
                .value = memory_item_value(table->items[i]),
            };
            visit(context, &field);
        }
    }
}

void memory_store_visit(const struct store *base,
                        void (*visit)(void *context, const struct memory_store_field *field),
                        void *context)
{
    const struct memory_store *store = (const struct memory_store *)base;
    for (size_t i = 0; i < store->scene_count; i++) {
        visit_scene(store->scenes[i], visit, context);
    }
}

static void append_field(void *context, const struct memory_store_field *field)
{
    struct buffer *out = context;
    buffer_append_format(out, "%s ", field->key);
    append_escaped(out, field->name);
    buffer_append(out, " ", 1);
    append_hex(out, field->value);
    buffer_append(out, "\n", 1);
}

void memory_store_dump(const struct store *base, struct span session_id, struct buffer *out)
{
    const struct memory_store *store = (const struct memory_store *)base;
    bool found;
    size_t place = find_place(store, session_id, &found);
    if (found) {
        visit_scene(store->scenes[place], append_field, out);
    }
}
