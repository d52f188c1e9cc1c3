/*
 * `sim`: runs seeds, one after the other (tests/sim/run --help, README.md).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_break.h"
#include "tests/sim/sim_world.h"

enum {
    BATCHES_DEFAULT = 1500,
    BROKEN_SEEDS_MAX = 100, /* within so many a deliberate bug has to be found */
    LINE_BYTES = 256,
    MINUTE_MS = 60000,
    EXIT_FOUND = 1,
    EXIT_USAGE = 64
};

struct arguments {
    bool has_seed;
    uint64_t seed;
    uint64_t seconds; /* 0: one seed */
    const char *list; /* NULL: none */
    uint64_t batches;
    bool without_faults, is_told, is_twice;
    enum sim_break broken;
};

struct totals {
    uint64_t seeds, operations, virtual_ms, faults[SIM_FAULT_COUNT];
    struct stats stats;
    uint64_t since_ms;
};

static uint64_t now_ms(void)
{
    const struct clock clock = clock_system();
    return clock_monotonic_ms(&clock);
}

/* --- Arguments --- */

static bool read_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = text == NULL ? 0 : strtoull(text, &end, 10);
    return text != NULL && *text >= '0' && *text <= '9' && errno == 0 && *end == '\0';
}

static bool read_break(const char *text, enum sim_break *broken)
{
    for (int i = 1; text != NULL && i < SIM_BREAK_COUNT; i++) {
        if (strcmp(text, sim_break_name((enum sim_break)i)) == 0) {
            *broken = (enum sim_break)i;
            return true;
        }
    }
    return false;
}

/* Reads an option; 0: it is none, else how many arguments it took. */
static int read_option(char **argv, struct arguments *arguments)
{
    const char *name = argv[0];
    if (strcmp(name, "--seed") == 0 && read_number(argv[1], &arguments->seed)) {
        arguments->has_seed = true;
        return 2;
    }
    if (strcmp(name, "--seconds") == 0 && read_number(argv[1], &arguments->seconds)) {
        return 2;
    }
    if (strcmp(name, "--batches") == 0 && read_number(argv[1], &arguments->batches) &&
        arguments->batches > 0 && arguments->batches < UINT32_MAX) {
        return 2;
    }
    if (strcmp(name, "--break") == 0 && read_break(argv[1], &arguments->broken)) {
        return 2;
    }
    if (strcmp(name, "--list") == 0 && argv[1] != NULL) {
        arguments->list = argv[1];
        return 2;
    }
    bool *flag = strcmp(name, "--without-faults") == 0 ? &arguments->without_faults
                 : strcmp(name, "--tell") == 0         ? &arguments->is_told
                 : strcmp(name, "--twice") == 0        ? &arguments->is_twice
                                                       : NULL;
    if (flag != NULL) {
        *flag = true;
        return 1;
    }
    return 0;
}

static bool read_arguments(char **argv, struct arguments *arguments)
{
    *arguments = (struct arguments){.batches = BATCHES_DEFAULT};
    while (*argv != NULL) {
        int count = read_option(argv, arguments);
        if (count == 0) {
            (void)fprintf(stderr,
                          "sim: %s: no such option, or not with this value; see "
                          "tests/sim/run --help\n",
                          *argv);
            return false;
        }
        argv += count;
    }
    return true;
}

/* --- Runs --- */

/* The seed is printed first: a run that ends the process is known by it. */
static bool run_seed(const struct arguments *arguments, uint64_t seed, struct totals *totals)
{
    const struct sim_plan plan = {.seed = seed,
                                  .batch_count = (uint32_t)arguments->batches,
                                  .without_faults = arguments->without_faults,
                                  .is_told = arguments->is_told};
    (void)printf("seed %" PRIu64, seed);
    (void)fflush(stdout);
    struct sim_outcome outcome = sim_world_run(&plan, stdout);
    if (arguments->is_twice && sim_world_run(&plan, stdout).digest != outcome.digest) {
        (void)printf(" (the second time it is another run)");
        outcome.is_good = false;
    }
    (void)printf(": %s, %" PRIu64 " operations, %" PRIu64 " records, %" PRIu64
                 " s, digest %016" PRIx64 "\n",
                 outcome.is_good ? "good" : "FAILED", outcome.operations, outcome.records,
                 outcome.virtual_ms / 1000, outcome.digest);
    totals->seeds++;
    totals->operations += outcome.operations;
    totals->virtual_ms += outcome.virtual_ms;
    sim_stats_add(&totals->stats, &outcome.stats);
    for (size_t i = 0; i < SIM_FAULT_COUNT; i++) {
        totals->faults[i] += outcome.faults[i];
    }
    if (!outcome.is_good && arguments->broken == SIM_BREAK_NOTHING) {
        (void)printf("again: tests/sim/run --seed %" PRIu64 " --batches %" PRIu64 "%s --tell\n",
                     seed, arguments->batches,
                     arguments->without_faults ? " --without-faults" : "");
    }
    (void)fflush(stdout);
    return outcome.is_good;
}

