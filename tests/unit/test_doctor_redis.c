/* What `scenesync doctor` makes of what a Redis says about itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/doctor.h"

static struct findings findings;
static struct doctor doctor;
static char *said;
static size_t said_bytes;

static void begin(void)
{
    findings = (struct findings){.out = open_memstream(&said, &said_bytes)};
    doctor = (struct doctor){.findings = &findings};
    cr_assert_not_null(findings.out);
}

static void end(void)
{
    (void)fclose(findings.out);
    free(said);
}

TestSuite(doctor_redis, .init = begin, .fini = end);

static struct redis_facts healthy(void)
{
    struct redis_facts facts = {.server = "redis",
                                .version = "7.0.15",
                                .redis_version = "7.0.15",
                                .eviction_policy = "noeviction",
                                .memory_used_bytes = 100,
                                .has_append_file = true,
                                .knows_config = true,
                                .append_fsync = "everysec",
                                .save = "",
                                .server_time_us = 5000000,
                                .asked_ms = 4990,
                                .answered_ms = 5010};
    return facts;
}

static void judge(const struct redis_facts *facts)
{
    rewind(findings.out);
    memset(findings.counts, 0, sizeof(findings.counts));
    doctor_judge_redis(&doctor, facts);
    cr_assert_not(findings.failed);
}

static void set(char *out, const char *text)
{
    memcpy(out, text, strlen(text) + 1);
}

Test(doctor_redis, what_is_well_is_said_too)
{
    struct redis_facts facts = healthy();
    judge(&facts);
    cr_assert_eq(findings.counts[FINDING_OK], 5, "%s", said);

    facts.append_fsync[0] = '\0';
    facts.knows_config = false; /* a user who may not ask */
    set(facts.server, "valkey");
    set(facts.version, "8.1.1");
    facts.is_cluster = true;
    facts.cluster_size = 1;
    facts.memory_bytes_max = 1000;
    judge(&facts);
    cr_assert_eq(findings.counts[FINDING_OK], 5, "%s", said);
    cr_assert_not_null(strstr(said, "valkey 8.1.1"));
}

/* One thing wrong at a time. */
#define EXPECT(level, words, ...)                                                                  \
    do {                                                                                           \
        struct redis_facts facts = healthy();                                                      \
        __VA_ARGS__;                                                                               \
        judge(&facts);                                                                             \
        cr_assert_eq(findings.counts[FINDING_OK], 4, "%s", said);                                  \
        cr_assert_eq(findings.counts[(level)], 1, "%s", said);                                     \
        cr_assert_not_null(strstr(said, (words)), "\"%s\" is not in: %s", (words), said);          \
        cr_assert_not_null(strstr(said, "; cure: "), "%s", said);                                  \
    } while (0)

Test(doctor_redis, each_thing_that_is_wrong_is_named_with_its_cure)
{
    EXPECT(FINDING_ERROR, "redis 6.2.7",
           (set(facts.version, "6.2.7"), set(facts.redis_version, "6.2.7")));
    EXPECT(FINDING_ERROR, "a replica", facts.is_replica = true);
    EXPECT(FINDING_ERROR, "cluster of 3", (facts.is_cluster = true, facts.cluster_size = 3));
    EXPECT(FINDING_ERROR, "cluster of 0", facts.is_cluster = true);
    EXPECT(FINDING_ERROR, "maxmemory-policy allkeys-lru",
           set(facts.eviction_policy, "allkeys-lru"));
    EXPECT(FINDING_WARN, "990 of 1000 bytes",
           (facts.memory_bytes_max = 1000, facts.memory_used_bytes = 990));
    EXPECT(FINDING_ERROR, "a restart loses every scene", facts.has_append_file = false);
    EXPECT(FINDING_WARN, "snapshots alone (save 3600 1)",
           (facts.has_append_file = false, set(facts.save, "3600 1")));
    EXPECT(FINDING_WARN, "may not ask",
           (facts.has_append_file = false, facts.knows_config = false));
    EXPECT(FINDING_WARN, "never synced", set(facts.append_fsync, "no"));
    EXPECT(FINDING_ERROR, "append-only file failed", facts.append_failed = true);
    EXPECT(FINDING_ERROR, "snapshot failed", facts.snapshot_failed = true);
    EXPECT(FINDING_WARN, "1000 ms ahead", facts.server_time_us = 6010000);
    EXPECT(FINDING_WARN, "1990 ms behind", facts.server_time_us = 3000000);
    EXPECT(FINDING_ERROR, "ahead", facts.server_time_us = 3600000000);
    EXPECT(FINDING_WARN, "does not tell", facts.server_time_us = 0);
}
