#include "tests/sim/sim_redis.h"

#include <assert.h>
#include <stdlib.h>

#include "store/memory_store.h"
#include "tests/sim/sim_request.h"

enum {
    POLL_US = 10,
    /* Of a connection that breaks: so often what was sent before a random place still arrives. */
    ARRIVES_PER_MILLE = 500
};

struct queue {
    struct sim_request *first, *last;
};

struct connection {
    struct store base; /* first: a struct store is this */
    struct sim_redis *redis;
    struct sim_process *process;
    struct connection *next;
    bool is_destroyed;
    /* What has happened to the network; the worker finds out in its next poll. */
    bool has_come_up, is_broken;
    bool is_connected; /* as the worker knows it */
    uint64_t epoch, history;
    uint64_t arrives_ms, visible_ms; /* of the latest request, and the latest reply */
    size_t travelling;               /* requests that have not arrived: they keep this */
    struct queue asked;              /* not sent yet */
    struct queue sent;               /* not arrived */
    struct queue orphans;            /* the same, of connections given up: first of all */
    struct queue answered;           /* not told yet */
    struct queue unanswered;         /* arrived behind the break, or were the reason for it */
};

struct sim_redis {
    struct sim_time *time;
    struct soak_random *random;
    struct sim_redis_options options;
    struct sim_redis_watch watch;
    struct store *memory;
    struct connection *connections;
    uint64_t history, down_until_ms, hangs_until_ms;
};

static void push(struct queue *queue, struct sim_request *request)
{
    request->next = NULL;
    if (queue->first == NULL) {
        queue->first = request;
    } else {
        queue->last->next = request;
    }
    queue->last = request;
}

