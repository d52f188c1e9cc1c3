#include "tests/soak/soak_store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/soak/soak_aof.h"
#include "tests/soak/soak_redis.h"
#include "tests/support/child_process.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/redis_server.h"

enum {
    FOLLOW_TIMEOUT_MS = 30000,
    POLL_MS = 20,
    REPEAT_MS = 100,        /* between two CLIENT KILLs, or two cuts */
    CUT_BYTES_MAX = 300000, /* of the file: a second or two of commits */
    CUT_COMMANDS_MAX = 6,   /* a connection is cut after so many commits */
    DELAY_MS = 200
};

struct soak_store {
    struct soak_log *log;
    struct redis_server *primary, *replica;
    struct fault_proxy *proxy;
    redisContext *busy; /* whose script does not end; NULL: none */
    uint64_t repeated_ms;
    bool is_paused; /* nobody would answer: not to be waited for */
    char url[64];
};

static void follow(const struct redis_server *replica, const struct redis_server *primary)
{
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", redis_server_port(primary));
    cr_assert(SOAK_REDIS_RUN(replica, "REPLICAOF", "127.0.0.1", port));
}

struct soak_store *soak_store_start(const struct soak_setup *setup, struct soak_log *log)
{
    struct soak_store *const store = calloc(1, sizeof(*store));
    cr_assert_not_null(store);
    const char *const arguments[] = {"--appendonly",
                                     "yes",
                                     "--appendfsync",
                                     setup->fsync_always ? "always" : "everysec",
                                     "--aof-load-truncated",
                                     "yes",
                                     "--auto-aof-rewrite-min-size",
                                     "2mb",
                                     "--enable-protected-configs",
                                     "yes",
                                     "--busy-reply-threshold",
                                     "100",
                                     "--repl-diskless-sync-delay",
                                     "0",
                                     "--repl-timeout",
                                     "30",
                                     NULL};
    store->log = log;
    store->primary = redis_server_start_with(arguments);
    store->replica = redis_server_start_with(arguments);
    follow(store->replica, store->primary);
    store->proxy = fault_proxy_start(redis_server_port(store->primary));
    (void)snprintf(store->url, sizeof(store->url), "redis://127.0.0.1:%d/0",
                   fault_proxy_port(store->proxy));
    const uint64_t deadline_ms = monotonic_ms() + FOLLOW_TIMEOUT_MS;
    while (!soak_store_is_well(store)) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "the Redis replica does not follow");
        sleep_ms(POLL_MS);
    }
    return store;
}

void soak_store_stop(struct soak_store *store)
{
    redisFree(store->busy);
    fault_proxy_stop(store->proxy);
    redis_server_stop(store->primary);
    redis_server_stop(store->replica);
    free(store);
}

const char *soak_store_url(const struct soak_store *store)
{
    return store->url;
}

struct redis_server *soak_store_primary(const struct soak_store *store)
{
    return store->primary;
}

bool soak_store_is_well(const struct soak_store *store)
{
    return !store->is_paused && soak_redis_serves(store->primary) &&
           soak_redis_follows(store->replica);
}

bool soak_store_is_paused(const struct soak_store *store)
{
    return store->is_paused;
}

static void set_config(const struct soak_store *store, const char *name, const char *value)
{
    cr_assert(SOAK_REDIS_RUN(store->primary, "CONFIG", "SET", name, value),
              "Redis does not take CONFIG SET %s %s", name, value);
}

/* Each fault is a pair of functions, and one for what has to be done over and over in between. */
typedef void action(struct soak_store *store, const struct soak_step *step);

static void kill_primary(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    redis_server_kill(store->primary);
}

static void launch_primary(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    redis_server_launch(store->primary);
}

static void kill_and_cut(struct soak_store *store, const struct soak_step *step)
{
    redis_server_kill(store->primary);
    const size_t bytes = soak_aof_cut(redis_server_directory(store->primary),
                                      1 + (size_t)(step->choice % CUT_BYTES_MAX));
    soak_log_line(store->log, "redis: the last %zu bytes of its file are gone", bytes);
}

static void kill_and_empty(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    redis_server_kill(store->primary);
    soak_aof_remove(redis_server_directory(store->primary));
}

static void pause_primary(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    redis_server_pause(store->primary);
    store->is_paused = true;
}

static void resume_primary(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    redis_server_resume(store->primary);
    store->is_paused = false;
}

