/* The first of the properties, the engine against the model, on a Redis of its own. */
#include <stdlib.h>

#include "tests/property/runner.h"
#include "tests/support/redis_server.h"

enum { EXIT_USAGE = 64, CASES_DEFAULT = 25 };

static void empty(void *context)
{
    REDIS_RUN(context, "FLUSHALL");
}

int main(int argc, char **argv)
{
    const struct property *model = property_find("model");
    struct runner_options options = {.seed = runner_fresh_seed(), .cases = CASES_DEFAULT};
    if (!runner_take_arguments(model, 1, argc, argv, &options)) {
        return EXIT_USAGE;
    }
    struct redis_server *redis = redis_server_start();
    property_use_redis(redis_server_url(redis), empty, redis);
    bool holds = runner_check(model, 1, &options);
    redis_server_stop(redis);
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}