static struct sim_request *pop(struct queue *queue)
{
    struct sim_request *first = queue->first;
    queue->first = first->next;
    return first;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t soon_ms(struct sim_redis *redis)
{
    return redis->time->now_ms +
           soak_random_below(redis->random, redis->options.latency_ms_max + 1);
}

static struct connection *connection_of(const struct store *store)
{
    union {
        const struct store *store;
        struct connection *connection;
    } pointer = {.store = store};
    return pointer.connection;
}

static void release(struct connection *connection)
{
    if (connection->is_destroyed && connection->travelling == 0) {
        struct connection **link = &connection->redis->connections;
        while (*link != connection) {
            link = &(*link)->next;
        }
        *link = connection->next;
        free(connection);
    }
}

/* --- The connection's life --- */

static void connect_now(void *context);

static void plan_connect(struct connection *connection)
{
    struct sim_redis *redis = connection->redis;
    uint64_t at_ms = later(redis->time->now_ms, redis->down_until_ms) + 1 +
                     soak_random_below(redis->random, redis->options.backoff_ms_max);
    connection->travelling++;
    sim_time_plan(redis->time, at_ms, connect_now, connection);
}

static void connect_now(void *context)
{
    struct connection *connection = context;
    struct sim_redis *redis = connection->redis;
    connection->travelling--;
    if (connection->is_destroyed) {
        release(connection);
        return;
    }
    if (redis->time->now_ms < later(redis->down_until_ms, redis->hangs_until_ms)) {
        plan_connect(connection);
        return;
    }
    connection->has_come_up = true;
    connection->is_broken = false;
    connection->history = redis->history;
    sim_process_wake(connection->process, redis->time->now_ms);
}

static void abandon_all(struct queue *queue, bool is_freed)
{
    for (struct sim_request *request = queue->first; request != NULL;) {
        struct sim_request *next = request->next;
        sim_request_abandon(request);
        if (is_freed) {
            sim_request_free(request);
        }
        request = next;
    }
    if (is_freed) {
        queue->first = NULL;
    }
}

/* The worker is told that nothing is known; what arrives later is nobody's. */
static void give_up(struct connection *connection)
{
    abandon_all(&connection->asked, true);
    abandon_all(&connection->answered, true);
    abandon_all(&connection->unanswered, true);
    abandon_all(&connection->sent, false);
    while (connection->sent.first != NULL) {
        push(&connection->orphans, pop(&connection->sent));
    }
}

/* It breaks: some of what was sent still arrives, from the first on, as with any stream. */
static void disconnect(struct connection *connection)
{
    struct sim_redis *redis = connection->redis;
    if (!connection->is_connected && connection->has_come_up) {
        plan_connect(connection); /* the worker never knew of it */
    }
    connection->has_come_up = false;
    connection->is_broken = true;
    bool arrives = soak_random_chance(redis->random, ARRIVES_PER_MILLE);
    for (struct sim_request *request = connection->sent.first; request != NULL;
         request = request->next) {
        arrives = arrives && !soak_random_chance(redis->random, 200);
        request->is_lost = request->is_lost || !arrives;
    }
    sim_process_wake(connection->process, redis->time->now_ms);
}

/* What the network did comes to the worker's knowledge. True: something did. */
static bool notice(struct connection *connection)
{
    if (connection->is_connected && connection->is_broken) {
        connection->is_connected = false;
        give_up(connection);
        plan_connect(connection);
        return true;
    }
    if (!connection->is_connected && connection->has_come_up) {
        connection->is_connected = true;
        connection->epoch++;
        return true;
    }
    return false;
}

/* --- The server --- */

static void expect_what_is_there(struct sim_redis *redis, struct scene_commit *commit)
{
    struct scene_load load = {.session_id = commit->session_id, .arena = commit->arena};
    store_submit_load(redis->memory, &load);
    (void)store_poll(redis->memory, 0);
    commit->expected_version = load.version;
    commit->expected_token = load.token;
}

static void run(struct sim_redis *redis, struct sim_request *request)
{
    switch (request->kind) {
    case SIM_REQUEST_LOAD:
        store_submit_load(redis->memory, &request->load);
        break;
    case SIM_REQUEST_COMMIT:
        if (redis->options.is_unchecked) {
            expect_what_is_there(redis, &request->commit);
        }
        store_submit_commit(redis->memory, &request->commit);
        break;
    case SIM_REQUEST_WATERMARK:
        store_submit_watermark(redis->memory, &request->watermark);
        break;
    }
    (void)store_poll(redis->memory, 0);
    if (request->kind == SIM_REQUEST_COMMIT && request->commit.status == STORE_DONE) {
        redis->watch.committed(redis->watch.context, &request->commit);
    }
}

/* The watermark's script looks whether the server is the one that the connection began with. */
static bool finds_other_history(const struct connection *connection,
                                const struct sim_request *request)
{
    return request->kind == SIM_REQUEST_WATERMARK && request->watermark.is_write &&
           connection->history != connection->redis->history;
}

static void answer(struct connection *connection, struct sim_request *request)
{
    connection->visible_ms = later(connection->visible_ms, soon_ms(connection->redis));
    request->visible_ms = connection->visible_ms;
    push(&connection->answered, request);
    sim_process_wake(connection->process, request->visible_ms);
}

/* The next request of this connection arrives: those of one that it gave up come first. */
static void arrive(void *context)
{
    struct connection *connection = context;
    struct sim_redis *redis = connection->redis;
    uint64_t away_ms = later(redis->hangs_until_ms, redis->down_until_ms);
    if (redis->time->now_ms < away_ms) {
        sim_time_plan(redis->time, away_ms, arrive, connection);
        return;
    }
    connection->travelling--;
    if (connection->orphans.first != NULL) {
        struct sim_request *request = pop(&connection->orphans);
        if (!request->is_lost) {
            run(redis, request);
        }
        sim_request_free(request);
        release(connection);
        return;
    }
    assert(connection->sent.first != NULL && !connection->is_destroyed);
    struct sim_request *request = pop(&connection->sent);
    if (connection->is_broken) {
        if (!request->is_lost) {
            run(redis, request);
        }
        push(&connection->unanswered, request);
        return;
    }
    if (finds_other_history(connection, request)) {
        disconnect(connection);
        push(&connection->unanswered, request);
        return;
    }
    run(redis, request);
    answer(connection, request);
}

/* --- The worker's side --- */

static void ask(struct store *store, struct sim_request *request)
{
    push(&connection_of(store)->asked, request);
}

static void submit_load(struct store *store, struct scene_load *load)
{
    ask(store, sim_request_make_load(load));
}

static void submit_commit(struct store *store, struct scene_commit *commit)
{
    ask(store, sim_request_make_commit(commit));
}

static void submit_watermark(struct store *store, struct watermark_request *watermark)
{
    ask(store, sim_request_make_watermark(watermark));
}

static void send_all(struct connection *connection)
{
    struct sim_redis *redis = connection->redis;
    while (connection->asked.first != NULL) {
        struct sim_request *request = pop(&connection->asked);
        request->sent_ms = redis->time->now_ms;
        connection->arrives_ms = later(connection->arrives_ms, soon_ms(redis));
        push(&connection->sent, request);
        connection->travelling++;
        sim_time_plan(redis->time, connection->arrives_ms, arrive, connection);
    }
}

static size_t in_flight(const struct connection *connection)
{
    size_t count = 0;
    for (const struct sim_request *r = connection->sent.first; r != NULL; r = r->next) {
        count++;
    }
    for (const struct sim_request *r = connection->answered.first; r != NULL; r = r->next) {
        count++;
    }
    for (const struct sim_request *r = connection->unanswered.first; r != NULL; r = r->next) {
        count++;
    }
    return count;
}

/* Tells what was answered. True: something was. */
static bool tell(struct connection *connection)
{
    bool is_told = false;
    while (connection->answered.first != NULL &&
           connection->answered.first->visible_ms <= connection->redis->time->now_ms) {
        struct sim_request *request = pop(&connection->answered);
        sim_request_complete(request);
        sim_request_free(request);
        is_told = true;
    }
    return is_told;
}

/* Until when the first answer has to be there. */
static uint64_t timeout_ms_of(const struct connection *connection)
{
    const struct sim_request *oldest =
        connection->answered.first != NULL ? connection->answered.first : connection->sent.first;
    return oldest == NULL ? UINT64_MAX : oldest->sent_ms + connection->redis->options.timeout_ms;
}

static uint64_t next_ms(const struct connection *connection)
{
    uint64_t told_ms =
        connection->answered.first == NULL ? UINT64_MAX : connection->answered.first->visible_ms;
    uint64_t timeout_ms = timeout_ms_of(connection);
    return told_ms < timeout_ms ? told_ms : timeout_ms;
}

static size_t poll_store(struct store *store, int timeout_ms)
{
    struct connection *connection = connection_of(store);
    struct sim_process *process = connection->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    sim_process_spend(process, POLL_US);
    for (;;) {
        uint64_t now_ms = sim_process_now_ms(process);
        if (!process->is_dead && timeout_ms_of(connection) <= now_ms) {
            disconnect(connection);
        }
        bool is_changed = !process->is_dead && notice(connection);
        if (process->is_dead || !connection->is_connected) {
            is_changed = is_changed || connection->asked.first != NULL;
            give_up(connection);
        } else {
            send_all(connection);
        }
        if (tell(connection) || is_changed || now_ms >= deadline_ms) {
            return in_flight(connection);
        }
        uint64_t until_ms = next_ms(connection);
        sim_process_wait(process, until_ms < deadline_ms ? until_ms : deadline_ms);
    }
}

static bool is_ready(const struct store *store)
{
    return connection_of(store)->is_connected && !connection_of(store)->process->is_dead;
}

static uint64_t epoch(const struct store *store)
{
    return connection_of(store)->epoch;
}

static void destroy(struct store *store)
{
    struct connection *connection = connection_of(store);
    if (!connection->is_broken) {
        disconnect(connection); /* with what is on its way */
    }
    give_up(connection);
    connection->is_destroyed = true;
    release(connection);
}

struct store *sim_redis_connect(struct sim_redis *redis, struct sim_process *process)
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
    struct connection *connection = calloc(1, sizeof *connection);
    assert(connection != NULL);
    connection->base.interface = &interface;
    connection->redis = redis;
    connection->process = process;
    connection->next = redis->connections;
    redis->connections = connection;
    connection->is_broken = true; /* until it has come up */
    plan_connect(connection);
    return &connection->base;
}

