#include "protocol/partition_name.h"

#include <criterion/criterion.h>

Test(partition_name, writes_topic_and_partition)
{
    char text[PARTITION_NAME_BYTES_MAX];
    size_t size = partition_name_write(span_of_text("scene.ops"), 12, text);
    cr_assert(span_equal_text(span_make(text, size), "scene.ops/12"));
    size = partition_name_write(span_make("", 0), -1, text);
    cr_assert(span_equal_text(span_make(text, size), "/-1"));
}

Test(partition_name, has_room_for_the_longest)
{
    char topic[PARTITION_NAME_TOPIC_BYTES_MAX], text[PARTITION_NAME_PLACE_BYTES_MAX];
    memset(topic, 't', sizeof topic);
    const struct source source = {
        .topic = span_make(topic, sizeof topic), .partition = INT32_MIN, .offset = INT64_MIN};
    size_t size = partition_name_write_place(&source, text);
    const struct span tail = span_of_text("/-2147483648/-9223372036854775808");
    cr_assert_eq(size, sizeof topic + tail.size);
    cr_assert(span_equal(span_make(text + sizeof topic, tail.size), tail));
}
