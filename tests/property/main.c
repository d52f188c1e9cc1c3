/* The properties over random histories, on the store in memory. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/property/runner.h"

enum { EXIT_USAGE = 64, CASES_DEFAULT = 100 };

static const struct property properties[] = {
    {.name = "model",
     .meaning = "scenes, results and messages are what the model makes of the log",
     .traits = {.steps_max = 30,
                .edits_max = 8,
                .has_resends = true,
                .has_deliveries_again = true,
                .has_merge = true},
     .check = property_engine_is_model},
    {.name = "resends",
     .meaning = "a batch sent again changes nothing and repeats its result, as long as it is one "
                "of the newest that are remembered",
     .traits = {.steps_max = 40, .edits_max = 3, .has_resends = true, .has_merge = true},
     .check = property_resends_change_nothing},
    {.name = "cuts",
     .meaning = "how the log is cut into cycles, cache, pipelining and lost replies change no byte",
     .traits = {.steps_max = 40, .edits_max = 8, .has_resends = true, .has_merge = true},
     .check = property_cuts_do_not_matter},
    {.name = "redelivery",
     .meaning = "records that are delivered again change nothing, whatever was evicted",
     .traits = {.steps_max = 40,
                .edits_max = 5,
                .has_resends = true,
                .has_deliveries_again = true,
                .has_merge = true},
     .check = property_redelivery_changes_nothing},
    {.name = "death",
     .meaning = "a batch is in the store whole or not at all wherever the worker dies, and in the "
                "end its effect is there once",
     .traits = {.steps_max = 25, .edits_max = 6, .has_resends = true, .has_merge = true},
     .check = property_death_tears_no_batch},
    {.name = "monotony",
     .meaning = "versions and timestamps never go back, nor does what was removed come back; bytes "
                "that nobody touches stay",
     .traits = {.steps_max = 40,
                .edits_max = 8,
                .has_resends = true,
                .has_deliveries_again = true,
                .has_merge = true},
     .check = property_nothing_goes_back},
    {.name = "counts",
     .meaning = "synced + failed + pending = operations; success where nothing failed or waits",
     .traits = {.steps_max = 40,
                .edits_max = 8,
                .has_resends = true,
                .has_deliveries_again = true,
                .has_merge = true},
     .check = property_counts_add_up},
    {.name = "ledger",
     .meaning = "the ledger finds nothing lost, doubled or differing, also after a death",
     .traits = {.steps_max = 40,
                .edits_max = 6,
                .has_resends = true,
                .has_deliveries_again = true,
                .has_merge = true},
     .check = property_ledger_agrees},
    {.name = "refusals",
     .meaning = "batches of a scene whose data the store refuses are answered once, and harm "
                "nobody",
     .traits = {.steps_max = 30, .edits_max = 6},
     .check = property_refusals_stay_alone},
    {.name = "convergence",
     .meaning = "merge: every order of the clients' batches ends in the same elements",
     .traits = {.steps_max = 10, .edits_max = 6, .has_merge = true, .only_converging = true},
     .check = property_merge_converges},
};

enum { PROPERTY_COUNT = sizeof(properties) / sizeof(properties[0]) };

static const char help[] =
    "Usage: property_tests [options]\n\n"
    "Checks properties of the worker over random histories. One that fails is made small and\n"
    "printed, with the seed that makes it again.\n\n"
    "  --property NAME  only this one\n"
    "  --seed S         of the first history; the next has S + 1; default: from the clock\n"
    "  --cases N        histories for each property; default: 100\n"
    "  --shrink yes|no  no: end at the first failure, and leave it as it is\n"
    "  --list           print the properties\n"
    "  --help           print this\n";

int main(int argc, char **argv)
{
    struct runner_options options = {.seed = runner_fresh_seed(), .cases = CASES_DEFAULT};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < PROPERTY_COUNT; i++) {
            (void)printf("%-12s %s\n", properties[i].name, properties[i].meaning);
        }
        return EXIT_SUCCESS;
    }
    if (!runner_take_arguments(properties, PROPERTY_COUNT, argc, argv, &options)) {
        return EXIT_USAGE;
    }
    return runner_check(properties, PROPERTY_COUNT, &options) ? EXIT_SUCCESS : EXIT_FAILURE;
}