struct sim_redis *sim_redis_create(struct sim_time *time, struct soak_random *random,
                                   const struct sim_redis_options *options,
                                   const struct sim_redis_watch *watch)
{
    struct sim_redis *redis = calloc(1, sizeof *redis);
    assert(redis != NULL);
    redis->time = time;
    redis->random = random;
    redis->options = *options;
    redis->watch = *watch;
    redis->memory = memory_store_create(&options->retention);
    redis->history = 1;
    assert(redis->memory != NULL);
    return redis;
}

void sim_redis_destroy(struct sim_redis *redis)
{
    while (redis->connections != NULL) { /* those that something was still on its way from */
        struct connection *connection = redis->connections;
        assert(connection->is_destroyed);
        while (connection->orphans.first != NULL) {
            sim_request_free(pop(&connection->orphans));
        }
        connection->travelling = 0;
        release(connection);
    }
    store_destroy(redis->memory);
    free(redis);
}

/* --- What others look at --- */

static void tell_field(void *context, const struct memory_store_field *field)
{
    static const struct {
        const char *name;
        enum ledger_key key;
    } keys[] = {
        {"meta", LEDGER_META},
        {"elements", LEDGER_ELEMENTS},
        {"tombstones", LEDGER_TOMBSTONES},
        {"batches", LEDGER_BATCHES},
        {"batches.old", LEDGER_BATCHES},
        {"pending", LEDGER_PENDING},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i].name, field->key) == 0) {
            ledger_add_field(context, field->session_id, keys[i].key, field->name, field->value);
        }
    }
}

