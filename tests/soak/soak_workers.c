#include "tests/soak/soak_workers.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/soak/soak_batches.h"
#include "tests/support/child_process.h"

enum {
    ARGUMENTS_MAX = 64,
    SETTING_BYTES = 384,
    FAULT_BYTES = 64,
    LINE_BYTES = 4096,
    STOP_TIMEOUT_MS = 40000,
    RESTART_PAUSE_MS = 1000, /* before a worker that ended by itself is started again */
    EXIT_INTERNAL = 70,
    EXIT_DRAIN_TIMEOUT = 75,
    REPLACED = SOAK_SLOTS, /* the place of one that was replaced */
    PLACES,
    EXIT_SIGKILL = 128 + SIGKILL,
    EXIT_SIGTERM = 128 + SIGTERM
};

struct slot {
    pid_t pid; /* 0: none runs */
    int incarnation;
    bool is_ending;          /* its end was asked for */
    bool has_fault;          /* may kill itself */
    uint64_t start_ms;       /* not earlier */
    bool is_to_start;        /* once the one in the slot has ended */
    char fault[FAULT_BYTES]; /* for the next start; "" none */
    char log_path[SOAK_PATH_BYTES + 64];
};

struct soak_workers {
    const struct soak_setup *setup;
    struct soak_log *log;
    struct slot slots[PLACES];
    unsigned findings, fenced;
    size_t setting_count;
    char settings[ARGUMENTS_MAX][SETTING_BYTES];
};

static void set(struct soak_workers *workers, const char *name, const char *value)
{
    cr_assert_lt(workers->setting_count, (size_t)ARGUMENTS_MAX);
    const int size =
        snprintf(workers->settings[workers->setting_count++], SETTING_BYTES, "%s=%s", name, value);
    cr_assert(size > 0 && size < SETTING_BYTES);
}

static void set_number(struct soak_workers *workers, const char *name, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    set(workers, name, text);
}

struct soak_workers *soak_workers_create(const struct soak_setup *setup, struct soak_log *log,
                                         const char *bootstrap, const char *redis_url)
{
    struct soak_workers *const workers = calloc(1, sizeof(*workers));
    cr_assert_not_null(workers);
    workers->setup = setup;
    workers->log = log;
    set(workers, "kafka.bootstrap.servers", bootstrap);
    set(workers, "kafka.group.id", SOAK_GROUP);
    set(workers, "kafka.session.timeout.ms", "6000");
    set(workers, "kafka.heartbeat.interval.ms", "500");
    set(workers, "kafka.reconnect.backoff.max.ms", "500");
    set(workers, "kafka.partition.assignment.strategy",
        setup->cooperative ? "cooperative-sticky" : "range");
    set(workers, "redis.url", redis_url);
    set_number(workers, "retry.max_retries", SOAK_RETRIES);
    set_number(workers, "limits.max_operations", SOAK_OPERATIONS_MAX);
    set_number(workers, "limits.max_elements", SOAK_ELEMENTS_MAX);
    set_number(workers, "limits.max_element_bytes", SOAK_ELEMENT_BYTES_MAX);
    set_number(workers, "limits.max_message_bytes", SOAK_MESSAGE_BYTES_MAX);
    set_number(workers, "dedupe.max_batches", setup->small_dedupe ? 16 : 1000000);
    set_number(workers, "dedupe.max_bytes", setup->small_dedupe ? 65536 : 1 << 30);
    if (setup->no_cache) {
        set(workers, "store.cache_bytes", "0");
    }
    set(workers, "log.level", setup->worker_log_level);
    return workers;
}

void soak_workers_destroy(struct soak_workers *workers)
{
    for (int slot = 0; slot < PLACES; slot++) {
        if (workers->slots[slot].pid != 0) {
            child_kill(workers->slots[slot].pid);
        }
    }
    free(workers);
}

static void write_clock_path(const struct soak_workers *workers, int slot, char *path)
{
    (void)snprintf(path, SETTING_BYTES, "%s/clock-%d", workers->setup->directory, slot);
}

