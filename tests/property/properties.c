#include "tests/property/property.h"

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

const struct property *property_table(size_t *count)
{
    *count = sizeof properties / sizeof properties[0];
    return properties;
}

const struct property *property_find(const char *name)
{
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (strcmp(properties[i].name, name) == 0) {
            return &properties[i];
        }
    }
    return NULL;
}
