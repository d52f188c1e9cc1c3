/* The engine against the model once more, on a Redis of its own. */
#include <stdlib.h>

#include "tests/property/runner.h"
#include "tests/support/redis_server.h"

enum { EXIT_USAGE = 64, CASES_DEFAULT = 25 };

static const struct property properties[] = {
    {.name = "model",
     .meaning = "scenes, results and messages on a Redis are what the model makes of the log",
     .traits = {.steps_max = 30,
                .edits_max = 8,
                .has_resends = true,
                .has_deliveries_again = true,
                .has_merge = true},
     .check = property_engine_is_model},
};

static void empty(void *context)
{
    REDIS_RUN(context, "FLUSHALL");
}

int main(int argc, char **argv)
{
    struct runner_options options = {.seed = runner_fresh_seed(), .cases = CASES_DEFAULT};
    if (!runner_take_arguments(properties, 1, argc, argv, &options)) {
        return EXIT_USAGE;
    }
    struct redis_server *redis = redis_server_start();
    property_use_redis(redis_server_url(redis), empty, redis);
    bool holds = runner_check(properties, 1, &options);
    redis_server_stop(redis);
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}