void soak_workers_shift_clock(struct soak_workers *workers, int slot, int shift_ms)
{
    char path[SETTING_BYTES];
    write_clock_path(workers, slot, path);
    FILE *const file = fopen(path, "we");
    cr_assert_not_null(file, "%s cannot be written", path);
    (void)fprintf(file, "%d", shift_ms);
    (void)fclose(file);
}

static pid_t spawn(struct soak_workers *workers, int number, const char *fault)
{
    const struct slot *const slot = &workers->slots[number];
    const char *arguments[2 * ARGUMENTS_MAX + 8] = {SCENESYNC_FAULTS_BINARY, "worker"};
    size_t count = 2;
    for (size_t i = 0; i < workers->setting_count; i++) {
        arguments[count++] = "--set";
        arguments[count++] = workers->settings[i];
    }
    char instance[64];
    (void)snprintf(instance, sizeof(instance), "kafka.consumer.group.instance.id=member-%d",
                   number);
    if (workers->setup->static_members) {
        arguments[count++] = "--set";
        arguments[count++] = instance;
    }
    char clock_path[SETTING_BYTES];
    char clock[SETTING_BYTES + 32];
    char fault_variable[FAULT_BYTES + 32];
    write_clock_path(workers, number, clock_path);
    (void)snprintf(clock, sizeof(clock), "TEST_FAULT_CLOCK=%s", clock_path);
    (void)snprintf(fault_variable, sizeof(fault_variable), "TEST_FAULT=%s", fault);
    const char *environment[] = {clock, fault[0] != '\0' ? fault_variable : NULL, NULL};
    const struct child_options options = {.arguments = arguments,
                                          .environment = environment,
                                          .output_path = slot->log_path,
                                          .error_path = slot->log_path};
    return child_start(&options);
}

static void launch(struct soak_workers *workers, int number)
{
    struct slot *const slot = &workers->slots[number];
    slot->incarnation++;
    slot->is_to_start = false;
    slot->is_ending = false;
    slot->has_fault = slot->fault[0] != '\0';
    (void)snprintf(slot->log_path, sizeof(slot->log_path), "%s/worker-%d-%d.log",
                   workers->setup->directory, number, slot->incarnation);
    if (slot->incarnation == 1) {
        soak_workers_shift_clock(workers, number, 0);
    }
    slot->pid = spawn(workers, number, slot->fault);
    soak_log_line(workers->log, "worker %d: started, incarnation %d, process %d%s%s", number,
                  slot->incarnation, (int)slot->pid, slot->has_fault ? ", fault " : "",
                  slot->fault);
    slot->fault[0] = '\0';
}

void soak_workers_start(struct soak_workers *workers, int slot, const char *fault)
{
    workers->slots[slot].is_to_start = true;
    (void)snprintf(workers->slots[slot].fault, FAULT_BYTES, "%s", fault != NULL ? fault : "");
    soak_workers_tend(workers);
}

void soak_workers_signal(struct soak_workers *workers, int number, int signal)
{
    struct slot *const slot = &workers->slots[number];
    if (slot->pid == 0) {
        return;
    }
    slot->is_ending = slot->is_ending || signal == SIGKILL || signal == SIGTERM;
    cr_assert_eq(kill(slot->pid, signal), 0);
}

bool soak_workers_is_running(const struct soak_workers *workers, int slot)
{
    return workers->slots[slot].pid != 0;
}

void soak_workers_replace(struct soak_workers *workers, int number)
{
    struct slot *const slot = &workers->slots[number];
    struct slot *const replaced = &workers->slots[REPLACED];
    if (slot->pid == 0 || replaced->pid != 0) {
        return; /* it is dead anyhow, or the last one still lives */
    }
    soak_workers_signal(workers, number, SIGSTOP);
    *replaced = *slot;
    slot->pid = 0;
    soak_workers_start(workers, number, NULL);
}

void soak_workers_wake(struct soak_workers *workers)
{
    soak_workers_signal(workers, REPLACED, SIGCONT);
}

/*
 * Of two workers with one name the group keeps the one that joined last, which may be either. And
 * where the broker was silent for longer than a session, librdkafka 2.0.2 has been seen to join
 * twice and to fence itself.
 */