void sim_redis_tell(const struct sim_redis *redis, struct ledger *ledger)
{
    memory_store_visit(redis->memory, tell_field, ledger);
}

/* --- Faults --- */

static void disconnect_all(struct sim_redis *redis)
{
    for (struct connection *c = redis->connections; c != NULL; c = c->next) {
        if (!c->is_destroyed && !c->is_broken) {
            disconnect(c);
        }
    }
}

void sim_redis_set_down(struct sim_redis *redis, uint64_t until_ms)
{
    redis->down_until_ms = until_ms;
    disconnect_all(redis);
}

void sim_redis_hang(struct sim_redis *redis, uint64_t until_ms)
{
    redis->hangs_until_ms = until_ms;
}

void sim_redis_cut(struct sim_redis *redis, const struct sim_process *process)
{
    for (struct connection *c = redis->connections; c != NULL; c = c->next) {
        if (!c->is_destroyed && !c->is_broken && c->process == process) {
            disconnect(c);
        }
    }
}

void sim_redis_lose(struct sim_redis *redis, enum sim_redis_loss loss, size_t writes)
{
    switch (loss) {
    case SIM_LOSS_RESTART:
        memory_store_forget_tail(redis->memory, writes);
        redis->history++;
        disconnect_all(redis);
        break;
    case SIM_LOSS_FAILOVER:
        memory_store_forget_tail(redis->memory, writes);
        redis->history++;
        break;
    case SIM_LOSS_EMPTIED:
        store_destroy(redis->memory);
        redis->memory = memory_store_create(&redis->options.retention);
        assert(redis->memory != NULL);
        break;
    }
}

void sim_redis_mend(struct sim_redis *redis)
{
    redis->down_until_ms = redis->hangs_until_ms = 0;
}
