/*
 * The soak: workers under load and under faults of every kind, drawn from a seed; then the ledger.
 * tests/chaos runs it; see there for its parameters.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/soak/soak_dump.h"
#include "tests/soak/soak_lanes.h"
#include "tests/soak/soak_producer.h"
#include "tests/soak/soak_report.h"
#include "tests/soak/soak_verdict.h"
#include "tests/support/child_process.h"

enum {
    TICK_MS = 5,
    STATUS_INTERVAL_MS = 10000,
    FLUSH_TIMEOUT_MS = 60000,
    STALL_TIMEOUT_MS = 90000, /* without progress after the faults */
    SETTLE_TIMEOUT_MS = 1800000,
    SETTLED_LOOKS = 3,      /* in a row: one look is no instant */
    WORKER_FINDINGS_MAX = 5 /* more tell nothing new */
};

/* Everything of one run. */
struct soak {
    struct soak_setup setup;
    struct soak_log log;
    struct soak_subjects subjects;
    struct soak_lanes *lanes;
    struct soak_producer *producer;
    struct soak_lag *lag;
    struct soak_progress progress;
    uint64_t status_ms;
    int64_t faults_ms, settle_ms; /* how long they took */
};

static struct soak_plan make_plan(const struct soak_setup *setup)
{
    bool allowed[SOAK_FAULT_COUNT];
    for (int fault = 0; fault < SOAK_FAULT_COUNT; fault++) {
        allowed[fault] = setup->lossy || !soak_fault_loses_writes((enum soak_fault)fault);
    }
    /* Only static members have names that another one can take. */
    allowed[SOAK_WORKER_FENCED] = setup->static_members;
    return soak_plan_make(setup->seed, allowed);
}

static void open_soak(struct soak *soak)
{
    soak->setup = soak_setup_read();
    soak_log_open(&soak->log, soak->setup.directory);
    soak_log_line(&soak->log, "seed %llu, %lld s; everything is in %s",
                  (unsigned long long)soak->setup.seed, (long long)soak->setup.duration_ms / 1000,
                  soak->setup.directory);
    soak_log_line(&soak->log, "%s", soak_setup_text(&soak->setup));
    struct soak_subjects *const subjects = &soak->subjects;
    subjects->setup = &soak->setup;
    subjects->log = &soak->log;
    subjects->broker = soak_broker_start(&soak->setup, &soak->log);
    subjects->store = soak_store_start(&soak->setup, &soak->log);
    const char *const bootstrap = soak_broker_bootstrap(subjects->broker);
    subjects->workers =
        soak_workers_create(&soak->setup, &soak->log, bootstrap, soak_store_url(subjects->store));
    soak->producer = soak_producer_create(&soak->setup, bootstrap);
    soak->lag = soak_lag_create(bootstrap);
    const struct soak_plan plan = make_plan(&soak->setup);
    soak->lanes = soak_lanes_create(subjects, &plan);
}

static void close_soak(struct soak *soak)
{
    soak_lanes_destroy(soak->lanes);
    soak_lag_destroy(soak->lag);
    soak_producer_destroy(soak->producer);
    soak_workers_destroy(soak->subjects.workers);
    soak_store_stop(soak->subjects.store);
    soak_broker_stop(soak->subjects.broker);
    soak_log_close(&soak->log);
}

static void tend_progress(struct soak *soak)
{
    const struct soak_look look = soak_lag_read(soak->lag);
    if (look.number != soak->progress.look && !soak_store_is_paused(soak->subjects.store)) {
        (void)soak_progress_take(&soak->progress, &look, soak_store_primary(soak->subjects.store));
    }
}

static void tend_status(struct soak *soak, uint64_t now_ms)
{
    if (now_ms - soak->status_ms >= STATUS_INTERVAL_MS) {
        const struct soak_produced produced = soak_producer_counts(soak->producer);
        soak->status_ms = now_ms;
        soak_log_line(&soak->log, "status: %llu batches acknowledged, lag %lld, work %lld",
                      (unsigned long long)produced.acknowledged, (long long)soak->progress.lag,
                      (long long)soak->progress.work);
    }
}

