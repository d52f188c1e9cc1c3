/* The properties over random histories, on the store in memory. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/property/runner.h"

enum { EXIT_USAGE = 64, CASES_DEFAULT = 100 };

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
    size_t count = 0;
    const struct property *properties = property_table(&count);
    struct runner_options options = {.seed = runner_fresh_seed(), .cases = CASES_DEFAULT};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++) {
            (void)printf("%-12s %s\n", properties[i].name, properties[i].meaning);
        }
        return EXIT_SUCCESS;
    }
    if (!runner_take_arguments(properties, count, argc, argv, &options)) {
        return EXIT_USAGE;
    }
    return runner_check(properties, count, &options) ? EXIT_SUCCESS : EXIT_FAILURE;
}