static bool is_fenced(const struct soak_workers *workers, const struct slot *slot)
{
    char line[LINE_BYTES];
    bool is_found = false;
    FILE *const file = workers->setup->static_members ? fopen(slot->log_path, "re") : NULL;
    while (file != NULL && !is_found && fgets(line, sizeof(line), file) != NULL) {
        is_found = strstr(line, "Static consumer fenced by other consumer") != NULL;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_found;
}

/* A process that is told to end before it has come to listen for that dies of it. */
static bool is_unborn(const struct slot *slot)
{
    struct stat status;
    return stat(slot->log_path, &status) != 0 || status.st_size == 0;
}

/* Ends that were asked for, or that a fault point brought about. */
static bool is_expected(struct soak_workers *workers, const struct slot *slot, int exit_code)
{
    if (exit_code == EXIT_INTERNAL && is_fenced(workers, slot)) {
        workers->fenced++;
        return true;
    }
    if (exit_code == EXIT_SIGKILL) {
        return slot->is_ending || slot->has_fault;
    }
    if (exit_code == EXIT_SIGTERM) {
        return slot->is_ending && is_unborn(slot);
    }
    /* While the store or the broker is away a worker cannot drain. */
    return slot->is_ending && (exit_code == 0 || exit_code == EXIT_DRAIN_TIMEOUT);
}

static void note_end(struct soak_workers *workers, int number, int exit_code)
{
    struct slot *const slot = &workers->slots[number];
    slot->pid = 0;
    slot->is_to_start = number != REPLACED && (slot->is_to_start || !slot->is_ending);
    slot->start_ms = slot->is_ending ? 0 : monotonic_ms() + RESTART_PAUSE_MS;
    if (is_expected(workers, slot, exit_code)) {
        soak_log_line(workers->log, "worker %d: ended, exit code %d", number, exit_code);
        return;
    }
    workers->findings++;
    soak_log_line(workers->log, "FOUND: worker %d ended with exit code %d, which nobody asked for",
                  number, exit_code);
    soak_log_show_end(workers->log, slot->log_path);
}

void soak_workers_tend(struct soak_workers *workers)
{
    for (int number = 0; number < PLACES; number++) {
        struct slot *const slot = &workers->slots[number];
        int exit_code = 0;
        if (slot->pid != 0 && child_wait(slot->pid, 0, &exit_code)) {
            note_end(workers, number, exit_code);
        }
        if (slot->pid == 0 && slot->is_to_start && monotonic_ms() >= slot->start_ms) {
            launch(workers, number);
        }
    }
}

static void await_stop(struct soak_workers *workers, int number)
{
    struct slot *const slot = &workers->slots[number];
    int exit_code = 0;
    if (!child_wait(slot->pid, STOP_TIMEOUT_MS, &exit_code)) {
        workers->findings++;
        soak_log_line(workers->log, "FOUND: worker %d does not end on SIGTERM within %d ms", number,
                      STOP_TIMEOUT_MS);
        soak_log_show_end(workers->log, slot->log_path);
        return;
    }
    if (exit_code == EXIT_DRAIN_TIMEOUT) {
        workers->findings++;
        soak_log_line(workers->log, "FOUND: worker %d did not drain in time", number);
    }
    note_end(workers, number, exit_code);
}

void soak_workers_stop(struct soak_workers *workers)
{
    for (int slot = 0; slot < PLACES; slot++) {
        workers->slots[slot].is_to_start = false;
        soak_workers_signal(workers, slot, SIGTERM);
    }
    for (int slot = 0; slot < PLACES; slot++) {
        if (workers->slots[slot].pid != 0) {
            await_stop(workers, slot);
        }
    }
}

unsigned soak_workers_findings(const struct soak_workers *workers)
{
    return workers->findings;
}

unsigned soak_workers_fenced(const struct soak_workers *workers)
{
    return workers->fenced;
}

void soak_workers_show_logs(struct soak_workers *workers)
{
    for (int slot = 0; slot < SOAK_SLOTS; slot++) {
        if (workers->slots[slot].incarnation > 0) {
            soak_log_show_end(workers->log, workers->slots[slot].log_path);
        }
    }
}
