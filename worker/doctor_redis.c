#include "worker/doctor.h"

#include <inttypes.h>
#include <stdlib.h>

#include "worker/redis_options.h"

enum {
    MAJOR_MIN = 7,
    CLOCK_WARN_MS = 1000,
    CLOCK_ERROR_MS = 60000,
    MEMORY_WARN_PERCENT = 90,
    DETAIL_BYTES = 512,
    POLL_MS = 50
};

/* ---- What it says about itself ---- */

static void judge_version(const struct doctor *doctor, const struct redis_facts *facts)
{
    bool is_good = strtoull(facts->redis_version, NULL, 10) >= MAJOR_MIN;
    doctor_say(doctor, is_good ? FINDING_OK : FINDING_ERROR, "redis.version",
               is_good ? NULL : "upgrade to Redis 7.0 or later, or to Valkey", "%s %s, hiredis %s",
               facts->server, facts->version, redis_store_library_version());
}

static void judge_role(const struct doctor *doctor, const struct redis_facts *facts)
{
    static const char check[] = "redis.role";
    if (facts->is_replica) {
        doctor_say(doctor, FINDING_ERROR, check, "point redis.url at the primary",
                   "a replica, which takes no writes");
    } else if (facts->is_cluster && facts->cluster_size != 1) {
        doctor_say(doctor, FINDING_ERROR, check,
                   "use a Redis that is no cluster, or one whose node has all slots",
                   "a cluster of %" PRIu64 " primaries: a worker follows no redirection",
                   facts->cluster_size);
    } else {
        doctor_say(doctor, FINDING_OK, check, NULL, "primary, %" PRIu64 " replicas connected%s",
                   facts->replica_count, facts->is_cluster ? ", a cluster of one" : "");
    }
}

static void judge_memory(const struct doctor *doctor, const struct redis_facts *facts)
{
    static const char check[] = "redis.memory";
    uint64_t used_percent = facts->memory_bytes_max == 0
                                ? 0
                                : facts->memory_used_bytes / (facts->memory_bytes_max / 100 + 1);
    if (strcmp(facts->eviction_policy, "noeviction") != 0) {
        doctor_say(doctor, FINDING_ERROR, check, "CONFIG SET maxmemory-policy noeviction",
                   "maxmemory-policy %s%s: an evicted key is a lost scene", facts->eviction_policy,
                   facts->memory_bytes_max == 0 ? ", though no maxmemory is set" : "");
    } else if (used_percent >= MEMORY_WARN_PERCENT) {
        doctor_say(doctor, FINDING_WARN, check, "raise maxmemory, or remove what is not needed",
                   "%" PRIu64 " of %" PRIu64 " bytes used: when it is full the workers wait",
                   facts->memory_used_bytes, facts->memory_bytes_max);
    } else if (facts->memory_bytes_max == 0) {
        doctor_say(doctor, FINDING_OK, check, NULL, "noeviction, no limit, %" PRIu64 " bytes used",
                   facts->memory_used_bytes);
    } else {
        doctor_say(doctor, FINDING_OK, check, NULL,
                   "noeviction, %" PRIu64 " of %" PRIu64 " bytes used", facts->memory_used_bytes,
                   facts->memory_bytes_max);
    }
}

static void judge_snapshots(const struct doctor *doctor, const struct redis_facts *facts)
{
    static const char check[] = "redis.persistence";
    static const char cure[] = "CONFIG SET appendonly yes, and the same in its configuration file";
    if (!facts->knows_config) {
        doctor_say(doctor, FINDING_WARN, check, cure,
                   "no append-only file; whether it makes snapshots the user may not ask");
    } else if (facts->save[0] == '\0') {
        doctor_say(doctor, FINDING_ERROR, check, cure,
                   "none: a restart loses every scene, and Kafka has only what it still retains");
    } else {
        doctor_say(doctor, FINDING_WARN, check, cure,
                   "snapshots alone (save %s): minutes of writes are lost with the process",
                   facts->save);
    }
}

static void judge_persistence(const struct doctor *doctor, const struct redis_facts *facts)
{
    static const char check[] = "redis.persistence";
    if (facts->append_failed || facts->snapshot_failed) {
        doctor_say(doctor, FINDING_ERROR, check, "look at Redis's log and its disk",
                   "the last %s failed",
                   facts->append_failed ? "write of the append-only file" : "snapshot");
    } else if (!facts->has_append_file) {
        judge_snapshots(doctor, facts);
    } else if (strcmp(facts->append_fsync, "no") == 0) {
        doctor_say(doctor, FINDING_WARN, check, "CONFIG SET appendfsync everysec, or always",
                   "append-only file, never synced: what the system had in memory is lost with it");
    } else {
        doctor_say(doctor, FINDING_OK, check, NULL, "append-only file, appendfsync %s",
                   facts->knows_config ? facts->append_fsync : "not told");
    }
}