/* Load and faults, for as long as was asked for. */
static bool run_faults(struct soak *soak)
{
    const uint64_t start_ms = monotonic_ms();
    uint64_t now_ms = start_ms;
    bool is_overcome = true;
    for (int slot = 0; slot < SOAK_WORKERS; slot++) {
        soak_workers_start(soak->subjects.workers, slot, NULL);
    }
    while (is_overcome && now_ms - start_ms < (uint64_t)soak->setup.duration_ms &&
           soak_workers_findings(soak->subjects.workers) < WORKER_FINDINGS_MAX) {
        soak_producer_tend(soak->producer, (int64_t)(now_ms - start_ms));
        soak_workers_tend(soak->subjects.workers);
        tend_progress(soak);
        tend_status(soak, now_ms);
        is_overcome = soak_lanes_tend(soak->lanes, now_ms, &soak->progress);
        sleep_ms(TICK_MS);
        now_ms = monotonic_ms();
    }
    soak->faults_ms = (int64_t)(now_ms - start_ms);
    return is_overcome;
}

static bool await_well(struct soak *soak)
{
    const uint64_t deadline_ms = monotonic_ms() + STALL_TIMEOUT_MS;
    while (!soak_lanes_are_well(soak->lanes)) {
        if (monotonic_ms() >= deadline_ms) {
            soak_log_line(&soak->log, "FOUND: Kafka or Redis do not serve again");
            return false;
        }
        sleep_ms(TICK_MS);
    }
    return true;
}

/* Prints the partitions that have something left. */
static void show_lag(struct soak *soak)
{
    const struct soak_look look = soak_lag_read(soak->lag);
    char name[SOAK_TOPIC_BYTES];
    for (int topic = 0; topic < SOAK_CONSUMED_TOPICS; topic++) {
        soak_look_write_topic(topic, name);
        for (int partition = 0; partition < SOAK_PARTITIONS; partition++) {
            if (look.committed[topic][partition] < look.end[topic][partition]) {
                soak_log_line(&soak->log, "lag: %s/%d committed %lld of %lld", name, partition,
                              (long long)look.committed[topic][partition],
                              (long long)look.end[topic][partition]);
            }
        }
    }
}

/* Waits until everything is done. */
static bool settle(struct soak *soak)
{
    const uint64_t start_ms = monotonic_ms();
    uint64_t progress_ms = start_ms;
    int64_t work = -1;
    uint64_t look = soak->progress.look;
    int settled = 0;
    while (settled < SETTLED_LOOKS) {
        const uint64_t now_ms = monotonic_ms();
        soak_workers_tend(soak->subjects.workers);
        tend_progress(soak);
        tend_status(soak, now_ms);
        if (soak->progress.work != work) {
            work = soak->progress.work;
            progress_ms = now_ms;
        }
        if (soak->progress.look != look) {
            look = soak->progress.look;
            settled = soak->progress.lag == 0 ? settled + 1 : 0;
        }
        if (now_ms - progress_ms > STALL_TIMEOUT_MS || now_ms - start_ms > SETTLE_TIMEOUT_MS) {
            soak_log_line(&soak->log, "FOUND: no progress any more, and a lag of %lld records",
                          (long long)soak->progress.lag);
            show_lag(soak);
            soak_workers_show_logs(soak->subjects.workers);
            return false;
        }
        sleep_ms(TICK_MS);
    }
    soak->settle_ms = (int64_t)(monotonic_ms() - start_ms);
    soak_log_line(&soak->log, "settled after %lld ms", (long long)soak->settle_ms);
    return true;
}

