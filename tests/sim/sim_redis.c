#include "tests/sim/sim_redis.h"

#include <assert.h>
#include <stdlib.h>

#include "store/memory_store.h"
#include "tests/sim/sim_redis_inside.h"

struct sim_redis *sim_redis_create(struct sim_time *time, struct dice *dice,
                                   const struct sim_redis_options *options,
                                   const struct sim_redis_watch *watch)
{
    struct sim_redis *redis = calloc(1, sizeof *redis);
    assert(redis != NULL);
    redis->time = time;
    redis->dice = dice;
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
        struct sim_connection *connection = redis->connections;
        assert(connection->is_destroyed);
        while (connection->orphans.first != NULL) {
            sim_request_free(sim_requests_pop(&connection->orphans));
        }
        connection->travelling = 0;
        sim_connection_release(connection);
    }
    store_destroy(redis->memory);
    free(redis);
}

/* --- What arrives --- */

uint64_t sim_redis_soon_ms(struct sim_redis *redis)
{
    return redis->time->now_ms + dice_below(redis->dice, redis->options.latency_ms_max + 1);
}

/* So that no check fails. */
static void expect_what_is_there(struct sim_redis *redis, struct scene_commit *commit)
{
    struct scene_load load = {.session_id = commit->session_id, .arena = commit->arena};
    store_submit_load(redis->memory, &load);
    (void)store_poll(redis->memory, 0);
    commit->expected_version = load.version;
    commit->expected_token = load.token;
}

void sim_redis_run(struct sim_redis *redis, struct sim_request *request)
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
    for (struct sim_connection *c = redis->connections; c != NULL; c = c->next) {
        if (!c->is_destroyed && !c->is_broken) {
            sim_connection_break(c);
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
    for (struct sim_connection *c = redis->connections; c != NULL; c = c->next) {
        if (!c->is_destroyed && !c->is_broken && c->process == process) {
            sim_connection_break(c);
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