static void print_totals(const struct totals *totals)
{
    uint64_t took_ms = now_ms() - totals->since_ms + 1;
    for (size_t i = 0; i < SIM_FAULT_COUNT; i++) {
        (void)printf("%s%s %" PRIu64, i == 0 ? "faults: " : ", ", sim_fault_name((enum sim_fault)i),
                     totals->faults[i]);
    }
    const struct stats *stats = &totals->stats;
    (void)printf("\nreached: applied %" PRIu64 ", redelivered %" PRIu64 ", resent %" PRIu64
                 ", stale %" PRIu64 ", refused %" PRIu64 ", cycles %" PRIu64 ", repeated %" PRIu64
                 ", races %" PRIu64 ", losses %" PRIu64 ", replayed %" PRIu64,
                 stats->batches_applied, stats->batches_redelivered, stats->batches_resent,
                 stats->batches_stale, stats->batches_refused, stats->cycles,
                 stats->cycles_repeated, stats->commit_races, stats->lost_writes,
                 stats->records_replayed);
    (void)printf("\n%" PRIu64 " seeds, %" PRIu64 " operations, %" PRIu64
                 " simulated seconds; %" PRIu64 " operations a minute\n",
                 totals->seeds, totals->operations, totals->virtual_ms / 1000,
                 totals->operations * MINUTE_MS / took_ms);
}

static bool run_list(const struct arguments *arguments, struct totals *totals)
{
    FILE *list = fopen(arguments->list, "r");
    if (list == NULL) {
        (void)fprintf(stderr, "sim: %s: %s\n", arguments->list, strerror(errno));
        return false;
    }
    char line[LINE_BYTES];
    bool is_good = true;
    while (fgets(line, sizeof line, list) != NULL) {
        struct arguments own = *arguments;
        char *batches = NULL;
        uint64_t seed = strtoull(line, &batches, 10);
        if (line[0] < '0' || line[0] > '9') {
            continue; /* a comment */
        }
        own.batches = strtoull(batches, NULL, 10);
        own.batches = own.batches == 0 ? BATCHES_DEFAULT : own.batches;
        is_good = run_seed(&own, seed, totals) && is_good;
    }
    (void)fclose(list);
    return is_good;
}

static uint64_t fresh_seed(void)
{
    uint64_t seed = 0;
    FILE *source = fopen("/dev/urandom", "rb");
    bool is_read = source != NULL && fread(&seed, sizeof seed, 1, source) == 1;
    if (source != NULL) {
        (void)fclose(source);
    }
    /* Short enough to be typed. */
    return (is_read ? seed : now_ms()) % UINT64_C(1000000000000);
}

static bool run_fresh(const struct arguments *arguments, struct totals *totals)
{
    bool is_good = true;
    while (is_good && now_ms() - totals->since_ms < arguments->seconds * 1000) {
        is_good = run_seed(arguments, fresh_seed(), totals);
    }
    return is_good;
}

/* A deliberate bug has to be found by one of the first seeds. */
static bool run_broken(const struct arguments *arguments, struct totals *totals)
{
    uint64_t first = arguments->has_seed ? arguments->seed : 1;
    sim_break_choose(arguments->broken);
    for (uint64_t seed = first; seed < first + BROKEN_SEEDS_MAX; seed++) {
        if (!run_seed(arguments, seed, totals)) {
            (void)printf("'%s' is found by seed %" PRIu64 "\n", sim_break_name(arguments->broken),
                         seed);
            return true;
        }
    }
    (void)printf("'%s' is NOT found\n", sim_break_name(arguments->broken));
    return false;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct totals totals = {.since_ms = now_ms()};
    (void)argc;
    if (!read_arguments(argv + 1, &arguments)) {
        return EXIT_USAGE;
    }
    if (arguments.broken != SIM_BREAK_NOTHING) {
        return run_broken(&arguments, &totals) ? EXIT_SUCCESS : EXIT_FOUND;
    }
    bool is_good = arguments.list == NULL || run_list(&arguments, &totals);
    if (is_good && arguments.seconds > 0) {
        is_good = run_fresh(&arguments, &totals);
    } else if (is_good && (arguments.has_seed || arguments.list == NULL)) {
        is_good = run_seed(&arguments, arguments.has_seed ? arguments.seed : fresh_seed(), &totals);
    }
    print_totals(&totals);
    return is_good ? EXIT_SUCCESS : EXIT_FOUND;
}