static void kill_clients(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    (void)SOAK_REDIS_RUN(store->primary, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
}

static void fill_memory(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    set_config(store, "maxmemory", "1mb");
}

static void free_memory(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    set_config(store, "maxmemory", "0");
}

static void demand_replicas(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    set_config(store, "min-replicas-to-write", "5");
}

static void demand_no_replicas(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    set_config(store, "min-replicas-to-write", "0");
}

/* BGSAVE fails where its directory is gone, and Redis then refuses writes. */
static void break_disk(struct soak_store *store, const struct soak_step *step)
{
    char directory[SOAK_PATH_BYTES];
    (void)step;
    (void)snprintf(directory, sizeof(directory), "%s/gone", redis_server_directory(store->primary));
    cr_assert_eq(mkdir(directory, 0700), 0);
    set_config(store, "dir", directory);
    set_config(store, "save", "3600 1");
    cr_assert_eq(rmdir(directory), 0);
    cr_assert(SOAK_REDIS_RUN(store->primary, "BGSAVE", "SCHEDULE"));
}

static void mend_disk(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    set_config(store, "save", "");
    set_config(store, "dir", redis_server_directory(store->primary));
}

/* Each is one that the worker's scripts or its reads need. */
static const char *right_of(const struct soak_step *step, size_t given)
{
    static const char *const rights[][2] = {
        {"-evalsha", "+evalsha"}, {"-hmget", "+hmget"}, {"-hset", "+hset"}, {"-info", "+info"}};
    return rights[step->choice % (sizeof(rights) / sizeof(*rights))][given];
}

static void take_right(struct soak_store *store, const struct soak_step *step)
{
    cr_assert(SOAK_REDIS_RUN(store->primary, "ACL", "SETUSER", "default", right_of(step, 0)));
}

static void give_right(struct soak_store *store, const struct soak_step *step)
{
    cr_assert(SOAK_REDIS_RUN(store->primary, "ACL", "SETUSER", "default", right_of(step, 1)));
}

static void begin_script(struct soak_store *store, const struct soak_step *step)
{
    int is_sent = 0;
    (void)step;
    store->busy = soak_redis_connect(store->primary);
    cr_assert_not_null(store->busy, "Redis does not answer");
    (void)redisAppendCommand(store->busy, "EVAL %s 0", "while true do end");
    while (is_sent == 0) {
        cr_assert_eq(redisBufferWrite(store->busy, &is_sent), REDIS_OK);
    }
}

static void end_script(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    cr_assert(SOAK_REDIS_RUN(store->primary, "SCRIPT", "KILL"), "SCRIPT KILL has no effect");
    redisFree(store->busy);
    store->busy = NULL;
}

static void flush_scripts(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    cr_assert(SOAK_REDIS_RUN(store->primary, "SCRIPT", "FLUSH"));
}

static void flush_all(struct soak_store *store, const struct soak_step *step)
{
    cr_assert(SOAK_REDIS_RUN(store->primary, "FLUSHALL"));
    if (step->choice % 2 == 0) {
        kill_clients(store, step);
        soak_log_line(store->log, "redis: and all connections closed");
    }
}

/* From now on the replica hears nothing more, and what the primary acknowledges will be lost. */
static void leave_behind(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    cr_assert(SOAK_REDIS_RUN(store->replica, "REPLICAOF", "NO", "ONE"));
}

static void promote(struct soak_store *store, const struct soak_step *step)
{
    struct redis_server *const old = store->primary;
    (void)step;
    fault_proxy_retarget(store->proxy, redis_server_port(store->replica));
    store->primary = store->replica;
    store->replica = old;
    follow(store->replica, store->primary);
}

static void delay(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    fault_proxy_set_delay(store->proxy, DELAY_MS);
}

static void delay_no_more(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    fault_proxy_set_delay(store->proxy, 0);
}

static void drop_replies(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    fault_proxy_set_mode(store->proxy, FAULT_PROXY_DROP_REPLIES);
}

static void cut_connection(struct soak_store *store, const struct soak_step *step)
{
    fault_proxy_cut_after(store->proxy, 1 + (size_t)(step->choice % CUT_COMMANDS_MAX), "EVALSHA");
}

static void fall_silent(struct soak_store *store, const struct soak_step *step)
{
    fault_proxy_set_mode(store->proxy,
                         step->choice % 2 == 0 ? FAULT_PROXY_SWALLOW : FAULT_PROXY_FREEZE);
}

static void refuse(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    fault_proxy_set_mode(store->proxy, FAULT_PROXY_REFUSE);
}

static void pass(struct soak_store *store, const struct soak_step *step)
{
    (void)step;
    fault_proxy_set_mode(store->proxy, FAULT_PROXY_PASS);
}

static const struct {
    action *begin, *repeat, *end;
} actions[SOAK_FAULT_COUNT] = {
    [SOAK_STORE_KILL] = {kill_primary, NULL, launch_primary},
    [SOAK_STORE_STOP] = {pause_primary, NULL, resume_primary},
    [SOAK_STORE_CLIENTS] = {NULL, kill_clients, NULL},
    [SOAK_STORE_MEMORY] = {fill_memory, NULL, free_memory},
    [SOAK_STORE_REPLICAS] = {demand_replicas, NULL, demand_no_replicas},
    [SOAK_STORE_DISK] = {break_disk, NULL, mend_disk},
    [SOAK_STORE_RIGHT] = {take_right, NULL, give_right},
    [SOAK_STORE_BUSY] = {begin_script, NULL, end_script},
    [SOAK_STORE_SCRIPTS] = {flush_scripts, NULL, NULL},
    [SOAK_STORE_CUT] = {kill_and_cut, NULL, launch_primary},
    [SOAK_STORE_PROMOTE] = {leave_behind, NULL, promote},
    [SOAK_STORE_FLUSH] = {flush_all, NULL, NULL},
    [SOAK_STORE_EMPTY] = {kill_and_empty, NULL, launch_primary},
    [SOAK_NETWORK_DELAY] = {delay, NULL, delay_no_more},
    [SOAK_NETWORK_REPLIES] = {drop_replies, NULL, pass},
    [SOAK_NETWORK_CUT] = {NULL, cut_connection, NULL},
    [SOAK_NETWORK_SILENCE] = {fall_silent, NULL, pass},
    [SOAK_NETWORK_REFUSE] = {refuse, NULL, pass},
};

void soak_store_begin(struct soak_store *store, const struct soak_step *step)
{
    if (actions[step->fault].begin != NULL) {
        actions[step->fault].begin(store, step);
    }
}

void soak_store_tend(struct soak_store *store, const struct soak_step *step)
{
    const uint64_t now_ms = monotonic_ms();
    if (actions[step->fault].repeat != NULL && now_ms - store->repeated_ms >= REPEAT_MS) {
        store->repeated_ms = now_ms;
        actions[step->fault].repeat(store, step);
    }
}

void soak_store_end(struct soak_store *store, const struct soak_step *step)
{
    if (actions[step->fault].end != NULL) {
        actions[step->fault].end(store, step);
    }
}
