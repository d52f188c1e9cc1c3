#include "worker/version.h"

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <msgpack.h>
#include <xxhash.h>

#include "store/redis_store.h"

/* inih has no way to tell. */
void version_print(FILE *out)
{
    unsigned xxhash = XXH_versionNumber(); /* 801 is 0.8.1 */
    (void)fprintf(out, "scenesync %s\n", SCENESYNC_VERSION);
    (void)fprintf(out, "librdkafka %s\n", rd_kafka_version_str());
    (void)fprintf(out, "msgpack-c %s\n", msgpack_version());
    (void)fprintf(out, "hiredis %s\n", redis_store_library_version());
    (void)fprintf(out, "xxhash %u.%u.%u\n", xxhash / 10000, xxhash / 100 % 100, xxhash % 100);
    (void)fprintf(out, "jansson %s\n", jansson_version_str());
}

const char *version_text(void)
{
    return SCENESYNC_VERSION;
}

const char *version_librdkafka(void)
{
    return rd_kafka_version_str();
}
