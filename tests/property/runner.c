#include "tests/property/runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/property/shrink.h"

uint64_t runner_fresh_seed(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) % 1000000000;
}

static bool fails(void *context, const struct history *history)
{
    const struct property *property = context;
    struct verdict verdict;
    return !property->check(history, &verdict);
}

static void report(const struct property *property, struct history *history, uint64_t seed)
{
    struct property copy = *property;
    struct verdict verdict = {.reason = "it holds when it is checked again"};
    (void)printf("[FAIL] property/%s: %s\n  does not hold for --property %s --seed %" PRIu64
                 " --cases 1; made small:\n",
                 property->name, property->meaning, property->name, seed);
    (void)fflush(stdout);
    struct history *small = shrink(history, fails, &copy);
    (void)property->check(small, &verdict);
    history_print(small, stdout);
    (void)printf("  %s\n", verdict.reason);
    history_free(small);
}

/* Ends at the first case that fails. */
static bool check_property(const struct property *property, const struct runner_options *options)
{
    for (uint64_t i = 0; i < options->cases; i++) {
        struct verdict verdict;
        struct history *history = history_create(&property->traits, options->seed + i);
        if (!property->check(history, &verdict)) {
            if (options->only_asks) {
                (void)printf("[FAIL] property/%s: %s\n", property->name, verdict.reason);
                history_free(history);
            } else {
                report(property, history, options->seed + i);
            }
            return false;
        }
        history_free(history);
    }
    (void)printf("[PASS] property/%s: holds for %" PRIu64 " histories\n", property->name,
                 options->cases);
    (void)fflush(stdout);
    return true;
}

bool runner_check(const struct property *properties, size_t count,
                  const struct runner_options *options)
{
    bool holds = true;
    (void)printf("--seed %" PRIu64 " --cases %" PRIu64 "\n", options->seed, options->cases);
    for (size_t i = 0; i < count; i++) {
        if (options->property == NULL || strcmp(options->property, properties[i].name) == 0) {
            holds = check_property(&properties[i], options) && holds;
        }
        if (!holds && options->only_asks) {
            break;
        }
    }
    return holds;
}

static bool parse_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool take_argument(const struct property *properties, size_t count, const char *name,
                          const char *value, struct runner_options *options)
{
    if (strcmp(name, "--property") == 0) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(properties[i].name, value) == 0) {
                options->property = value;
            }
        }
        return options->property != NULL;
    }
    if (strcmp(name, "--shrink") == 0) {
        options->only_asks = strcmp(value, "no") == 0;
        return options->only_asks || strcmp(value, "yes") == 0;
    }
    if (strcmp(name, "--seed") == 0) {
        return parse_number(value, &options->seed);
    }
    return strcmp(name, "--cases") == 0 && parse_number(value, &options->cases);
}

bool runner_take_arguments(const struct property *properties, size_t count, int argc, char **argv,
                           struct runner_options *options)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !take_argument(properties, count, argv[i], argv[i + 1], options)) {
            (void)fprintf(stderr, "%s: not understood; see --help\n", argv[i]);
            return false;
        }
    }
    return true;
}
