/* A connection to the simulated Redis as a worker has it: a store. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_redis_inside.h"

enum { POLL_US = 10 };

static struct sim_connection *connection_of(const struct store *store)
{
    union {
        const struct store *store;
        struct sim_connection *connection;
    } pointer = {.store = store};
    return pointer.connection;
}

static void ask(struct store *store, struct sim_request *request)
{
    sim_requests_push(&connection_of(store)->asked, request);
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

static size_t in_flight(const struct sim_connection *connection)
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
static bool tell(struct sim_connection *connection)
{
    bool is_told = false;
    while (connection->answered.first != NULL &&
           connection->answered.first->visible_ms <= connection->redis->time->now_ms) {
        struct sim_request *request = sim_requests_pop(&connection->answered);
        sim_request_complete(request);
        sim_request_free(request);
        is_told = true;
    }
    return is_told;
}

/* Until when the first answer has to be there. */
static uint64_t timeout_ms_of(const struct sim_connection *connection)
{
    const struct sim_request *oldest =
        connection->answered.first != NULL ? connection->answered.first : connection->sent.first;
    return oldest == NULL ? UINT64_MAX : oldest->sent_ms + connection->redis->options.timeout_ms;
}

static uint64_t next_ms(const struct sim_connection *connection)
{
    uint64_t told_ms =
        connection->answered.first == NULL ? UINT64_MAX : connection->answered.first->visible_ms;
    return sim_time_earlier(told_ms, timeout_ms_of(connection));
}

static size_t poll_store(struct store *store, int timeout_ms)
{
    struct sim_connection *connection = connection_of(store);
    struct sim_process *process = connection->process;
    uint64_t deadline_ms = sim_process_now_ms(process) + (uint64_t)timeout_ms;
    sim_process_spend(process, POLL_US);
    for (;;) {
        uint64_t now_ms = sim_process_now_ms(process);
        if (!process->is_dead && timeout_ms_of(connection) <= now_ms) {
            sim_connection_break(connection);
        }
        bool is_changed = !process->is_dead && sim_connection_notice(connection);
        if (process->is_dead || !connection->is_connected) {
            is_changed = is_changed || connection->asked.first != NULL;
            sim_connection_give_up(connection);
        } else {
            sim_connection_send(connection);
        }
        if (tell(connection) || is_changed || now_ms >= deadline_ms) {
            return in_flight(connection);
        }
        sim_process_wait(process, sim_time_earlier(deadline_ms, next_ms(connection)));
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
    struct sim_connection *connection = connection_of(store);
    if (!connection->is_broken) {
        sim_connection_break(connection); /* with what is on its way */
    }
    sim_connection_give_up(connection);
    connection->is_destroyed = true;
    sim_connection_release(connection);
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
    struct sim_connection *connection = calloc(1, sizeof *connection);
    assert(connection != NULL);
    connection->base.interface = &interface;
    connection->redis = redis;
    connection->process = process;
    connection->next = redis->connections;
    redis->connections = connection;
    connection->is_broken = true; /* until it has come up */
    sim_connection_plan(connection);
    return &connection->base;
}