static bool end_work(struct soak *soak)
{
    soak_lanes_heal(soak->lanes);
    soak_workers_tend(soak->subjects.workers);
    for (int slot = 0; slot < SOAK_WORKERS; slot++) {
        if (!soak_workers_is_running(soak->subjects.workers, slot)) {
            soak_workers_start(soak->subjects.workers, slot, NULL);
        }
    }
    if (!await_well(soak)) {
        return false;
    }
    if (!soak_producer_flush(soak->producer, FLUSH_TIMEOUT_MS)) {
        soak_log_line(&soak->log, "FOUND: the broker does not take what was produced");
        return false;
    }
    return settle(soak);
}

static bool has_lost_writes(const struct soak *soak)
{
    unsigned count = 0;
    for (int fault = 0; fault < SOAK_FAULT_COUNT; fault++) {
        if (soak_fault_loses_writes((enum soak_fault)fault)) {
            count += soak_lanes_count(soak->lanes, (enum soak_fault)fault);
        }
    }
    return count > 0;
}

/* What the ledger says, and the tables. */
static bool judge(struct soak *soak)
{
    struct ledger_counts counts = {0};
    const struct soak_verdict verdict = {
        .setup = &soak->setup,
        .bootstrap = soak_broker_bootstrap(soak->subjects.broker),
        .primary = soak_store_primary(soak->subjects.store),
        .lost_writes = has_lost_writes(soak),
    };
    if (soak->setup.tamper) {
        soak_verdict_tamper(&verdict);
    }
    const bool is_good = soak_verdict_take(&verdict, stdout, &counts);
    const struct soak_report report = {
        .setup = &soak->setup,
        .lanes = soak->lanes,
        .produced = soak_producer_counts(soak->producer),
        .workers_fenced = soak_workers_fenced(soak->subjects.workers),
        .worker_findings = soak_workers_findings(soak->subjects.workers),
        .faults_ms = soak->faults_ms,
        .settle_ms = soak->settle_ms,
        .counts = &counts,
    };
    soak_report_print(&report, stdout);
    (void)fflush(stdout);
    return is_good;
}

/* Every batch that Kafka acknowledged stands in it; a broker that died may have one twice. */
static bool has_all_batches(struct soak *soak)
{
    const struct soak_look look = soak_lag_read(soak->lag);
    const uint64_t acknowledged = soak_producer_counts(soak->producer).acknowledged;
    uint64_t records = 0;
    for (int partition = 0; partition < SOAK_PARTITIONS; partition++) {
        records += (uint64_t)look.end[0][partition];
    }
    if (records < acknowledged) {
        soak_log_line(&soak->log, "FOUND: Kafka acknowledged %llu batches and has %llu",
                      (unsigned long long)acknowledged, (unsigned long long)records);
    }
    return records >= acknowledged;
}

/* What a person needs to find the cause. */
static void keep_evidence(struct soak *soak)
{
    const size_t records =
        soak_dump_topics(soak_broker_bootstrap(soak->subjects.broker), soak->setup.directory);
    soak_log_line(&soak->log, "%zu records are in %s/<topic>.jsonl", records,
                  soak->setup.directory);
}

Test(soak, nothing_lost_nothing_twice)
{
    struct soak soak = {0};
    open_soak(&soak);
    bool is_good = run_faults(&soak);
    is_good = end_work(&soak) && is_good;
    soak_workers_stop(soak.subjects.workers);
    is_good = is_good && soak_workers_findings(soak.subjects.workers) == 0;
    is_good = has_all_batches(&soak) && is_good;
    is_good = judge(&soak) && is_good;
    if (!is_good) {
        keep_evidence(&soak);
    }
    const struct soak_setup setup = soak.setup;
    close_soak(&soak);
    soak_setup_release(&setup, is_good);
    cr_expect(is_good, "found: see above; again: tests/chaos --seed %llu --seconds %lld",
              (unsigned long long)setup.seed, (long long)setup.duration_ms / 1000);
}
