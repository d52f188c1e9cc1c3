#include "worker/version.h"

#include <jansson.h>
#include <librdkafka/rdkafka.h>

#include "protocol/pack.h"

void version_print(FILE *out)
{
    (void)fprintf(out,
                  "scenesync %s\n"
                  "librdkafka %s\n"
                  "msgpack-c %s\n"
                  "jansson %s\n",
                  SCENESYNC_VERSION, rd_kafka_version_str(), pack_library_version(),
                  jansson_version_str());
}
