#include "tests/faults/failover.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/fault_proxy.h"

enum { SYNC_MS = 20000, POLL_MS = 20 };

struct failover {
    struct redis_server *primary, *replica;
    struct fault_proxy *to_primary;     /* the workers' way */
    struct fault_proxy *to_replication; /* the replica's way to the primary */
};

/* A number in INFO replication; -1 where it is not there. */
static long long replication_offset(struct redis_server *server, const char *field)
{
    redisReply *const reply =
        redis_server_query(server, (const char *const[]){"INFO", "replication", NULL});
    const char *const at = reply->str == NULL ? NULL : strstr(reply->str, field);
    const long long offset = at == NULL ? -1 : strtoll(at + strlen(field), NULL, 10);
    freeReplyObject(reply);
    return offset;
}

static void await_replica(const struct failover *failover)
{
    const uint64_t deadline_ms = monotonic_ms() + SYNC_MS;
    for (;;) {
        const long long sent = replication_offset(failover->primary, "master_repl_offset:");
        if (sent >= 0 && replication_offset(failover->replica, "slave_repl_offset:") >= sent) {
            return;
        }
        cr_assert_lt(monotonic_ms(), deadline_ms, "the replica does not follow");
        sleep_ms(POLL_MS);
    }
}

struct failover *failover_begin(struct world *world)
{
    struct failover *const failover = calloc(1, sizeof(*failover));
    cr_assert_not_null(failover);
    failover->replica = world_redis(world);
    failover->primary =
        redis_server_start_with((const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    failover->to_primary = fault_proxy_start(redis_server_port(failover->primary));
    failover->to_replication = fault_proxy_start(redis_server_port(failover->primary));
    REDIS_RUN(failover->replica, "REPLICAOF", "127.0.0.1",
              text_of_format("%d", fault_proxy_port(failover->to_replication)));
    await_replica(failover);
    world_set(world, "redis.url=redis://127.0.0.1:%d", fault_proxy_port(failover->to_primary));
    return failover;
}

void failover_end(struct failover *failover)
{
    if (failover != NULL) {
        fault_proxy_stop(failover->to_primary);
        fault_proxy_stop(failover->to_replication);
        redis_server_stop(failover->primary);
        free(failover);
    }
}

void failover_hold_replica_up(struct failover *failover)
{
    await_replica(failover);
    fault_proxy_set_mode(failover->to_replication, FAULT_PROXY_FREEZE);
}

void failover_promote(struct failover *failover)
{
    redis_server_kill(failover->primary);
    REDIS_RUN(failover->replica, "REPLICAOF", "NO", "ONE");
    fault_proxy_retarget(failover->to_primary, redis_server_port(failover->replica));
}
