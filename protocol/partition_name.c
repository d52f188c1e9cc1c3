#include "protocol/partition_name.h"

#include <assert.h>

#include "protocol/decimal.h"

size_t partition_name_write(struct span topic, int32_t partition,
                            char out[PARTITION_NAME_BYTES_MAX])
{
    assert(topic.size <= PARTITION_NAME_TOPIC_BYTES_MAX);
    size_t size = topic.size;
    if (size > 0) {
        memcpy(out, topic.data, size);
    }
    out[size++] = '/';
    return size + decimal_write_signed(partition, out + size);
}

size_t partition_name_write_place(const struct source *source,
                                  char out[PARTITION_NAME_PLACE_BYTES_MAX])
{
    size_t size = partition_name_write(source->topic, source->partition, out);
    out[size++] = '/';
    return size + decimal_write_signed(source->offset, out + size);
}
