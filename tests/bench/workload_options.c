#include "tests/bench/workload_options.h"

#include <stdio.h>
#include <time.h>

enum { SCENES_MAX = 10000000, ELEMENTS_MAX = 1000000, TEXT_BYTES_MAX = 1000000, HOUR_S = 3600 };

void workload_options_init(struct workload_options *options)
{
    *options = (struct workload_options){
        .name = "uniform", .seed = 1, .start_ms = (uint64_t)(time(NULL) - HOUR_S) * 1000U};
}

void workload_options_specify(struct workload_options *options,
                              struct option_spec out[WORKLOAD_OPTIONS_COUNT])
{
    const struct option_spec specs[WORKLOAD_OPTIONS_COUNT] = {
        {"workload", OPTION_TEXT, &options->name, 0, 0},
        {"scenes", OPTION_UINT, &options->scenes, 1, SCENES_MAX},
        {"elements", OPTION_UINT, &options->elements, 1, ELEMENTS_MAX},
        {"operations", OPTION_UINT, &options->operations, 1, WORKLOAD_OPERATIONS_MAX},
        {"text-bytes", OPTION_UINT, &options->text_bytes, 1, TEXT_BYTES_MAX},
        {"seed", OPTION_UINT, &options->seed, 0, UINT32_MAX},
        {"start-ms", OPTION_UINT, &options->start_ms, 1, INT64_MAX},
    };
    memcpy(out, specs, sizeof specs);
}

bool workload_options_require(const char *name, const char *value)
{
    bool is_given = value[0] != '\0';
    if (!is_given) {
        (void)fprintf(stderr, "bench: --%s is missing\n", name);
    }
    return is_given;
}

static void override_size(uint32_t *size, uint64_t wanted)
{
    if (wanted > 0) {
        *size = (uint32_t)wanted;
    }
}

struct workload *workload_options_create(const struct workload_options *options,
                                         struct workload_sizes *sizes)
{
    if (!workload_sizes_of(options->name, sizes)) {
        (void)fprintf(stderr, "bench: there is no workload '%s'\n", options->name);
        return NULL;
    }
    override_size(&sizes->scenes, options->scenes);
    override_size(&sizes->elements, options->elements);
    override_size(&sizes->operations, options->operations);
    override_size(&sizes->text_bytes, options->text_bytes);
    struct workload *workload =
        workload_create(options->name, sizes, options->seed, options->start_ms);
    if (workload == NULL) {
        (void)fprintf(stderr, "bench: no memory for the workload\n");
    }
    return workload;
}