/** How far its clock is from ours, at least: the question took its time too. */
static int64_t clock_offset_ms(const struct redis_facts *facts)
{
    int64_t theirs_ms = facts->server_time_us / 1000;
    if (theirs_ms < (int64_t)facts->asked_ms) {
        return theirs_ms - (int64_t)facts->asked_ms;
    }
    return theirs_ms > (int64_t)facts->answered_ms ? theirs_ms - (int64_t)facts->answered_ms : 0;
}

static void judge_clock(const struct doctor *doctor, const struct redis_facts *facts)
{
    static const char check[] = "redis.clock";
    static const char cure[] = "synchronise the clocks of both machines (NTP)";
    int64_t offset_ms = clock_offset_ms(facts);
    int64_t distance_ms = offset_ms < 0 ? -offset_ms : offset_ms;
    if (facts->server_time_us == 0) {
        doctor_say(doctor, FINDING_WARN, check, "compare `date` on both machines",
                   "the server does not tell its time");
    } else if (distance_ms >= CLOCK_WARN_MS) {
        doctor_say(doctor, distance_ms >= CLOCK_ERROR_MS ? FINDING_ERROR : FINDING_WARN, check,
                   cure,
                   "its clock is %" PRId64 " ms %s ours: retries come early or late, and times in "
                   "results are wrong",
                   distance_ms, offset_ms < 0 ? "behind" : "ahead of");
    } else {
        doctor_say(doctor, FINDING_OK, check, NULL, "within %d ms of ours", CLOCK_WARN_MS);
    }
}

void doctor_judge_redis(const struct doctor *doctor, const struct redis_facts *facts)
{
    judge_version(doctor, facts);
    judge_role(doctor, facts);
    judge_memory(doctor, facts);
    judge_persistence(doctor, facts);
    judge_clock(doctor, facts);
}

/* ---- The worker's own self test ---- */

struct self_test {
    bool is_told;
    char detail[DETAIL_BYTES];
};

static void hear(void *context, enum store_event event, const char *detail)
{
    struct self_test *test = context;
    if (event != STORE_EVENT_CONNECTED && detail != NULL) {
        test->is_told = true;
        (void)snprintf(test->detail, sizeof test->detail, "%s", detail);
    }
}

/** Scripts, commands and rights, as every worker tries them before it begins. */
static void run_self_test(const struct doctor *doctor, struct redis_store_options options)
{
    static const char check[] = "redis.self_test";
    struct self_test test = {.detail = "no answer in time"};
    options.observer = (struct store_observer){.notify = hear, .context = &test};
    options.jitter_seed = clock_wall_ms(doctor->clock);
    struct store *store = redis_store_create(&options);
    if (store == NULL) {
        doctor_say(doctor, FINDING_ERROR, check, "free some memory", "out of memory");
        return;
    }
    uint64_t deadline_ms = clock_monotonic_ms(doctor->clock) + (uint64_t)doctor->timeout_ms;
    while (!store_is_ready(store) && !test.is_told &&
           clock_monotonic_ms(doctor->clock) < deadline_ms) {
        (void)store_poll(store, POLL_MS);
    }
    if (store_is_ready(store)) {
        doctor_say(doctor, FINDING_OK, check, NULL,
                   "commits on scratch keys did what they should; the rights suffice");
    } else {
        doctor_say(doctor, FINDING_ERROR, check,
                   "do what it says; the rights that a worker needs are in deploy/README.md", "%s",
                   test.detail);
    }
    store_destroy(store);
}

static uint64_t read_wall_ms(void *context)
{
    const struct clock *clock = context;
    return clock_wall_ms(clock);
}

bool doctor_check_redis(const struct doctor *doctor)
{
    struct redis_store_options options;
    struct redis_facts facts;
    struct error error;
    enum redis_read outcome = REDIS_READ_UNAVAILABLE;
    if (redis_options_of(doctor->settings, doctor->clock, &options, &error)) {
        outcome = redis_facts_read(&options, read_wall_ms, doctor->clock, doctor->timeout_ms,
                                   &facts, &error);
    }
    if (outcome != REDIS_READ_DONE) {
        doctor_say(doctor, FINDING_ERROR, "redis.reached",
                   "check redis.url, the user's rights (INFO among them) and the server", "%s: %s",
                   doctor->settings->redis_url, error.message);
        return false;
    }
    doctor_say(doctor, FINDING_OK, "redis.reached", NULL, "%s", doctor->settings->redis_url);
    doctor_judge_redis(doctor, &facts);
    run_self_test(doctor, options);
    return true;
}
