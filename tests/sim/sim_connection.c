/* A connection to the simulated Redis: up and down, and what travels over it. */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/sim_redis_inside.h"

/* Of a connection that breaks. */
enum {
    /* So often what was sent before a random place still arrives. */
    ARRIVES_PER_MILLE = 500,
    LOST_PER_MILLE = 200 /* of each of those, and all behind it */
};

void sim_connection_release(struct sim_connection *connection)
{
    if (connection->is_destroyed && connection->travelling == 0) {
        struct sim_connection **link = &connection->redis->connections;
        while (*link != connection) {
            link = &(*link)->next;
        }
        *link = connection->next;
        free(connection);
    }
}

/* --- Up and down --- */

static void connect_now(void *context);

void sim_connection_plan(struct sim_connection *connection)
{
    struct sim_redis *redis = connection->redis;
    uint64_t at_ms = sim_time_later(redis->time->now_ms, redis->down_until_ms) + 1 +
                     dice_below(redis->dice, redis->options.backoff_ms_max);
    connection->travelling++;
    sim_time_plan(redis->time, at_ms, connect_now, connection);
}

static void connect_now(void *context)
{
    struct sim_connection *connection = context;
    struct sim_redis *redis = connection->redis;
    connection->travelling--;
    if (connection->is_destroyed) {
        sim_connection_release(connection);
        return;
    }
    if (redis->time->now_ms < sim_time_later(redis->down_until_ms, redis->hangs_until_ms)) {
        sim_connection_plan(connection);
        return;
    }
    connection->has_come_up = true;
    connection->is_broken = false;
    connection->history = redis->history;
    sim_process_wake(connection->process, redis->time->now_ms);
}

void sim_connection_give_up(struct sim_connection *connection)
{
    sim_requests_abandon(&connection->asked, true);
    sim_requests_abandon(&connection->answered, true);
    sim_requests_abandon(&connection->unanswered, true);
    sim_requests_abandon(&connection->sent, false);
    while (connection->sent.first != NULL) {
        sim_requests_push(&connection->orphans, sim_requests_pop(&connection->sent));
    }
}

void sim_connection_break(struct sim_connection *connection)
{
    struct sim_redis *redis = connection->redis;
    if (!connection->is_connected && connection->has_come_up) {
        sim_connection_plan(connection); /* the worker never knew of it */
    }
    connection->has_come_up = false;
    connection->is_broken = true;
    bool arrives = dice_chance(redis->dice, ARRIVES_PER_MILLE);
    for (struct sim_request *request = connection->sent.first; request != NULL;
         request = request->next) {
        arrives = arrives && !dice_chance(redis->dice, LOST_PER_MILLE);
        request->is_lost = request->is_lost || !arrives;
    }
    sim_process_wake(connection->process, redis->time->now_ms);
}

bool sim_connection_notice(struct sim_connection *connection)
{
    if (connection->is_connected && connection->is_broken) {
        connection->is_connected = false;
        sim_connection_give_up(connection);
        sim_connection_plan(connection);
        return true;
    }
    if (!connection->is_connected && connection->has_come_up) {
        connection->is_connected = true;
        connection->epoch++;
        return true;
    }
    return false;
}

/* --- What travels --- */

/* The watermark's script looks whether the server is the one that the connection began with: also
 * where it arrives so late that the connection is another one by now. */
static bool finds_other_history(const struct sim_redis *redis, const struct sim_request *request)
{
    return request->kind == SIM_REQUEST_WATERMARK && request->watermark.is_write &&
           request->history != redis->history;
}

/* One whose connection is gone: it takes effect, but nobody hears of it. */
static void arrive_late(struct sim_redis *redis, struct sim_request *request)
{
    if (!request->is_lost && !finds_other_history(redis, request)) {
        sim_redis_run(redis, request);
    }
}

static void answer(struct sim_connection *connection, struct sim_request *request)
{
    connection->visible_ms =
        sim_time_later(connection->visible_ms, sim_redis_soon_ms(connection->redis));
    request->visible_ms = connection->visible_ms;
    sim_requests_push(&connection->answered, request);
    sim_process_wake(connection->process, request->visible_ms);
}

/* The next request of this connection arrives: those of one that it gave up come first. */
static void arrive(void *context)
{
    struct sim_connection *connection = context;
    struct sim_redis *redis = connection->redis;
    uint64_t away_ms = sim_time_later(redis->hangs_until_ms, redis->down_until_ms);
    if (redis->time->now_ms < away_ms) {
        sim_time_plan(redis->time, away_ms, arrive, connection);
        return;
    }
    connection->travelling--;
    if (connection->orphans.first != NULL) {
        struct sim_request *request = sim_requests_pop(&connection->orphans);
        arrive_late(redis, request);
        sim_request_free(request);
        sim_connection_release(connection);
        return;
    }
    assert(connection->sent.first != NULL && !connection->is_destroyed);
    struct sim_request *request = sim_requests_pop(&connection->sent);
    if (connection->is_broken) {
        arrive_late(redis, request);
        sim_requests_push(&connection->unanswered, request);
        return;
    }
    if (finds_other_history(redis, request)) {
        sim_connection_break(connection);
        sim_requests_push(&connection->unanswered, request);
        return;
    }
    sim_redis_run(redis, request);
    answer(connection, request);
}

void sim_connection_send(struct sim_connection *connection)
{
    struct sim_redis *redis = connection->redis;
    while (connection->asked.first != NULL) {
        struct sim_request *request = sim_requests_pop(&connection->asked);
        request->sent_ms = redis->time->now_ms;
        request->history = connection->history;
        connection->arrives_ms = sim_time_later(connection->arrives_ms, sim_redis_soon_ms(redis));
        sim_requests_push(&connection->sent, request);
        connection->travelling++;
        sim_time_plan(redis->time, connection->arrives_ms, arrive, connection);
    }
}
